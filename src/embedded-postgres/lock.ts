import { statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { readFileIfAny, writeFileAtomically } from './files.ts';
import type { Place } from './place.ts';
import { identifyProcess, type ProcessIdentity } from './processes.ts';

/** How long a process that lost the race is given to say its number. */
const NAMING_MS = 1_000;

export type Lock = { release(): Promise<void> };

/**
 * Makes this process the only owner of the data directory, until `release` or its death. The kernel keeps the lock (the
 * name of an abstract socket, which dies with its process however that dies), so a stale one cannot exist and taking it
 * is one atomic step. The lock file beside it names the owner; it also counts when the owner lives in another network
 * namespace, where the socket's name is not seen.
 */
export const acquireLock = async ({ dataDir, lockFile }: Place): Promise<Lock> => {
  const { dev, ino } = statSync(dataDir);
  const deadline = Date.now() + NAMING_MS;
  for (;;) {
    const socket = await bind(`\0posthorn-embedded-postgres-${dev}-${ino}`);
    const owner = liveOwner(lockFile);
    if (socket !== undefined && owner === undefined) {
      writeFileAtomically(lockFile, JSON.stringify(identifyProcess(process.pid)));
      return {
        release: async () => {
          await rm(lockFile, { force: true });
          await close(socket);
        },
      };
    }
    if (socket !== undefined) await close(socket);
    if (owner !== undefined || Date.now() > deadline) throw new Error(refusal(dataDir, owner));
    await sleep(20); // Taken a moment ago, or its owner is just going.
  }
};

const refusal = (dataDir: string, owner: ProcessIdentity | undefined): string =>
  `The embedded database in ${dataDir} is in use by ${owner === undefined ? 'another process' : `process ${owner.pid}`}: ` +
  'stop that one first, or choose another POSTHORN_DATA_DIR.';

const liveOwner = (lockFile: string): ProcessIdentity | undefined => {
  try {
    const owner = JSON.parse(readFileIfAny(lockFile) ?? 'null') as ProcessIdentity | null;
    const live = owner === null ? undefined : identifyProcess(owner.pid);
    return live?.startedAt === owner?.startedAt ? live : undefined;
  } catch {
    return undefined; // Not written by us: nobody's lock.
  }
};

const bind = (name: string): Promise<Server | undefined> =>
  new Promise((resolve, reject) => {
    const server = createServer((connection) => connection.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen({ path: name, exclusive: true }, () => resolve(server.unref()));
  });

const close = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
