import { randomUUID } from 'node:crypto';
import { Pool } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCommandHandler } from '#src/eventstore/command-handler.ts';
import { partitionOf } from '#src/eventstore/partition.ts';
import { verifyLog } from '#src/eventstore/verify.ts';
import { allProjections } from '#src/projections/index.ts';
import { checkProjection, rebuildProjection } from '#src/projections/maintenance.ts';
import { applyRetention, type RetentionDeps } from '#src/retention/apply.ts';
import { cleaners } from '#src/retention/cleaners.ts';
import { daysBefore } from '#src/retention/days.ts';
import { alone } from '#src/retention/lock.ts';
import { planRetention } from '#src/retention/plan.ts';
import { createRetentionPool } from '#src/retention/pool.ts';
import { deleteSome, type Table } from '#src/retention/tables.ts';
import {
  applicationCreated,
  applicationDeleted,
  applicationSecretCreated,
  deliveredEvent,
  idOf,
  openTestLog,
  organizationCreated,
  organizationId,
  applicationId as patient,
  settings,
  subscriptionCreated,
  subscriptionReplaced,
  subscriptionSecretRotated,
  type TestLog,
} from '#test/support/builders.ts';
import { createTestDatabase, type TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import { startRunners } from '../projections/support.ts';

/** One keeps its payloads for 90 days, the other for 7. */
const hasty = idOf('hasty application');
const today = new Date().toISOString().slice(0, 10);
const ago = (days: number): string => daysBefore(today, days);

let database: TestDatabase;
let log: TestLog;
let owner: Pool;
let pool: Pool;
beforeEach(async () => {
  database = await createTestDatabase();
  log = await openTestLog(database.url);
  owner = new Pool({ connectionString: database.url, max: 2 });
  owner.on('error', () => undefined);
  owner.on('connect', (client) => client.on('error', () => undefined));
  pool = createRetentionPool(database.url);
  await log.append(organizationCreated());
  await log.append(applicationCreated());
  await log.append(applicationCreated({ applicationId: hasty }));
  for (const [first, days] of [
    [100, 2],
    [91, 2],
    [50, 1],
    [20, 1],
    [8, 9],
  ] as const)
    await owner.query('SELECT posthorn_make_days($1::date, $2)', [ago(first), days]);
});
afterEach(async () => {
  await Promise.all([pool.end(), owner.end(), log.stop()]);
  await database.drop();
});

const deps = (given: Partial<RetentionDeps> = {}): RetentionDeps => ({
  pool,
  handle: createCommandHandler(log),
  retentionDaysOf: async (id) => (id === hasty ? 7 : 90),
  cleaners,
  signal: new AbortController().signal,
  ...given,
});
const apply = (given?: Partial<RetentionDeps>) => applyRetention(deps(given));
const plan = () => planRetention({ ...deps(), db: pool });

const KEYS = { payload: 'event_id', response: 'attempt_id' } as const;
/** A row of so many days ago; answers its key. */
const add = async (table: Table, days: number, applicationId = patient, id: string = randomUUID()): Promise<string> => {
  const headers = table === 'response' ? ['headers,', "'{}',"] : ['', ''];
  await owner.query(
    `INSERT INTO ${table} (day, partition_no, application_id, ${KEYS[table]}, ${headers[0]} body)
     VALUES ($1, $2, $3, $4, ${headers[1]} 'body')`,
    [ago(days), partitionOf(applicationId, log.partitions), applicationId, id],
  );
  return id;
};
/** A delivery that waits for the payload of an event. */
const wait = (eventId: string, days: number, applicationId = patient) =>
  owner.query(
    `INSERT INTO pending_delivery (due_at, received_at, configuration_position, attempt_number, retry_count, stream_version,
       partition_no, delivery_id, subscription_id, application_id, organization_id, event_id, attempt_id, event_type, content_type)
     VALUES (now(), $1::date + time '23:59:59', 0, 2, 1, 1, 0, gen_random_uuid(), gen_random_uuid(), $2, $3, $4,
             gen_random_uuid(), 'a.b', 'text/plain')`,
    [ago(days), applicationId, organizationId, eventId],
  );
const idsIn = async (table: Table): Promise<string[]> =>
  (await owner.query<{ id: string }>(`SELECT ${KEYS[table]} AS id FROM ${table} ORDER BY 1`)).rows.map(({ id }) => id);
const sealed = async (): Promise<number> => (await owner.query('SELECT FROM sealed_value')).rowCount ?? 0;
const appliedEvents = async () => {
  const { rows } = await owner.query(
    `SELECT data, metadata FROM domain_event WHERE type = 'RetentionApplied' ORDER BY position`,
  );
  return rows.map(({ data }) => data);
};
const hasDay = async (table: Table, days: number): Promise<boolean> => {
  const name = `${table}_${ago(days).replaceAll('-', '')}`;
  return (await owner.query('SELECT to_regclass($1) IS NOT NULL AS there', [name])).rows[0].there;
};

describe('what is over', () => {
  it('is dropped by whole days, and the log tells it', async () => {
    for (const table of ['payload', 'response'] as const) {
      await add(table, 100);
      await add(table, 100, hasty);
      await add(table, 91);
    }
    const kept = [await add('payload', 90), await add('payload', 0)].sort();
    const planned = await plan();
    expect(await idsIn('payload')).toHaveLength(5);
    expect(planned.drops).toHaveLength(2 * 3);
    expect(planned.drops.reduce((sum, { rows }) => sum + rows, 0)).toBe(6);
    expect(planned.drops.every(({ bytes }) => bytes > 0)).toBe(true);

    const { cleaned, postponed } = await apply();
    expect(postponed).toEqual([]);
    expect(cleaned).toMatchObject({ counts: { payload: 3, response: 3 } });
    expect(cleaned?.droppedDays.payload).toHaveLength(3);
    expect(cleaned?.droppedDays.response.at(-1)).toBe(ago(91));
    expect(await idsIn('payload')).toEqual(kept);
    expect([await hasDay('payload', 91), await hasDay('payload', 90), await hasDay('response', 91)]).toEqual([
      false,
      true,
      false,
    ]);
    expect(await appliedEvents()).toMatchObject([cleaned]);

    expect(await apply()).toEqual({ cleaned: undefined, postponed: [] });
    expect(await appliedEvents()).toHaveLength(1);
  });

  it('is deleted by its key where others keep the day for longer', async () => {
    const kept = [await add('payload', 8), await add('payload', 7, hasty), await add('payload', 0, hasty)].sort();
    for (let row = 0; row < 3; row += 1) await add('payload', 8, hasty);
    await add('response', 50, hasty);
    expect((await plan()).deletions).toEqual([
      { table: 'payload', day: ago(8), applications: 1, rows: 3, bytes: 12 },
      { table: 'response', day: ago(50), applications: 1, rows: 1, bytes: 4 },
    ]);
    expect(await apply()).toMatchObject({ cleaned: { counts: { payload: 3, response: 1 } } });
    expect(await idsIn('payload')).toEqual(kept);
    expect(await idsIn('response')).toEqual([]);
    expect((await plan()).deletions).toEqual([]);
  });

  it('goes in as many statements as it takes', async () => {
    await owner.query(
      `INSERT INTO payload (day, partition_no, application_id, event_id, body)
       SELECT $1, $2, $3, gen_random_uuid(), 'body' FROM generate_series(1, 4500)`,
      [ago(20), partitionOf(hasty, log.partitions), hasty],
    );
    expect(await apply()).toMatchObject({ cleaned: { counts: { payload: 4500 } } });
  });

  it('is kept while a delivery waits for it, and only then', async () => {
    const waited = [await add('payload', 100), await add('payload', 20, hasty)].sort();
    await add('payload', 20, hasty);
    await add('payload', 99);
    await wait(waited[0] as string, 100);
    await wait(waited[1] as string, 100);
    await wait(waited[0] as string, 20, hasty);
    await wait(waited[1] as string, 20, hasty);
    expect((await plan()).held).toMatchObject([{ table: 'payload', day: ago(100), rows: 1 }]);
    await apply();
    expect(await idsIn('payload')).toEqual(waited);
    // Whatever was planned: the function looks for itself.
    expect((await pool.query('SELECT posthorn_drop_day($1, $2) AS dropped', ['payload', ago(100)])).rows).toEqual([
      { dropped: false },
    ]);

    await owner.query('DELETE FROM pending_delivery');
    await apply();
    expect(await idsIn('payload')).toEqual([]);
  });

  it('may have come when its day had no table', async () => {
    await add('payload', 200);
    await add('payload', 200, idOf('never heard of'));
    await add('response', 200, hasty);
    const kept = await add('payload', -60);
    expect(await apply()).toMatchObject({ cleaned: { counts: { payload: 2, response: 1 } } });
    expect(await idsIn('payload')).toEqual([kept]);
    expect(await idsIn('response')).toEqual([]);
  });

  it('of a deleted application is everything, 30 days later', async () => {
    const [gone, recent] = [idOf('gone'), idOf('recently deleted')];
    const at = (days: number): string => `${ago(days)}T00:00:00.000Z`;
    const ids = (name: string) => ['secret', 'first', 'second', 'headers', 'token'].map((of) => idOf(`${name} ${of}`));
    for (const [applicationId, days] of [
      [gone, 40],
      [recent, 20],
    ] as const) {
      const [, first, second, headers, token] = ids(applicationId) as [string, string, string, string, string];
      const own = { applicationId, subscriptionId: idOf(`subscription of ${applicationId}`) };
      const target = { ...settings().target, sealedHeadersId: headers };
      await log.append(applicationCreated({ applicationId }));
      await log.append(
        applicationSecretCreated({ applicationId, secretId: token, tokenSha256: applicationId.replaceAll('-', '') }),
      );
      await log.append(subscriptionCreated({ ...own, secretId: first, settings: settings({ target }) }));
      await log.append(subscriptionSecretRotated({ ...own, secretId: second, previousSecretId: first }));
      await log.append(subscriptionReplaced({ ...own, settings: settings() }));
      await log.append(applicationDeleted({ applicationId, deletedAt: at(days) }));
      for (const id of [first, second, headers, token])
        await owner.query('INSERT INTO sealed_value (sealed_id, organization_id, ciphertext) VALUES ($1, $2, $3)', [
          id,
          organizationId,
          '\\x00',
        ]);
    }
    const kept = [await add('payload', 1, recent), await add('payload', 1)].sort();
    await add('payload', 1, gone);
    expect((await plan()).cleaners).toMatchObject({ 'secrets of deleted applications': { sealed_value: 4 } });
    expect(await sealed()).toBe(8);
    expect(await apply()).toMatchObject({ cleaned: { counts: { payload: 1, sealed_value: 4 } } });
    expect(await sealed()).toBe(4);
    expect(await idsIn('payload')).toEqual(kept);
  });

  it('is never a part of the log or of what follows from it', async () => {
    const runners = await startRunners(log);
    await log.append(...deliveredEvent('one'), ...deliveredEvent('two'));
    await add('payload', 100);
    await apply();
    await eventually(() => expect(runners.lag()).toBe(0));
    await runners.stop();
    expect(await verifyLog(owner)).toMatchObject({ faults: [] });
    for (const { name } of allProjections)
      expect(await checkProjection({ ownerUrl: database.url, name }), name).toMatchObject({ isEqual: true });
    expect(await rebuildProjection({ ownerUrl: database.url, name: 'event' })).toMatchObject({ wasEqual: true });
  });
});

describe('cleaning', () => {
  it('is recorded by the next run when a process was killed before it could', async () => {
    await add('payload', 20, hasty);
    const partition = partitionOf(hasty, log.partitions);
    expect(await deleteSome(pool, { table: 'payload', day: ago(20), partition, applicationId: hasty }, [])).toBe(1);
    expect(await apply()).toMatchObject({ cleaned: { counts: { payload: 1 } } });
    expect(await appliedEvents()).toHaveLength(1);
  });

  it('tells what it had done when something fails', async () => {
    await add('payload', 100);
    const broken = { name: 'broken', plan: async () => ({}), apply: () => Promise.reject(new Error('broken')) };
    await expect(apply({ cleaners: [broken] })).rejects.toThrow('broken');
    expect(await appliedEvents()).toMatchObject([{ counts: { payload: 1 } }]);
  });

  it('calls a cleaner until nothing is left, each turn a transaction', async () => {
    let left = 5;
    const turns = {
      name: 'turns',
      plan: async () => ({ expired: left }),
      apply: async () => {
        const now = Math.min(2, left);
        left -= now;
        return { expired: now };
      },
    };
    expect(await apply({ cleaners: [turns] })).toMatchObject({ cleaned: { counts: { expired: 5 } } });
  });

  it('leaves a day that is locked to the next run, and lets ingest through', async () => {
    await add('payload', 100);
    const holder = await owner.connect();
    await holder.query('BEGIN');
    await holder.query('LOCK TABLE payload IN ACCESS SHARE MODE');
    const stopping = new AbortController();
    const running = apply({ signal: stopping.signal });
    running.catch(() => undefined);
    await eventually(async () => {
      const waiting = `SELECT FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
      expect((await owner.query(waiting)).rowCount).toBe(1);
    });
    stopping.abort();
    expect((await running).postponed).toMatchObject([{ table: 'payload', day: ago(100) }]);
    await holder.query('COMMIT');
    holder.release();
    expect(await hasDay('payload', 100)).toBe(true);
  });

  it('goes on in one process at a time', async () => {
    const second = await alone(database.url, () => alone(database.url, async () => 'second'));
    expect(second).toBeUndefined();
    expect(await alone(database.url, async () => 'again')).toBe('again');
  });
});

it('gives the processes no other way to drop or delete', async () => {
  const day = ago(100);
  await expect(pool.query('SELECT posthorn_drop_day($1, $2)', ['payload', ago(1)])).rejects.toThrow('too young');
  await expect(pool.query('SELECT posthorn_drop_day($1, $2)', ['domain_event', day])).rejects.toThrow('no days of');
  await expect(pool.query(`DROP TABLE payload_${day.replaceAll('-', '')}`)).rejects.toThrow('must be owner');
  await expect(pool.query('DELETE FROM domain_event')).rejects.toThrow('permission denied');
});
