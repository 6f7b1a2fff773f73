import type { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { projectConfiguration } from '#src/projections/configuration/projections.ts';
import { listEvents } from '#src/projections/event/queries.ts';
import { allProjections, asyncProjections } from '#src/projections/index.ts';
import { checkProjection, listProjections, rebuildProjection } from '#src/projections/maintenance.ts';
import {
  applicationCreated,
  applicationId,
  applicationRenamed,
  attemptFailed,
  attemptScheduled,
  deliveredEvent,
  deliveryDeadLettered,
  eventOf,
  eventTypeCreated,
  type Fact,
  idOf,
  metadata,
  openTestLog,
  organizationCreated,
  subscriptionCreated,
  subscriptionReplaced,
  type TestLog,
} from '#test/support/builders.ts';
import { createTestDatabase, type TestDatabase } from '#test/support/database.ts';
import { eventually } from '../support/eventually.ts';
import { openClient, startRunners } from './support.ts';

let database: TestDatabase;
let log: TestLog;
let owner: Client;
let runners: Awaited<ReturnType<typeof startRunners>>;
beforeEach(async () => {
  database = await createTestDatabase();
  log = await openTestLog(database.url);
  owner = await openClient(database.url);
  runners = await startRunners(log);
});
afterEach(async () => {
  await runners.stop();
  await owner.end();
  await log.stop();
  await database.drop();
});

const options = (name: string) => ({ ownerUrl: database.url, name });
const caughtUp = () =>
  eventually(
    async () => {
      for (const { name, lag } of await listProjections(log.pool))
        expect({ name, lag }).toStrictEqual({ name, lag: 0 });
    },
    { timeout: 10_000, interval: 20 },
  );
const deadLetter = (name: string): Fact[] => {
  const { delivery, attempt } = eventOf(name, { subscription: idOf(`subscription of ${name}`) });
  return [attemptScheduled(attempt(1)), attemptFailed(attempt(1)), deliveryDeadLettered(delivery)];
};
const fill = async (count: number, prefix = ''): Promise<void> => {
  await Promise.all(
    Array.from({ length: count }, (_, index) =>
      log.append(...(index % 10 === 0 ? deadLetter(`${prefix}${index}`) : deliveredEvent(`${prefix}${index}`))),
    ),
  );
};
const fillConfiguration = async (): Promise<void> => {
  await log.append(organizationCreated());
  await log.append(applicationCreated());
  await log.append(eventTypeCreated());
  await log.append(subscriptionCreated());
  await log.append(subscriptionReplaced());
};

describe('checking a projection', () => {
  it('finds each equal to what the log says', async () => {
    await fillConfiguration();
    await fill(60);
    await caughtUp();
    for (const { name } of allProjections)
      expect(await checkProjection(options(name)), name).toMatchObject({ isEqual: true });
    expect(await checkProjection(options('dead_letter'))).toMatchObject({
      rebuilt: [{ table: 'dead_letter', rows: 6 }],
    });
  });

  it.each([
    ['request_attempt', `UPDATE request_attempt SET http_status = 201 WHERE attempt_number = 1 AND http_status = 200`],
    ['event', `DELETE FROM event WHERE position = (SELECT min(position) FROM event)`],
    [
      'delivery',
      `UPDATE delivery SET application_id = organization_id, organization_id = application_id WHERE reason IS NULL`,
    ],
    ['application', `UPDATE application SET name = 'Shop '`],
  ])('notices a row of %s changed by hand', async (name, sql) => {
    await fillConfiguration();
    await fill(5);
    await caughtUp();
    await owner.query(sql);
    expect(await checkProjection(options(name))).toMatchObject({ isEqual: false });
  });

  it('knows only what there is', async () => {
    await expect(checkProjection(options('nothing'))).rejects.toThrow(
      'There is no projection nothing; there are organization,',
    );
  });
});

describe('rebuilding a projection', () => {
  /** Appends until told to stop. */
  const appendMeanwhile = async (
    append: (round: number) => Promise<unknown>,
    work: () => Promise<void>,
  ): Promise<number> => {
    let isOver = false;
    let round = 0;
    const appending = (async () => {
      for (; !isOver; round += 1) await append(round);
    })();
    try {
      await work();
    } finally {
      isOver = true;
      await appending;
    }
    return round;
  };
  const indexes = async () =>
    (await owner.query(`SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1`)).rows;
  /** Sessions of that purpose which wait for a lock. */
  const waiting = async (purpose: string): Promise<number | null> => {
    const sql = `SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = $1 AND wait_event_type = 'Lock'`;
    return (await owner.query(sql, [`posthorn ${purpose}`])).rowCount;
  };
  const leftovers = async () => {
    const schemas = await owner.query(`SELECT nspname FROM pg_namespace WHERE nspname LIKE 'rebuild%'`);
    const positions = await owner.query(`SELECT processor FROM processor_checkpoint WHERE processor LIKE '%#rebuild'`);
    return [...schemas.rows, ...positions.rows];
  };

  it('swaps each while events come in and lists are read', async () => {
    await fill(200);
    await caughtUp();
    const before = await indexes();
    let read = 0;
    const rounds = await appendMeanwhile(
      async (round) => {
        await fill(10, `round ${round}:`);
        const { rows } = await listEvents(log.pool, applicationId, { limit: 100 });
        expect(rows).toHaveLength(100);
        read += 1;
      },
      async () => {
        for (const { name } of asyncProjections)
          expect(await rebuildProjection(options(name)), name).toMatchObject({ wasEqual: true, isResumed: false });
      },
    );
    expect(read).toBe(rounds);
    await fill(10, 'afterwards');
    await caughtUp();
    for (const { name } of asyncProjections)
      expect(await checkProjection(options(name)), name).toMatchObject({ isEqual: true });
    expect(await indexes()).toStrictEqual(before);
    expect(await leftovers()).toStrictEqual([]);
    expect(runners.errors).toStrictEqual([]);
    expect(await listProjections(log.pool)).not.toContainEqual(expect.objectContaining({ error: expect.any(String) }));
  });

  it('keeps the options and grants of the table', async () => {
    const about = `SELECT c.relacl::text, c.reloptions, c.relname FROM pg_class AS c
      WHERE c.oid IN ('request_attempt'::regclass, 'subscription'::regclass) ORDER BY c.relname`;
    const before = (await owner.query(about)).rows;
    await rebuildProjection(options('request_attempt'));
    await rebuildProjection(options('subscription'));
    expect((await owner.query(about)).rows).toStrictEqual(before);
  });

  it('works for those that are written with the append', async () => {
    await fillConfiguration();
    await appendMeanwhile(
      (round) => log.append(applicationRenamed({ name: `Shop ${round}` })),
      async () => {
        expect(await rebuildProjection(options('application'))).toMatchObject({ wasEqual: true });
        expect(await rebuildProjection(options('subscription'))).toMatchObject({ wasEqual: true });
      },
    );
    expect(await checkProjection(options('application'))).toMatchObject({ isEqual: true });
    expect(await leftovers()).toStrictEqual([]);
  });

  it('loses no append that is under way', async () => {
    await fillConfiguration();
    const gate = Promise.withResolvers<void>();
    const streamId = `organization:${idOf('late')}`;
    const late = {
      streamId,
      partition: 1,
      expectedVersion: 'new' as const,
      events: [organizationCreated({ organizationId: idOf('late') })],
    };
    const appending = log.log.append({
      streams: [late],
      metadata,
      project: async (events, run) => {
        await projectConfiguration(events, run);
        await gate.promise;
      },
    });
    const rebuilding = rebuildProjection(options('organization'));
    await eventually(async () => expect(await waiting('rebuild organization')).toBe(1), {
      timeout: 10_000,
      interval: 10,
    });
    gate.resolve();
    expect(await appending).toMatchObject({ kind: 'appended' });
    await rebuilding;
    expect(await checkProjection(options('organization'))).toMatchObject({ isEqual: true, live: [{ rows: 2 }] });
  });

  it('says when the old one was wrong, and mends it', async () => {
    await fill(20);
    await caughtUp();
    await owner.query(`UPDATE delivery SET status = 'cancelled'`);
    expect(await rebuildProjection(options('delivery'))).toMatchObject({ wasEqual: false });
    expect(await checkProjection(options('delivery'))).toMatchObject({ isEqual: true });
  });

  it('goes on where it was aborted, and where it was killed', async () => {
    await fill(60);
    await caughtUp();
    const abort = new AbortController();
    const { signal } = abort;
    const interrupted = rebuildProjection({ ...options('delivery'), signal, onProgress: () => abort.abort() });
    await expect(interrupted).rejects.toThrow('abort');
    const positions = async () =>
      (
        await owner.query(
          `SELECT sum(position)::int AS done FROM processor_checkpoint WHERE processor = 'delivery@2#rebuild'`,
        )
      ).rows[0].done;
    const aborted = await positions();
    expect(aborted).toBeGreaterThan(0);

    const kill = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'posthorn rebuild delivery' AND datname = current_database()`;
    const onProgress = async (): Promise<void> => {
      await owner.query(kill);
    };
    await expect(rebuildProjection({ ...options('delivery'), onProgress })).rejects.toThrow();
    expect(await positions()).toBeGreaterThanOrEqual(aborted);

    expect(await rebuildProjection(options('delivery'))).toMatchObject({ wasEqual: true, isResumed: true });
    expect(await checkProjection(options('delivery'))).toMatchObject({ isEqual: true });
    expect(await leftovers()).toStrictEqual([]);
  });

  it('does not go on with a copy of a table that was changed since, nor when told to start over', async () => {
    await fill(60);
    await caughtUp();
    const interrupt = async (): Promise<void> => {
      const abort = new AbortController();
      const { signal } = abort;
      await expect(
        rebuildProjection({ ...options('delivery'), signal, onProgress: () => abort.abort() }),
      ).rejects.toThrow();
    };
    await interrupt();
    expect(await rebuildProjection({ ...options('delivery'), startOver: true })).toMatchObject({
      wasEqual: true,
      isResumed: false,
    });
    await interrupt();
    await owner.query('ALTER TABLE delivery ADD COLUMN extra integer');
    expect(await rebuildProjection(options('delivery'))).toMatchObject({ wasEqual: true, isResumed: false });
  });

  it('waits for a long query without holding up the others, and for nobody else that rebuilds the same', async () => {
    await fill(10);
    await caughtUp();
    const reader = await openClient(database.url);
    await reader.query('BEGIN');
    await reader.query('SELECT count(*) FROM event');
    const rebuilding = rebuildProjection(options('event'));
    await eventually(async () => expect(await waiting('rebuild event')).toBe(1), { timeout: 10_000, interval: 10 });
    await expect(rebuildProjection(options('event'))).rejects.toThrow('being rebuilt by somebody else');
    expect((await listEvents(log.pool, applicationId, { limit: 100 })).rows).toHaveLength(9);
    await reader.query('COMMIT');
    await reader.end();
    expect(await rebuilding).toMatchObject({ wasEqual: true });
  });
});
