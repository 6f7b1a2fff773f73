import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { identifyProcess } from '#src/embedded-postgres/processes.ts';
import {
  type EmbeddedPostgres,
  findRunningEmbeddedPostgres,
  startEmbeddedPostgres,
} from '#src/embedded-postgres/start.ts';
import { family, query, spawnServer } from './server-process.ts';

let root: string;
let dataDir: string;
const start = (log: (line: string) => void = () => {}): Promise<EmbeddedPostgres> =>
  startEmbeddedPostgres({ dataDir, log, sharedDirectory: join(root, 'shared') });

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'posthorn-embedded-'));
  chmodSync(root, 0o755);
  dataDir = join(root, 'data');
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('an embedded Postgres', () => {
  it('keeps its data over a stop and a start, and starts quickly', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE word AS SELECT 42 AS id');
    const { postmaster } = family(dataDir);
    await first.stop();
    expect(identifyProcess(postmaster)).toBeUndefined();

    const times: number[] = [];
    for (let round = 0; round < 3; round++) {
      const began = performance.now();
      const next = await start();
      expect(await query(next.url, 'SELECT id FROM word')).toStrictEqual([[42]]);
      times.push(performance.now() - began);
      await next.stop();
    }
    expect(Math.min(...times)).toBeLessThan(1_000);
  });

  it('is durable, and reachable from this machine with a password only', async () => {
    const { url, stop } = await start();
    const setting = async (name: string) => (await query(url, `SHOW ${name}`))[0]?.[0];
    for (const name of ['fsync', 'synchronous_commit', 'full_page_writes']) expect(await setting(name)).toBe('on');
    expect(await setting('listen_addresses')).toBe('127.0.0.1');
    expect(await setting('unix_socket_directories')).toBe('');
    expect(await setting('server_encoding')).toBe('UTF8');
    const locale = "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'posthorn'";
    expect(await query(url, locale)).toStrictEqual([['b', 'C.UTF-8']]);
    const wrong = new URL(url);
    wrong.password = 'guess';
    await expect(query(wrong.href, 'SELECT 1')).rejects.toThrow('password authentication failed');
    await stop();
  });

  it('says where it runs while it runs, to nobody else', async () => {
    expect(await findRunningEmbeddedPostgres(dataDir)).toBeUndefined();
    const { url, stop } = await start();
    expect(await findRunningEmbeddedPostgres(dataDir)).toBe(url);
    for (const name of ['database-url', 'postgres-password', 'postgres.lock']) {
      expect(statSync(join(dataDir, name)).mode & 0o777).toBe(0o600);
    }
    expect(readFileSync(join(dataDir, 'database-url'), 'utf8')).toBe(`${url}\n`);
    await stop();
    expect(existsSync(join(dataDir, 'database-url'))).toBe(false);
    expect(await findRunningEmbeddedPostgres(dataDir)).toBeUndefined();
  });

  it('logs that a statement failed, and nothing of what was in it or in the row', async () => {
    const lines: string[] = [];
    const { url, stop } = await start((line) => lines.push(line));
    await query(url, `CREATE TABLE told (name text CHECK (name = ''), note text)`);
    await expect(query(url, `INSERT INTO told VALUES ('Ada', 'a secret')`)).rejects.toThrow(
      'violates check constraint',
    );
    await stop();
    const said = lines.join('\n');
    expect(said).toContain('violates check constraint');
    expect(said).not.toMatch(/Ada|a secret/);
  });

  it('is refused to a second owner, in this process or another', async () => {
    const { url, stop } = await start();
    const sentence = `is in use by process ${process.pid}: stop that one first, or choose another POSTHORN_DATA_DIR.`;
    await expect(start()).rejects.toThrow(sentence);
    await expect(spawnServer({ dataDir, sharedDirectory: join(root, 'shared') })).rejects.toThrow(sentence);
    expect(await query(url, 'SELECT 1')).toStrictEqual([[1]]);
    await stop();
  });

  it('has exactly one owner when many start together', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 4 }, () => spawnServer({ dataDir, sharedDirectory: join(root, 'shared') })),
    );
    const started = results.filter((result) => result.status === 'fulfilled').map(({ value }) => value);
    expect(started).toHaveLength(1);
    for (const result of results)
      if (result.status === 'rejected') expect(String(result.reason)).toContain('in use by process');
    await started[0]?.kill();
  });

  it('stops once, however often it is asked to', async () => {
    const server = await start();
    await Promise.all([server.stop(), server.stop()]);
    await server.stop();
  });

  it('says what is wrong when the password file is lost', async () => {
    const other = join(root, 'without-password');
    mkdirSync(join(other, 'postgres'), { recursive: true });
    await expect(startEmbeddedPostgres({ dataDir: other, log: () => {} })).rejects.toThrow(
      `its password file ${join(other, 'postgres-password')} is not`,
    );
  });
});
