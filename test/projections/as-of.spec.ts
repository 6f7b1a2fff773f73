import fc from 'fast-check';
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { initialise } from '#src/eventstore/initialise.ts';
import { createLogReader } from '#src/eventstore/read.ts';
import type { RecordedEvent } from '#src/eventstore/types.ts';
import { type Cut, resolveAsOf } from '#src/projections/as-of/cut.ts';
import type { Past } from '#src/projections/as-of/past.ts';
import {
  findSubscriptionAsOf,
  listApplicationsAsOf,
  listEventTypesAsOf,
  listSubscriptionsAsOf,
} from '#src/projections/configuration/as-of.ts';
import {
  findApplications,
  findSubscriptionStates,
  listApplicationsOldestFirst,
  listSubscriptionsOldestFirst,
  subscriptionsOfApplications,
} from '#src/projections/configuration/lists.ts';
import {
  findApplicationsAsOf,
  findSubscriptionStatesAsOf,
  listApplicationsOldestFirstAsOf,
  listSubscriptionsOldestFirstAsOf,
  subscriptionsOfApplicationsAsOf,
} from '#src/projections/configuration/lists-as-of.ts';
import {
  findSubscription,
  listApplications,
  listEventTypes,
  listSubscriptions,
  type SubscriptionRecord,
  type SubscriptionState,
} from '#src/projections/configuration/queries.ts';
import { type Counts, countsAsOf, countsOf } from '#src/projections/counts/queries.ts';
import { listDeadLettersAsOf } from '#src/projections/dead-letter/as-of.ts';
import { listDeadLetters } from '#src/projections/dead-letter/queries.ts';
import { listDeliveriesAsOf } from '#src/projections/delivery/as-of.ts';
import { listDeliveries } from '#src/projections/delivery/queries.ts';
import { TALLY_POSITIONS } from '#src/projections/delivery/tally.ts';
import { listEventsAsOf } from '#src/projections/event/as-of.ts';
import { listEvents } from '#src/projections/event/queries.ts';
import { allProjections, asyncProjections } from '#src/projections/index.ts';
import type { Page, PageRequest } from '#src/projections/page.ts';
import { findRequestAttemptAsOf, listRequestAttemptsAsOf } from '#src/projections/request-attempt/as-of.ts';
import { findRequestAttempt, listRequestAttempts } from '#src/projections/request-attempt/queries.ts';
import { processorName } from '#src/projections/runner.ts';
import {
  applicationCreated,
  applicationDeleted,
  applicationId,
  applicationRenamed,
  eventTypeCreated,
  eventTypeDeactivated,
  eventTypeReactivated,
  type Fact,
  idOf,
  later,
  organizationId,
  recorded,
  settings,
  subscriptionCreated,
  subscriptionDeleted,
  subscriptionDisabled,
  subscriptionEnabled,
  subscriptionReplaced,
  subscriptionSecretRotated,
  T0,
} from '#test/support/builders.ts';
import { createTestDatabase, type TestDatabase } from '#test/support/database.ts';
import { applyTo, openClient } from './support.ts';
import { DELIVERY_ACTIONS, deliveryWalker } from './walker.ts';

const PARTITIONS = 4;
let database: TestDatabase;
let client: Client;
beforeAll(async () => {
  database = await createTestDatabase();
  await initialise({ url: database.url, partitions: PARTITIONS });
  client = await openClient(database.url);
});
afterAll(async () => {
  await client.end();
  await database.drop();
});

const CONFIGURATION_ACTIONS = ['replace', 'switch', 'rotate', 'delete', 'rename', 'event type'] as const;
type Step =
  | { readonly of: 'delivery'; readonly delivery: number; readonly action: (typeof DELIVERY_ACTIONS)[number] }
  | { readonly of: 'configuration'; readonly index: number; readonly action: (typeof CONFIGURATION_ACTIONS)[number] };

/** Changes of one subscription, one event type and the application, as the deciders allow them. */
const configurationWalker = (index: number) => {
  const ids = { subscriptionId: idOf(`subscription ${index}`) };
  const name = `a.b${index}`;
  let [exists, isDeleted, isEnabled, hasType, isActive] = [false, false, true, false, false];
  let secret = 0;
  return (action: (typeof CONFIGURATION_ACTIONS)[number], ms: number): Fact[] => {
    const at = later(ms);
    if (action === 'event type') {
      if (!hasType) {
        [hasType, isActive] = [true, true];
        return [eventTypeCreated({ name, createdAt: at })];
      }
      isActive = !isActive;
      return [
        isActive
          ? eventTypeReactivated({ name, reactivatedAt: at })
          : eventTypeDeactivated({ name, deactivatedAt: at }),
      ];
    }
    if (action === 'rename') return [applicationRenamed({ name: `Shop ${ms}`, renamedAt: at })];
    if (isDeleted) return [];
    if (!exists) {
      exists = true;
      return [subscriptionCreated({ ...ids, createdAt: at })];
    }
    switch (action) {
      case 'replace':
        return [
          subscriptionReplaced({ ...ids, settings: settings({ isEnabled, description: `at ${ms}` }), replacedAt: at }),
        ];
      case 'switch':
        isEnabled = !isEnabled;
        return [
          isEnabled ? subscriptionEnabled({ ...ids, enabledAt: at }) : subscriptionDisabled({ ...ids, disabledAt: at }),
        ];
      case 'rotate':
        secret += 1;
        return [
          subscriptionSecretRotated({
            ...ids,
            secretId: idOf(`secret ${secret}`),
            previousSecretId: idOf(`secret ${secret - 1}`),
            rotatedAt: at,
          }),
        ];
      case 'delete':
        isDeleted = true;
        return [subscriptionDeleted({ ...ids, deletedAt: at })];
    }
  };
};

/** One domain event per millisecond, in the order of the steps. */
const historyOf = (steps: readonly Step[], deletes: boolean): RecordedEvent[] => {
  const deliveries = Array.from({ length: 4 }, (_, index) => deliveryWalker(index));
  const configurations = [0, 1].map(configurationWalker);
  const all: Fact[] = [applicationCreated()];
  for (const step of steps) {
    const ms = all.length;
    all.push(
      ...((step.of === 'delivery'
        ? deliveries[step.delivery]?.(step, ms)
        : configurations[step.index]?.(step.action, ms)) ?? []),
    );
  }
  if (deletes) all.push(applicationDeleted());
  return recorded(all, PARTITIONS).map((event, ms) => ({ ...event, recordedAtMs: Date.parse(T0) + ms }));
};

const INSERT_LOG = `
  INSERT INTO domain_event (partition_no, position, recorded_at, digest, schema_version, stream_version, stream_id, type, data, metadata)
  SELECT partition, position, to_timestamp("recordedAtMs" / 1000.0), 0, 1, "streamVersion", "streamId", type, data, '{}'
  FROM json_to_recordset($1) AS e (partition smallint, position bigint, "recordedAtMs" bigint, "streamVersion" integer,
    "streamId" text, type text, data json)`;
const MOVE_HEADS = `
  UPDATE log_head AS h SET position = e.position
  FROM (SELECT partition_no, max(position) AS position FROM domain_event GROUP BY 1) AS e
  WHERE h.partition_no = e.partition_no`;

const writeLog = async (events: readonly RecordedEvent[]): Promise<void> => {
  await client.query(INSERT_LOG, [JSON.stringify(events)]);
  await client.query(MOVE_HEADS);
};

const checkpoint = async (): Promise<void> => {
  for (const projection of asyncProjections)
    await client.query(
      `INSERT INTO processor_checkpoint (processor, partition_no, position) SELECT $1, partition_no, position FROM log_head
       ON CONFLICT (processor, partition_no) DO UPDATE SET position = excluded.position`,
      [processorName(projection)],
    );
};

const inTransaction = async <Result>(work: () => Promise<Result>): Promise<Result> => {
  await client.query('BEGIN');
  try {
    return await work();
  } finally {
    await client.query('ROLLBACK');
  }
};

/** All rows over small pages, so that cursors are part of what is compared. */
const readAll = async <Row>(list: (request: PageRequest) => Promise<Page<Row>>): Promise<Row[]> => {
  const rows: Row[] = [];
  let cursor: string | undefined;
  do {
    const page = await list({ cursor, limit: 2 });
    rows.push(...page.rows);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return rows;
};

const SUBSCRIPTION_IDS = [0, 1].map((index) => idOf(`subscription ${index}`));
const STATUSES = ['pending', 'succeeded', 'dead_lettered', 'cancelled'] as const;
const ATTEMPT_STATUSES = ['pending', 'waiting', 'succeeded', 'failed', 'timeout', 'cancelled'] as const;

/** Everything that can be asked; the same questions to the present and to the past. */
const askNow = async (now: Date) => ({
  applications: await readAll((page) => listApplications(client, organizationId, page)),
  eventTypes: await readAll((page) => listEventTypes(client, applicationId, page)),
  subscriptions: await readAll((page) => listSubscriptions(client, applicationId, page)),
  subscription: await findSubscription(client, idOf('subscription 0')),
  oldestFirst: await Promise.all([
    readAll((page) => listApplicationsOldestFirst(client, { ...page, organizationId })),
    readAll((page) => listSubscriptionsOldestFirst(client, applicationId, page)),
    readAll((page) => listSubscriptionsOldestFirst(client, applicationId, { ...page, isEnabled: false })),
  ]),
  byId: await Promise.all([
    findApplications(client, [applicationId]),
    findSubscriptionStates(client, SUBSCRIPTION_IDS),
    subscriptionsOfApplications(client, [applicationId]),
  ]),
  events: await readAll((page) => listEvents(client, applicationId, page)),
  eventsBy: await Promise.all(
    STATUSES.map((status) => readAll((page) => listEvents(client, applicationId, { ...page, status }))),
  ),
  deliveries: await readAll((page) => listDeliveries(client, applicationId, page)),
  deliveriesBy: await Promise.all(
    STATUSES.map((status) => readAll((page) => listDeliveries(client, applicationId, { ...page, status }))),
  ),
  ofSubscription: await readAll((page) =>
    listDeliveries(client, applicationId, { ...page, subscriptionId: idOf('subscription 1') }),
  ),
  attempts: await readAll((page) => listRequestAttempts(client, applicationId, page)),
  attemptsBy: await Promise.all(
    ATTEMPT_STATUSES.map((is) =>
      readAll((page) => listRequestAttempts(client, applicationId, { ...page, status: { is, now } })),
    ),
  ),
  deadLetters: await readAll((page) => listDeadLetters(client, applicationId, page)),
  counts: await countsOf(client, applicationId, now),
});
type Answers = Awaited<ReturnType<typeof askNow>>;

const askPast = async (past: Past, partition: number): Promise<Answers> => ({
  applications: await readAll((page) => listApplicationsAsOf(past, organizationId, page)),
  eventTypes: await readAll((page) => listEventTypesAsOf(past, applicationId, page)),
  subscriptions: (await readAll((page) => listSubscriptionsAsOf(past, applicationId, page))).map(withoutState),
  subscription: [await findSubscriptionAsOf(past, idOf('subscription 0'))].filter(isDefined).map(withoutState)[0],
  oldestFirst: await Promise.all([
    readAll((page) => listApplicationsOldestFirstAsOf(past, { ...page, organizationId })),
    readAll((page) => listSubscriptionsOldestFirstAsOf(past, applicationId, page)),
    readAll((page) => listSubscriptionsOldestFirstAsOf(past, applicationId, { ...page, isEnabled: false })),
  ]),
  byId: await Promise.all([
    findApplicationsAsOf(past, [applicationId]),
    findSubscriptionStatesAsOf(past, SUBSCRIPTION_IDS),
    subscriptionsOfApplicationsAsOf(past, [applicationId]),
  ]),
  events: await readAll((page) => listEventsAsOf(past, applicationId, page)),
  eventsBy: await Promise.all(
    STATUSES.map((status) => readAll((page) => listEventsAsOf(past, applicationId, { ...page, status }))),
  ),
  deliveries: await readAll((page) => listDeliveriesAsOf(past, applicationId, page)),
  deliveriesBy: await Promise.all(
    STATUSES.map((status) => readAll((page) => listDeliveriesAsOf(past, applicationId, { ...page, status }))),
  ),
  ofSubscription: await readAll((page) =>
    listDeliveriesAsOf(past, applicationId, { ...page, subscriptionId: idOf('subscription 1') }),
  ),
  attempts: await readAll((page) => listRequestAttemptsAsOf(past, applicationId, page)),
  attemptsBy: await Promise.all(
    ATTEMPT_STATUSES.map((is) =>
      readAll((page) =>
        listRequestAttemptsAsOf(past, applicationId, { ...page, status: { is, now: past.cut.instant } }),
      ),
    ),
  ),
  deadLetters: await readAll((page) => listDeadLettersAsOf(past, applicationId, page)),
  counts: await countsAsOf(past, applicationId, partition),
});

const isDefined = <Value>(value: Value | undefined): value is Value => value !== undefined;

/** The past tells more of a subscription than the present needs. */
const withoutState = (state: SubscriptionState): SubscriptionRecord => {
  const { deletedAt: _deletedAt, partition: _partition, position: _position, ...rest } = state;
  return rest;
};

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      of: fc.constant('delivery' as const),
      delivery: fc.nat(3),
      action: fc.constantFrom(...DELIVERY_ACTIONS),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      of: fc.constant('configuration' as const),
      index: fc.nat(1),
      action: fc.constantFrom(...CONFIGURATION_ACTIONS),
    }),
  },
);

/** What the counts should be, from the lists. */
const countedBy = ({
  events,
  deliveriesBy,
  deliveries,
  attemptsBy,
  deadLetters,
  subscriptions,
  eventTypes,
}: Answers): Counts => {
  const [, succeeded = [], deadLettered = [], cancelled = []] = deliveriesBy;
  const [pending = 0, waiting = 0, ok = 0, failed = 0, timeout = 0, given = 0] = attemptsBy.map(({ length }) => length);
  const over = succeeded.length + deadLettered.length + cancelled.length;
  return {
    events: events.length,
    subscriptions: subscriptions.length,
    eventTypes: eventTypes.length,
    deliveries: {
      pending: deliveries.length - over - waiting,
      waiting,
      succeeded: succeeded.length,
      deadLettered: deadLettered.length,
      cancelled: cancelled.length,
    },
    requestAttempts: { pending, waiting, succeeded: ok, failed, timeout, cancelled: given },
    deadLetters: deadLetters.length,
  };
};

const histories = fc.array(step, { minLength: 10, maxLength: 60, size: 'max' });
const pastOf = async (text: string): Promise<Past> => ({
  db: client,
  reader: createLogReader({ db: client, partitions: PARTITIONS }),
  cut: await resolveAsOf(client, text),
});

describe('the past', () => {
  it('of any history at any cut is what the read models held when they had applied the log up to it', async () => {
    await fc.assert(
      fc.asyncProperty(
        histories,
        fc.boolean(),
        fc.uniqueArray(fc.nat(999), { minLength: 3, maxLength: 3 }),
        async (steps, deletes, cuts) => {
          const history = historyOf(steps, deletes);
          const [first] = history;
          const places = cuts
            .map((at) => history[Math.floor((at / 1_000) * history.length)] ?? first)
            .filter(isDefined);
          const then: Answers[] = [];
          for (const { recordedAtMs } of places)
            then.push(
              await inTransaction(async () => {
                const prefix = history.filter((event) => event.recordedAtMs <= recordedAtMs);
                await writeLog(prefix);
                await applyTo(client, [prefix], allProjections);
                return askNow(new Date(recordedAtMs));
              }),
            );
          const asked = await inTransaction(async () => {
            await writeLog(history);
            await applyTo(client, [history], allProjections);
            await checkpoint();
            const answers: Answers[] = [];
            for (const [index, { recordedAtMs, partition, position }] of places.entries()) {
              const text = index % 2 === 0 ? new Date(recordedAtMs).toISOString() : `${partition}:${position}`;
              answers.push(await askPast(await pastOf(text), first?.partition ?? 0));
            }
            return answers;
          });
          expect(asked).toStrictEqual(then);
          for (const answers of asked) expect(answers.counts).toStrictEqual(countedBy(answers));
        },
      ),
      { numRuns: 15, endOnFailure: true },
    );
  });
});

describe('counts', () => {
  it('add whole buckets to what the cut divides, over many of them', async () => {
    const [long = []] = fc.sample(fc.array(step, { minLength: 1_500, maxLength: 1_500 }), { seed: 7, numRuns: 1 });
    const history = historyOf(long, false);
    const longest = Math.max(...history.map(({ position }) => position));
    expect(longest).toBeGreaterThan(TALLY_POSITIONS);
    await inTransaction(async () => {
      await writeLog(history);
      await applyTo(client, [history.slice(0, 400), history.slice(400)], allProjections);
      await checkpoint();
      for (const share of [0.2, 0.5, 0.97]) {
        const past = await pastOf(later(Math.floor(history.length * share)));
        const answers = await askPast(past, history[0]?.partition ?? 0);
        expect(answers.counts).toStrictEqual(countedBy(answers));
      }
      const end = await askNow(new Date(later(history.length)));
      expect(end.counts).toStrictEqual(countedBy(end));
    });
  });
});

describe('a cut', () => {
  const history = () =>
    historyOf(
      Array.from({ length: 40 }, (_, index) => ({ of: 'delivery', delivery: index % 4, action: 'fail' })),
      false,
    );
  const resolve = (text: string): Promise<Cut> =>
    inTransaction(async () => {
      await writeLog(history());
      return resolveAsOf(client, text);
    });

  it('is exactly there in the log partition it names, and at that instant in the others', async () => {
    const events = history();
    for (const at of events) {
      const { positions, instant } = await resolve(`${at.partition}:${at.position}`);
      expect(instant.getTime()).toBe(at.recordedAtMs);
      for (let partition = 0; partition < PARTITIONS; partition += 1) {
        const last = events.filter((event) => event.partition === partition && event.recordedAtMs <= at.recordedAtMs);
        expect(positions.get(partition)).toBe(last.at(-1)?.position ?? 0);
      }
    }
  });

  it('before everything is empty', async () => {
    const { positions } = await resolve('2020-01-01T00:00:00+02:00');
    expect([...positions.values()]).toStrictEqual([0, 0, 0, 0]);
  });

  it.each([
    ['yesterday'],
    [''],
    ['2026-13-01T00:00:00Z'],
    ['2026-03-01'],
    ['2026-03-01T10:00:00'],
    ['2999-01-01T00:00:00Z'],
    ['0:0'],
    ['0:99999'],
    ['4:1'],
    ['-1:1'],
    ['0:1.5'],
  ])('is refused for "%s"', async (text) => {
    await expect(resolve(text)).rejects.toMatchObject({ id: 'InvalidAsOf' });
  });

  it('is waited for when a read model is behind, but not for ever', async () => {
    await inTransaction(async () => {
      await writeLog(history());
      await applyTo(client, [history()], allProjections);
      const past = await pastOf(later(1_000));
      await expect(listDeliveriesAsOf(past, applicationId, { limit: 10 })).rejects.toMatchObject({
        id: 'ReadModelBehind',
        message: expect.stringContaining('delivery'),
      });
    });
  });

  it('has cursors of its own', async () => {
    await inTransaction(async () => {
      await writeLog(history());
      await applyTo(client, [history()], allProjections);
      await checkpoint();
      const reader = createLogReader({ db: client, partitions: PARTITIONS });
      const pastOf = async (ms: number): Promise<Past> => ({
        db: client,
        reader,
        cut: await resolveAsOf(client, later(ms)),
      });
      const [one, other] = [await pastOf(30), await pastOf(31)];
      const { nextCursor } = await listDeliveriesAsOf(one, applicationId, { limit: 1 });
      const request = { limit: 1, cursor: String(nextCursor) };
      expect((await listDeliveriesAsOf(one, applicationId, request)).rows).toHaveLength(1);
      await expect(listDeliveriesAsOf(other, applicationId, request)).rejects.toMatchObject({ id: 'InvalidCursor' });
      await expect(listDeliveries(client, applicationId, request)).rejects.toMatchObject({ id: 'InvalidCursor' });
    });
  });

  it('finds a single request attempt as it was', async () => {
    const events = history();
    const first = events.find(({ type }) => type === 'AttemptScheduled') as RecordedEvent;
    const id = String(first.data.attemptId);
    await inTransaction(async () => {
      await writeLog(events);
      await applyTo(client, [events], allProjections);
      await checkpoint();
      const at = async (ms: number) =>
        findRequestAttemptAsOf(await pastOf(new Date(ms).toISOString()), applicationId, id);
      expect(await at(first.recordedAtMs - 1)).toBeUndefined();
      expect(await at(first.recordedAtMs)).toMatchObject({ outcome: null });
      expect(await at(Date.parse(later(1_000)))).toStrictEqual(await findRequestAttempt(client, applicationId, id));
    });
  });
});
