import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, realpathSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readFileIfAny, writeFileAtomically } from './files.ts';
import { chooseServerUser, currentUser, findBarrier, type ServerUser } from './user.ts';

/** Where root keeps what the server's user could not reach in the place asked for. */
export const SHARED_DIRECTORY = '/var/lib/posthorn';
const POINTER = 'database-location';

/** Where the database of a data directory lies, and who runs it. */
export type Place = {
  readonly dataDir: string;
  readonly pgData: string;
  readonly passwordFile: string;
  readonly urlFile: string;
  readonly lockFile: string;
  readonly user: ServerUser;
};

/** Looks without making anything: where a running server of this data directory would have left its files. */
export const findPlace = (wanted: string, user: ServerUser = currentUser()): Place => {
  const dataDir = readFileIfAny(join(wanted, POINTER))?.trim() ?? resolve(wanted);
  const inside = (name: string) => join(dataDir, name);
  return {
    dataDir,
    pgData: inside('postgres'),
    passwordFile: inside('postgres-password'),
    urlFile: inside('database-url'),
    lockFile: inside('postgres.lock'),
    user: chooseServerUser(inside('postgres'), user),
  };
};

/**
 * Makes the data directory, or, where the server's user cannot get to it, one in `sharedDirectory`; a pointer file in the
 * directory asked for then says where. Throws when there is data already and it cannot be reached: an empty database
 * beside it would look like a loss.
 */
export const preparePlace = (wanted: string, sharedDirectory: string): Place => {
  mkdirSync(wanted, { recursive: true });
  const place = findPlace(wanted);
  if (readFileIfAny(join(wanted, POINTER)) !== undefined && !existsSync(place.dataDir)) {
    throw new Error(
      `The database is gone: ${join(wanted, POINTER)} says that it lies in ${place.dataDir}, which does not exist; ` +
        'bring it back, or remove that file to begin with an empty one.',
    );
  }
  const barrier = findBarrier(realpathSync(place.dataDir), place.user);
  if (barrier === undefined) return place;
  if (existsSync(join(place.pgData, 'PG_VERSION'))) {
    throw new Error(
      `The database in ${place.pgData} runs as user id ${place.user.uid}, which cannot enter ${barrier}: ` +
        'allow it with chmod o+x, or move the data directory.',
    );
  }
  return relocate(wanted, sharedDirectory);
};

const relocate = (wanted: string, sharedDirectory: string): Place => {
  // The inode and its birth are part of the name: a data directory removed and made anew must not meet the old database.
  const { ino, birthtimeMs } = statSync(wanted);
  const identity = [realpathSync(wanted), ino, birthtimeMs].join('\n');
  const name = createHash('sha256').update(identity).digest('hex').slice(0, 16);
  const dataDir = join(sharedDirectory, `data-${name}`);
  mkdirSync(dataDir, { recursive: true });
  for (const directory of [sharedDirectory, dataDir]) chmodSync(directory, 0o755); // Whatever the umask said.
  writeFileAtomically(join(wanted, POINTER), `${dataDir}\n`);
  return findPlace(wanted);
};
