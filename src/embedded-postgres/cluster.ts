import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { readFileIfAny, syncDirectory, writeFileAtomically } from './files.ts';
import type { Place } from './place.ts';
import { currentUser, type ServerUser } from './user.ts';
import { runWatched } from './watched-process.ts';

export const SUPERUSER = 'posthorn';

type Deps = { readonly place: Place; readonly binaries: string; readonly log: (message: string) => void };

/**
 * Makes the data directory if there is none yet, and answers with the superuser's password. initdb works in a temporary
 * sibling that is renamed when complete, so a data directory under the final name was never cut short by a kill.
 */
export const prepareCluster = async ({ place, binaries, log }: Deps): Promise<string> => {
  await removeUnfinished(place);
  const exists = existsSync(place.pgData);
  const password = readFileIfAny(place.passwordFile)?.trim();
  if (exists && password === undefined) {
    throw new Error(`The database in ${place.pgData} is there, but its password file ${place.passwordFile} is not.`);
  }
  if (exists && password !== undefined) return password;
  const made = password ?? randomBytes(24).toString('hex');
  if (password === undefined) writeFileAtomically(place.passwordFile, `${made}\n`); // Before the data it opens.
  log(`making an embedded database in ${place.pgData}`);
  await initialize(place, binaries, made);
  return made;
};

/** Settings of the new cluster; initdb turns data checksums on and syncs everything to disk by itself. */
const initdbArguments = (data: string, passwordFile: string): string[] => [
  `--pgdata=${data}`,
  `--username=${SUPERUSER}`,
  `--pwfile=${passwordFile}`,
  '--auth=scram-sha-256',
  '--encoding=UTF8',
  '--locale=C',
  '--locale-provider=builtin',
  '--builtin-locale=C.UTF-8', // The same order of text on every machine, unlike libc's.
  '--no-instructions',
];

const initialize = async ({ dataDir, pgData, user }: Place, binaries: string, password: string): Promise<void> => {
  const work = join(dataDir, `${UNFINISHED}${randomBytes(4).toString('hex')}`);
  const [data, passwordFile] = [join(work, 'data'), join(work, 'password')];
  mkdirSync(work, { mode: 0o700 });
  mkdirSync(data, { mode: 0o700 });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  for (const path of [work, data, passwordFile]) giveTo(user, path);
  const args = initdbArguments(data, passwordFile);
  const initdb = runWatched({ command: join(binaries, 'bin', 'initdb'), args, user });
  const status = await initdb.ended;
  if (status !== 0) throw new Error(`initdb ended with status ${status}: ${initdb.lastLines()}`);
  renameSync(data, pgData);
  syncDirectory(dataDir);
  await rm(work, { recursive: true, force: true });
};

const UNFINISHED = 'postgres.initdb-';

/** What a killed start left; its initdb may still be on its way out, hence the retries. */
const removeUnfinished = async ({ dataDir }: Place): Promise<void> => {
  for (const name of readdirSync(dataDir).filter((entry) => basename(entry).startsWith(UNFINISHED))) {
    await rm(join(dataDir, name), { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }
};

const giveTo = ({ uid, gid }: ServerUser, path: string): void => {
  if (uid !== currentUser().uid) chownSync(path, uid, gid);
};
