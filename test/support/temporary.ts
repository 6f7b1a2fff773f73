import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';

const IN_MEMORY = '/dev/shm';
/** Three times what a whole run was seen to take. */
const ROOM_BYTES = 3 * 2 ** 30;

/**
 * Where databases of the tests lie: in memory, where there is room for them, or else in the usual temporary directory. A
 * database is some 650 files, and making those takes ten times as long on disk. Whatever kills a process leaves both alike.
 */
export const databaseDirectory = (): string => (isInMemory() && isRoomy() ? IN_MEMORY : tmpdir());

/** Copies of the server's binaries may come to lie there, too, and have to run; in containers they often may not. */
const isInMemory = (): boolean => {
  if (!existsSync('/proc/mounts')) return false;
  const [, options] = /^\S+ \/dev\/shm tmpfs (\S+)/m.exec(readFileSync('/proc/mounts', 'utf8')) ?? [];
  return options !== undefined && !options.split(',').includes('noexec');
};

const isRoomy = (): boolean => {
  const { bavail, bsize } = statfsSync(IN_MEMORY);
  return Math.min(bavail * bsize, process.availableMemory()) >= ROOM_BYTES;
};
