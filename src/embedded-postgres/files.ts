import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/** Whole or not at all, also over a power loss: written beside, synced, renamed, and the directory synced. */
export const writeFileAtomically = (path: string, text: string, mode = 0o600): void => {
  const temporary = `${path}.${process.pid}.tmp`;
  rmSync(temporary, { force: true }); // Left over by a killed process that had our number; its mode would stay.
  writeFileSync(temporary, text, { mode, flush: true });
  renameSync(temporary, path);
  syncDirectory(dirname(path));
};

export const syncDirectory = (path: string): void => {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
};

export const readFileIfAny = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
};
