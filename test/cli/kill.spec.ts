import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestModels } from '#src/audit/replay-models.ts';
import { runCommand } from '#src/cli/run.ts';
import { migrate } from '#src/eventstore/migrate.ts';
import { listProjections } from '#src/projections/maintenance.ts';
import { openOwner } from '#src/projections/owner.ts';
import { openTestLog, type TestLog } from '#test/support/builders.ts';
import { startCommand } from '#test/support/command.ts';
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import { fillLog } from '../audit/support.ts';
import { startRunners } from '../projections/support.ts';

/** What is stopped in its midst waits for this lock, which the test holds. */
const LOCK = 42;

let directory: string;
let database: TestDatabase;
let log: TestLog;
let owner: Client;
let env: Record<string, string>;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'posthorn-kill-'));
  database = await createTestDatabase();
  env = {
    DATABASE_URL: database.url,
    POSTHORN_DATA_DIR: directory,
    POSTHORN_MASTER_KEY: randomUUID(),
    POSTHORN_BISCUIT_PRIVATE_KEYS: `one:${randomBytes(32).toString('hex')}`,
    POSTHORN_ENCRYPTION_KEYS: `one:${randomBytes(32).toString('base64')}`,
  };
  log = await openTestLog(database.url);
  const runners = await startRunners(log);
  await fillLog(log, 20);
  await eventually(async () =>
    expect((await listProjections(log.pool)).filter(({ lag }) => lag > 0)).toStrictEqual([]),
  );
  await runners.stop();
  owner = await openOwner(database.url, 'test');
});
afterAll(async () => {
  await owner.end();
  await log.stop();
  await database.drop();
  await rm(directory, { recursive: true, force: true });
});

const run = async (words: readonly string[]) => {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCommand(words, {
    env,
    version: '1.2.3',
    out: (text) => out.push(text),
    err: (text) => err.push(text),
    isTerminal: false,
  });
  return { code, out: out.join('\n'), err: err.join('') };
};

/** Makes the statement that moves a log partition wait, in that database, until the lock is given back. */
const holdUp = async (client: Client, table: string, condition: string): Promise<{ release: () => Promise<void> }> => {
  await client.query(`
    SELECT pg_advisory_lock(${LOCK});
    CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_advisory_xact_lock(${LOCK}); RETURN NEW; END $$;
    CREATE TRIGGER hold_up BEFORE UPDATE ON ${table} FOR EACH ROW WHEN (${condition}) EXECUTE FUNCTION hold_up()`);
  await eventually(async () => expect(await waiting(client)).toBe(0));
  return {
    release: async () => {
      await client.query(`SELECT pg_advisory_unlock(${LOCK})`);
      // The killed process's session ends only now, and with it what it had begun.
      await eventually(async () => {
        const { rows } = await client.query(
          `SELECT application_name FROM pg_stat_activity
           WHERE datname = current_database() AND application_name ~ '^posthorn (audit replay|rebuild)'`,
        );
        expect(rows).toStrictEqual([]);
      });
      await client.query(`DROP FUNCTION hold_up() CASCADE`);
    },
  };
};
const waiting = async (client: Client): Promise<number | null> =>
  (
    await client.query(
      `SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = ${LOCK} AND NOT granted
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    )
  ).rowCount;
const sum = async (client: Client, sql: string): Promise<number> =>
  (await client.query<{ sum: number }>(`SELECT coalesce(sum(position), 0)::int AS sum FROM ${sql}`)).rows[0]?.sum ?? 0;

describe('a process killed in the midst (kill -9)', () => {
  it('of a rebuild leaves what the next one goes on with', async () => {
    const [last] = (await owner.query('SELECT max(partition_no) AS n FROM log_head WHERE position > 0')).rows;
    const gate = await holdUp(
      owner,
      'processor_checkpoint',
      `NEW.processor LIKE '%#rebuild' AND NEW.partition_no = ${last.n}`,
    );
    const { kill } = startCommand(['projections', 'rebuild', 'delivery'], env);
    await eventually(async () => expect(await waiting(owner)).toBe(1));
    await kill();
    expect(await sum(owner, `processor_checkpoint WHERE processor LIKE 'delivery@%#rebuild'`)).toBeGreaterThan(0);
    await gate.release();
    const { code, out } = await run(['projections', 'rebuild', 'delivery', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ is_resumed: true, was_equal: true });
    expect((await run(['projections', 'check', 'delivery'])).code).toBe(0);
  });

  it.each([
    ['the log', 'log_head', 'NEW.position > 0'],
    ['the read models', 'processor_checkpoint', 'NEW.position > 0'],
  ])('of replaying %s is taken up by the same command', async (_phase, table, condition) => {
    const path = join(directory, `${randomUUID()}.ndjson`);
    expect((await run(['audit', 'export', '--output', path])).code).toBe(0);
    const target = await createEmptyDatabase();
    const client = await openOwner(target.url, 'test');
    await migrate({ url: target.url });
    const [last] = (await owner.query('SELECT max(partition_no) AS n FROM log_head WHERE position > 0')).rows;
    const gate = await holdUp(client, table, `${condition} AND NEW.partition_no = ${last.n}`);
    const words = ['audit', 'replay', path, '--database', target.url, '--json'];
    const { kill } = startCommand(words, {});
    await eventually(async () => expect(await waiting(client)).toBe(1));
    await kill();
    expect(await sum(client, table)).toBeGreaterThan(0);
    await gate.release();
    const { code, out } = await run(words);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ is_resumed: true, digests: await digestModels(owner) });
    await client.end();
    await target.drop();
  });

  it('of an export leaves the beginning of its file, which --resume makes whole to the same bytes', async () => {
    const path = join(directory, 'cut.ndjson');
    expect((await run(['audit', 'export', '--output', path])).code).toBe(0);
    const whole = await readFile(path);
    expect((await run(['audit', 'export', '--output', path])).err).toContain('exists already; --resume goes on');
    for (const bytes of [Math.floor(whole.length / 2), whole.length - 1, whole.length]) {
      await truncate(path, bytes);
      const { code, out } = await run(['audit', 'export', '--output', path, '--resume', '--json']);
      expect(code).toBe(0);
      const { rowCount: events } = await owner.query('SELECT FROM domain_event');
      expect(JSON.parse(out)).toMatchObject({ events });
      expect(await readFile(path)).toStrictEqual(whole);
    }
    await truncate(path, 100);
    expect(await run(['audit', 'export', '--output', path, '--resume'])).toMatchObject({ code: 0 });
    expect(await run(['audit', 'verify', '--export', path])).toMatchObject({ code: 0 });
    const other = ['--resume', '--until', '2001-01-01T00:00:00Z'];
    expect((await run(['audit', 'export', '--output', path, ...other])).err).toContain('begun with another range');
  });
});

it('an export on standard output is that of a file, and a reader that goes away ends it in one sentence', async () => {
  const read = async (stop: boolean): Promise<{ out: string; err: string }> => {
    const { child } = startCommand(['audit', 'export'], env);
    const text = { out: '', err: '' };
    child.stdout?.on('data', (chunk) => {
      text.out += String(chunk);
    });
    child.stderr?.on('data', (chunk) => {
      text.err += String(chunk);
    });
    if (stop) child.stdout?.destroy();
    await new Promise((resolve) => child.once('close', resolve));
    return text;
  };
  const path = join(directory, 'from-stdout.ndjson');
  const { out, err } = await read(false);
  await writeFile(path, out);
  expect(err).toMatch(/^Exported \d+ domain events and 0 signed checkpoints\.\n$/);
  expect((await run(['audit', 'verify', '--export', path])).code).toBe(0);
  expect((await read(true)).err).toMatch(/^posthorn: .*EPIPE.*\n$/);
});
