import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, Pool } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Cut, WHOLE } from '#src/audit/cut.ts';
import { databaseSource } from '#src/audit/database-source.ts';
import { exportSource } from '#src/audit/export-source.ts';
import { type Replayed, replayLog } from '#src/audit/replay.ts';
import { digestModels } from '#src/audit/replay-models.ts';
import { verifyLog } from '#src/eventstore/verify.ts';
import { digest } from '#src/projections/digest.ts';
import { allProjections } from '#src/projections/index.ts';
import { checkProjection, listProjections } from '#src/projections/maintenance.ts';
import { openOwner } from '#src/projections/owner.ts';
import { makeTemporaryTables } from '#src/projections/tables.ts';
import { openTestLog, type TestLog } from '#test/support/builders.ts';
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import { applyTo, startRunners } from '../projections/support.ts';
import { ALL, exportText, fillLog } from './support.ts';

let directory: string;
let exported: string;
let database: TestDatabase;
let log: TestLog;
let source: Client;
const opened: { drop: () => Promise<void> }[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'posthorn-replay-'));
  database = await createTestDatabase();
  log = await openTestLog(database.url);
  const runners = await startRunners(log);
  await fillLog(log, 30);
  await eventually(async () =>
    expect((await listProjections(log.pool)).filter(({ lag }) => lag > 0)).toStrictEqual([]),
  );
  await runners.stop();
  source = await openOwner(database.url, 'test');
  exported = join(directory, 'log.ndjson');
  await writeFile(exported, await exportText(log));
});
afterEach(async () => {
  for (const { drop } of opened.splice(0)) await drop();
});
afterAll(async () => {
  await source.end();
  await log.stop();
  await database.drop();
  await rm(directory, { recursive: true, force: true });
});

/** An empty database and a session of its owner. */
const target = async (): Promise<{ url: string; owner: Client }> => {
  const empty = await createEmptyDatabase();
  const owner = await openOwner(empty.url, 'test');
  opened.push({
    drop: async () => {
      await owner.end();
      await empty.drop();
    },
  });
  return { url: empty.url, owner };
};
const fromFile = async (url: string, until: Cut = WHOLE, path = exported): Promise<Replayed> =>
  replayLog({ source: await exportSource(path), targetUrl: url, until });
const LOG = `
  SELECT partition_no, position, recorded_at::text, digest, schema_version, stream_version, stream_id, type, data::text, metadata::text, block_hash
  FROM domain_event ORDER BY partition_no, position`;
const HEADS = 'SELECT partition_no, position, configuration_position, recorded_at::text, hash FROM log_head ORDER BY 1';
const rowsOf = async (client: Client, sql: string): Promise<unknown[]> =>
  (await client.query({ text: sql, rowMode: 'array' })).rows;

describe('a replayed log', () => {
  it('is the same log, with the same read models, out of a file', async () => {
    const { url, owner } = await target();
    const { digests, isResumed, events } = await fromFile(url);
    expect(isResumed).toBe(false);
    const original = await rowsOf(source, LOG);
    expect(events).toBe(original.length);
    expect(await rowsOf(owner, LOG)).toStrictEqual(original);
    expect(await rowsOf(owner, HEADS)).toStrictEqual(await rowsOf(source, HEADS));
    expect(digests).toStrictEqual(await digestModels(source));
    // Every projection has had something to do, or its equal digest would say nothing.
    expect(digests.filter(({ rows }) => rows === 0)).toStrictEqual([]);
    expect(new Set(digests.map(({ projection }) => projection))).toStrictEqual(
      new Set(allProjections.map(({ name }) => name)),
    );
    for (const { name } of allProjections)
      expect(await checkProjection({ ownerUrl: url, name }), name).toMatchObject({ isEqual: true });
    expect(await verifyLog(log.pool)).toStrictEqual(await verifyLog(owner));
    expect((await listProjections(owner)).filter(({ lag }) => lag > 0)).toStrictEqual([]);
  });

  it('is the same out of a database, which may go on meanwhile', async () => {
    const { url, owner } = await target();
    const pool = new Pool({ connectionString: database.url, max: 1 });
    pool.on('connect', (client) => client.on('error', () => undefined));
    const replayed = await replayLog({ source: await databaseSource(pool), targetUrl: url });
    await pool.end();
    expect(await rowsOf(owner, LOG)).toStrictEqual(await rowsOf(source, LOG));
    expect(replayed.digests).toStrictEqual(await digestModels(source));
  });

  /** Read models built by other code: each projection applied, one domain event at a time, to temporary tables. */
  const independently = async (positions: ReadonlyMap<number, number>) => {
    const client = await openOwner(database.url, 'test');
    try {
      const tables = allProjections.flatMap((projection) => projection.tables);
      const table = await makeTemporaryTables(client, tables);
      for (const [partition, position] of positions) {
        const events = position === 0 ? [] : await log.reader.readPartition(partition, 0, position);
        await applyTo(
          client,
          events.map((event) => [event]),
          allProjections,
          table,
        );
      }
      const digests = [];
      for (const projection of allProjections)
        for (const own of await digest(client, projection, table))
          digests.push({ projection: projection.name, ...own });
      return digests;
    } finally {
      await client.end();
    }
  };

  it('cut at an instant is what a rebuild up to there gives', async () => {
    const [row] = (
      await source.query(
        'SELECT recorded_at FROM domain_event ORDER BY recorded_at OFFSET (SELECT count(*) / 2 FROM domain_event) LIMIT 1',
      )
    ).rows;
    const instant = row.recorded_at.toISOString();
    const { url, owner } = await target();
    const { digests, heads, events } = await fromFile(url, { instant, positions: [] });
    const expected = await source.query('SELECT count(*)::int AS n FROM domain_event WHERE recorded_at <= $1', [
      instant,
    ]);
    expect(events).toBe(expected.rows[0].n);
    const positions = new Map([...heads].map(([partition, { position }]) => [partition, position]));
    expect(digests).toStrictEqual(await independently(positions));
    expect(digests).not.toStrictEqual(await digestModels(source));
    expect((await verifyLog(owner)).faults).toStrictEqual([]);
  });

  it('cut at a position ends with its block, and leaves the other partitions whole', async () => {
    const [block] = (
      await source.query(`
        SELECT partition_no, position::int FROM domain_event AS e
        WHERE block_hash IS NOT NULL AND position > 5 AND EXISTS
          (SELECT FROM domain_event AS b WHERE b.partition_no = e.partition_no AND b.position = e.position - 1 AND b.block_hash IS NULL)
          AND EXISTS (SELECT FROM domain_event AS n WHERE n.partition_no = e.partition_no AND n.position > e.position)
        ORDER BY 1, 2 LIMIT 1`)
    ).rows;
    const { url, owner } = await target();
    const limit = { partition: block.partition_no, position: block.position - 1 };
    const { digests, heads } = await fromFile(url, { instant: null, positions: [limit] });
    expect(heads.get(block.partition_no)?.position).toBe(block.position);
    const others = `${HEADS.replace('ORDER BY', `WHERE partition_no <> ${block.partition_no} ORDER BY`)}`;
    expect(await rowsOf(owner, others)).toStrictEqual(await rowsOf(source, others));
    expect(digests).toStrictEqual(
      await independently(new Map([...heads].map(([partition, { position }]) => [partition, position]))),
    );
  });
});

describe('a replay', () => {
  it('refuses a database that is not empty, and leaves it alone', async () => {
    await expect(fromFile(database.url)).rejects.toThrow('not empty: it holds the log of an instance');
    const { url, owner } = await target();
    await owner.query('CREATE TABLE precious (id integer)');
    await expect(fromFile(url)).rejects.toThrow('not empty: it has tables that are not of Posthorn');
    expect(
      await rowsOf(owner, `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace`),
    ).toStrictEqual([['precious']]);
  });

  it('refuses a part of a log', async () => {
    const path = join(directory, `${randomUUID()}.ndjson`);
    await writeFile(path, await exportText(log, { ...ALL, partitions: [0] }));
    const { url } = await target();
    await expect(fromFile(url, WHOLE, path)).rejects.toThrow('holds a part of the log');
  });

  it('stops at what was changed, naming it, and goes on with the genuine file', async () => {
    const { url } = await target();
    const lines = (await exportText(log)).split('\n');
    const at = lines.findIndex((line) => line.includes('"type":"DeliveryDeadLettered"'));
    const line = lines[at] ?? '';
    const [, partition, position] = /"partition":(\d+),"position":(\d+)/.exec(line) ?? [];
    const path = join(directory, `${randomUUID()}.ndjson`);
    await writeFile(path, lines.with(at, line.replace('retries_exhausted', 'nothing_happened')).join('\n'));
    await expect(fromFile(url, WHOLE, path)).rejects.toThrow(
      `log partition ${partition}: the domain event at position ${position} was changed`,
    );
    const { digests, isResumed } = await fromFile(url);
    expect(isResumed).toBe(true);
    expect(digests).toStrictEqual(await digestModels(source));
  });

  it('that is asked for another end than it was begun with is refused; the same one is done already', async () => {
    const { url } = await target();
    const until: Cut = { instant: '2001-01-01T00:00:00.000Z', positions: [] };
    expect(await fromFile(url, until)).toMatchObject({ events: 0 });
    await expect(fromFile(url)).rejects.toThrow('begun with another --until');
    expect(await fromFile(url, until)).toMatchObject({ events: 0, isResumed: true });
  });

  it('does not go on with another past of the same instance', async () => {
    const { url, owner } = await target();
    await fromFile(url);
    await owner.query(`UPDATE log_head SET hash = sha256('another') WHERE position > 0`);
    await expect(fromFile(url)).rejects.toThrow('this is another log');
  });

  it('of another instance does not go on with it', async () => {
    const { url } = await target();
    await fromFile(url);
    const other = await createTestDatabase();
    const otherLog = await openTestLog(other.url);
    const path = join(directory, `${randomUUID()}.ndjson`);
    await writeFile(path, await exportText(otherLog));
    await otherLog.stop();
    await other.drop();
    await expect(fromFile(url, WHOLE, path)).rejects.toThrow('holds a replay of instance');
  });
});

describe('a database with a replayed log', () => {
  it.each([
    'UPDATE domain_event SET type = type',
    'DELETE FROM domain_event',
    'TRUNCATE domain_event',
    'INSERT INTO domain_event SELECT * FROM domain_event LIMIT 0',
    'UPDATE log_head SET delivery_epoch = 9',
    `INSERT INTO processor_lease (processor, partition_no) VALUES ('delivery', 0)`,
    'DELETE FROM replayed_log',
  ])('lets no process %s', async (statement) => {
    const { url, owner } = await target();
    await fromFile(url, { instant: '2001-01-01T00:00:00.000Z', positions: [] });
    await owner.query('SET ROLE posthorn_app');
    await expect(owner.query(statement)).rejects.toMatchObject({ code: '42501' });
  });

  it('has an empty work list, and no secrets', async () => {
    const { url, owner } = await target();
    await fromFile(url);
    for (const table of ['pending_delivery', 'data_key', 'sealed_value'])
      expect((await owner.query(`SELECT FROM ${table}`)).rowCount, table).toBe(0);
  });
});
