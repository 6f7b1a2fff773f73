import { existsSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';

const IN_MEMORY = '/dev/shm';
/** Of Linux' <linux/magic.h>. */
const TMPFS_MAGIC = 0x01021994;
/** A whole run was seen to need under 1 GiB. */
const ROOM_BYTES = 3 * 2 ** 30;

/**
 * Where a database of the tests lies: in memory, where there is a place and room for it, or else in the usual temporary
 * directory. Each clone makes some 650 files, which on disk takes ten times as long. A container's 64 MB are no room.
 */
export const databaseDirectory = (): string => {
  if (!existsSync(IN_MEMORY)) return tmpdir();
  const { type, bavail, bsize } = statfsSync(IN_MEMORY);
  const isRoomy = Math.min(bavail * bsize, process.availableMemory()) >= ROOM_BYTES;
  return type === TMPFS_MAGIC && isRoomy ? IN_MEMORY : tmpdir();
};
