import type { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SCHEMA_VERSIONS } from '#src/domain/registry.ts';
import { countDeadLetters, listDeadLetters } from '#src/projections/dead-letter/queries.ts';
import { findDelivery, listDeliveries } from '#src/projections/delivery/queries.ts';
import { eventsPerDay, listEvents } from '#src/projections/event/queries.ts';
import { allProjections } from '#src/projections/index.ts';
import { attemptFactsOf, findRequestAttempt, listRequestAttempts } from '#src/projections/request-attempt/queries.ts';
import {
  applicationId,
  attemptFailed,
  attemptRescheduled,
  attemptScheduled,
  attemptSucceeded,
  deliveryCancelled,
  deliveryDeadLettered,
  eventIngested,
  eventOf,
  type Fact,
  later,
  openTestLog,
  organizationId,
  subscriptionCreated,
  subscriptionId,
  T0,
  type TestLog,
} from '#test/support/builders.ts';
import { createTestDatabase, type TestDatabase } from '#test/support/database.ts';
import { applyTo, openClient } from './support.ts';

let database: TestDatabase;
let log: TestLog;
let client: Client;
beforeAll(async () => {
  database = await createTestDatabase();
  log = await openTestLog(database.url);
  client = await openClient(database.url);
});
afterAll(async () => {
  await client.end();
  await log.stop();
  await database.drop();
});
beforeEach(async () => {
  await client.query('BEGIN');
});
afterEach(async () => {
  await client.query('ROLLBACK');
});

let run = 0;
/** One delivery of its own per test, so that the log of the file can be shared. */
const delivery = () => {
  run += 1;
  return eventOf(`run ${run}`);
};
/** Appended to the log and applied one by one: what a batch makes of it is the property's business. */
const given = async (...facts: Fact[]): Promise<void> => {
  const events = await log.append(...facts);
  await applyTo(
    client,
    events.map((event) => [event]),
  );
};
const page = { limit: 100 };

describe('the projections together', () => {
  it('handle every domain event but those that are read from their streams alone', () => {
    const handled = new Set(allProjections.flatMap(({ canHandle }) => canHandle));
    expect(Object.keys(SCHEMA_VERSIONS).filter((type) => !handled.has(type))).toStrictEqual([
      // People are outside the log; it tells what was done, and to which id.
      'UserRegistered',
      'UserEmailVerified',
      'UserPasswordChanged',
      'UserErased',
      'QuotaWarned',
      'EventReplayed', // Its effects are its deliveries.
      'EventPayloadErased', // A deletion beside the log.
      'RetentionApplied',
    ]);
  });
});

describe('event', () => {
  it('shows an ingested event', async () => {
    const { event } = delivery();
    await given(eventIngested({ ...event, labels: { region: 'eu' }, metadata: { trace: 'a"b\nc' } }));
    const { rows } = await listEvents(client, applicationId, page);
    expect(rows).toStrictEqual([
      {
        ...event,
        eventType: 'user.account.created',
        payloadContentType: 'application/json',
        payloadBytes: 2,
        payloadSha256: '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
        labels: { region: 'eu' },
        metadata: { trace: 'a"b\nc' },
        occurredAt: new Date(T0),
        receivedAt: new Date(T0),
        ip: '192.0.2.1',
        deliveries: 1,
        position: expect.any(Number),
        configurationPosition: 0,
      },
    ]);
  });

  it.each([['0000-01-01T00:00:00Z'], ['+275760-09-13T00:00:00.000Z'], ['yesterday'], [null]])(
    'does not stop at an occurredAt of %s',
    async (occurredAt) => {
      await given(eventIngested({ ...delivery().event, occurredAt, ip: null }));
      const { rows } = await listEvents(client, applicationId, page);
      expect(rows).toMatchObject([{ occurredAt: null, ip: null }]);
    },
  );

  it('does not stop at text that Postgres cannot hold, and can still filter by labels', async () => {
    const labels = { nul: 'a\0b', half: '\ud800', slash: '\\u0000' };
    await given(eventIngested({ ...delivery().event, labels }));
    const { rows } = await listEvents(client, applicationId, { ...page, labels: { nul: 'a\0b' } });
    expect(rows).toMatchObject([{ labels: { nul: 'a\uFFFDb', half: '\uFFFD', slash: '\\u0000' } }]);
  });

  it('filters by type, labels, time and status of deliveries', async () => {
    const [a, b] = [delivery(), delivery()];
    await given(
      eventIngested({ ...a.event, eventType: 'a.b', labels: { x: '1', y: '2' } }),
      eventIngested({ ...b.event, labels: { x: '1' }, receivedAt: later(3_600_000) }),
      attemptScheduled({ ...a.attempt(1) }),
      attemptSucceeded({ ...a.attempt(1) }),
    );
    const list = async (filter: object) =>
      (await listEvents(client, applicationId, { ...page, ...filter })).rows.map(({ eventId }) => eventId);
    expect(await list({})).toStrictEqual([b.event.eventId, a.event.eventId]);
    expect(await list({ eventType: 'a.b' })).toStrictEqual([a.event.eventId]);
    expect(await list({ labels: { y: '2', x: '1' } })).toStrictEqual([a.event.eventId]);
    expect(await list({ labels: { x: '2' } })).toStrictEqual([]);
    expect(await list({ from: new Date(later(1)) })).toStrictEqual([b.event.eventId]);
    expect(await list({ to: new Date(later(3_600_000)) })).toStrictEqual([a.event.eventId]);
    expect(await list({ from: new Date(T0), to: new Date(later(3_600_001)) })).toHaveLength(2);
    expect(await list({ status: 'succeeded' })).toStrictEqual([a.event.eventId]);
    expect(await list({ status: 'pending' })).toStrictEqual([]);
  });

  it('counts by days of UTC', async () => {
    for (const receivedAt of [
      T0,
      later(1),
      '2026-03-01T23:59:59.999Z',
      '2026-03-02T00:00:00.000Z',
      '2026-03-04T00:00:00.000Z',
    ])
      await given(eventIngested({ ...delivery().event, receivedAt }));
    const days = await eventsPerDay(client, [applicationId, organizationId], {
      from: new Date('2026-03-01T00:00:00Z'),
      to: new Date('2026-03-04T00:00:00Z'),
    });
    expect(days).toStrictEqual([
      { applicationId, date: '2026-03-01', amount: 3 },
      { applicationId, date: '2026-03-02', amount: 1 },
    ]);
  });
});

describe('a delivery and its request attempts', () => {
  const ids = (of: ReturnType<typeof delivery>) => ({ ...of.delivery, eventType: 'user.account.created' });
  const find = async (of: ReturnType<typeof delivery>, attemptNumber: number, at?: string) => [
    await findDelivery(client, applicationId, of.delivery.deliveryId),
    await findRequestAttempt(client, applicationId, of.attempt(attemptNumber, at).attemptId),
  ];

  it('are pending once scheduled', async () => {
    const of = delivery();
    await given(attemptScheduled({ ...of.attempt(1), dueAt: later(5) }));
    const [delivered, attempt] = await find(of, 1);
    expect(delivered).toStrictEqual({
      ...ids(of),
      status: 'pending',
      reason: null,
      attempts: 1,
      lastAttemptId: of.attempt(1).attemptId,
      dueAt: new Date(later(5)),
      createdAt: new Date(T0),
      updatedAt: new Date(T0),
      partition: expect.any(Number),
      position: expect.any(Number),
    });
    expect(attempt).toStrictEqual({
      ...ids(of),
      requestAttemptId: of.attempt(1).attemptId,
      subscriptionDescription: null,
      attemptNumber: 1,
      retryCount: 0,
      outcome: null,
      reason: null,
      message: null,
      httpStatus: null,
      response: null,
      timings: null,
      createdAt: new Date(T0),
      dueAt: new Date(later(5)),
      startedAt: null,
      finishedAt: null,
      partition: expect.any(Number),
    });
  });

  it('are due when they were moved to', async () => {
    const of = delivery();
    await given(attemptScheduled({ ...of.attempt(1), dueAt: later(50) }), attemptRescheduled(of.attempt(1)));
    expect(await find(of, 1)).toMatchObject([
      { dueAt: new Date(later(5)), updatedAt: new Date(later(5)), status: 'pending' },
      { dueAt: new Date(later(5)), outcome: null },
    ]);
  });

  it('tell how the request went', async () => {
    const of = delivery();
    await given(attemptScheduled(of.attempt(1)), attemptSucceeded(of.attempt(1)));
    const [delivered, attempt] = await find(of, 1);
    expect(delivered).toMatchObject({ status: 'succeeded', dueAt: null, updatedAt: new Date(later(60)) });
    expect(attempt).toMatchObject({
      outcome: 'succeeded',
      httpStatus: 200,
      response: { bodyBytes: 2, truncated: false },
      timings: { dnsMs: null, connectMs: 1.5, tlsMs: null, firstByteMs: 40.25, bodyMs: 0.5, totalMs: 50 },
      startedAt: new Date(later(10)),
      finishedAt: new Date(later(60)),
    });
  });

  it('keep a failure when the next attempt is scheduled', async () => {
    const of = delivery();
    const second = of.attempt(2, later(60));
    await given(
      attemptScheduled(of.attempt(1)),
      attemptFailed({
        ...of.attempt(1),
        message: 'two\nlines, a \0 and half a \ud83d',
        httpStatus: null,
        response: null,
        reason: 'tls',
      }),
    );
    expect(await find(of, 1)).toMatchObject([{ status: 'pending', dueAt: new Date(T0) }, { outcome: 'failed' }]);
    await given(
      attemptScheduled({ ...second, retryCount: 1, scheduledAt: later(60), dueAt: later(90), trigger: 'retry' }),
    );
    expect(await find(of, 1)).toMatchObject([
      { status: 'pending', attempts: 2, lastAttemptId: second.attemptId, dueAt: new Date(later(90)) },
      {
        outcome: 'failed',
        reason: 'tls',
        message: 'two\nlines, a \uFFFD and half a \uFFFD',
        httpStatus: null,
        response: null,
      },
    ]);
    expect(await findRequestAttempt(client, applicationId, second.attemptId)).toMatchObject({
      retryCount: 1,
      outcome: null,
    });
  });

  it('end with a cancellation, which touches the waiting attempt alone', async () => {
    const of = delivery();
    const second = of.attempt(2, later(60));
    await given(
      attemptScheduled(of.attempt(1)),
      attemptFailed(of.attempt(1)),
      attemptScheduled({ ...second, retryCount: 1, trigger: 'retry' }),
      deliveryCancelled({ ...of.delivery, reason: 'subscription_deleted' }),
    );
    expect(await find(of, 2, later(60))).toMatchObject([
      { status: 'cancelled', reason: 'subscription_deleted', dueAt: null, updatedAt: new Date(later(70)) },
      {
        outcome: 'cancelled',
        reason: 'subscription_deleted',
        finishedAt: new Date(later(70)),
        startedAt: null,
        timings: null,
      },
    ]);
    expect(await find(of, 1)).toMatchObject([{}, { outcome: 'failed', reason: 'status' }]);
  });

  it('begin again with a replay, which takes the dead letter away', async () => {
    const of = delivery();
    const second = of.attempt(2, later(100));
    await given(attemptScheduled(of.attempt(1)), attemptFailed(of.attempt(1)), deliveryDeadLettered(of.delivery));
    expect(await find(of, 1)).toMatchObject([
      { status: 'dead_lettered', reason: 'retries_exhausted', dueAt: null },
      {},
    ]);
    const letters = await listDeadLetters(client, applicationId, page);
    expect(letters.rows).toStrictEqual([
      {
        ...ids(of),
        reason: 'retries_exhausted',
        attempts: 1,
        deadLetteredAt: new Date(later(70)),
        lastFailure: 'status',
        lastHttpStatus: 500,
      },
    ]);
    await given(attemptScheduled({ ...second, scheduledAt: later(100), dueAt: later(100), trigger: 'replay' }));
    expect(await find(of, 2, later(100))).toMatchObject([
      { status: 'pending', reason: null, attempts: 2, dueAt: new Date(later(100)) },
      { outcome: null, attemptNumber: 2 },
    ]);
    expect(await countDeadLetters(client, applicationId)).toBe(0);
  });

  it('tell the facts that a status is made of', async () => {
    const of = delivery();
    await given(attemptScheduled(of.attempt(1)), attemptFailed({ ...of.attempt(1), reason: 'timeout' }));
    const attempt = await findRequestAttempt(client, applicationId, of.attempt(1).attemptId);
    expect(attempt && attemptFactsOf(attempt)).toStrictEqual({
      scheduledAt: T0,
      dueAt: T0,
      startedAt: later(10),
      succeededAt: null,
      failed: { at: later(60), reason: 'timeout' },
      cancelledAt: null,
    });
  });

  it('are found by what they belong to, and by nobody else', async () => {
    const [a, b] = [delivery(), delivery()];
    const other = eventOf(`run ${run}`, { subscription: organizationId });
    await log.append(subscriptionCreated({ subscriptionId: `${organizationId}` }));
    await given(
      attemptScheduled(a.attempt(1)),
      attemptFailed({ ...a.attempt(1), reason: 'timeout' }),
      attemptScheduled({ ...a.attempt(2, later(60)), dueAt: later(500), eventType: 'c.d' }),
      attemptScheduled(b.attempt(1)),
      attemptSucceeded(b.attempt(1)),
      attemptScheduled(other.attempt(1)),
    );
    const attempts = async (filter: object, application = applicationId) =>
      (await listRequestAttempts(client, application, { ...page, ...filter })).rows
        .map((row) => row.requestAttemptId)
        .sort();
    const all = [a.attempt(1), a.attempt(2, later(60)), b.attempt(1), other.attempt(1)].map(
      ({ attemptId }) => attemptId,
    );
    const [a1, a2, b1, other1] = all;
    expect(await attempts({})).toStrictEqual([...all].sort());
    expect(await attempts({}, organizationId)).toStrictEqual([]);
    expect(await attempts({ eventId: a.event.eventId })).toStrictEqual([a1, a2].sort());
    expect(await attempts({ subscriptionId: other.delivery.subscriptionId })).toStrictEqual([other1]);
    expect(await attempts({ eventTypes: ['c.d', 'e.f'] })).toStrictEqual([a2]);
    expect(await attempts({ minCreatedAt: new Date(later(60)) })).toStrictEqual([a2]);
    expect(await attempts({ maxCreatedAt: new Date(later(59)) })).toStrictEqual([a1, b1, other1].sort());
    const now = new Date(later(100));
    expect(await attempts({ status: { is: 'timeout', now } })).toStrictEqual([a1]);
    expect(await attempts({ status: { is: 'waiting', now } })).toStrictEqual([a2]);
    expect(await attempts({ status: { is: 'pending', now } })).toStrictEqual([other1]);
    expect(await attempts({ status: { is: 'succeeded', now } })).toStrictEqual([b1]);
    const described = await listRequestAttempts(client, applicationId, {
      ...page,
      subscriptionId: other.delivery.subscriptionId,
    });
    expect(described.rows).toMatchObject([{ subscriptionDescription: 'Orders to the warehouse' }]);

    const deliveries = async (filter: object) =>
      (await listDeliveries(client, applicationId, { ...page, ...filter })).rows.map((row) => row.deliveryId);
    expect(await deliveries({ subscriptionId })).toHaveLength(2);
    expect(await deliveries({ event: { eventId: a.event.eventId, receivedAt: new Date(T0) } })).toStrictEqual([
      a.delivery.deliveryId,
    ]);
    expect(await deliveries({ status: 'succeeded' })).toStrictEqual([b.delivery.deliveryId]);
    expect(await deliveries({ from: new Date(later(1)) })).toStrictEqual([]);
    expect(await findDelivery(client, organizationId, a.delivery.deliveryId)).toBeUndefined();
    expect(await findRequestAttempt(client, organizationId, String(a1))).toBeUndefined();
  });

  it('are lost in no list of dead letters', async () => {
    const [a, b] = [delivery(), delivery()];
    await given(
      ...[a, b].flatMap((of, index): Fact[] => [
        attemptScheduled({ ...of.attempt(1), eventType: `type.${index}` }),
        attemptFailed({ ...of.attempt(1), reason: 'gone', httpStatus: 410 }),
        deliveryDeadLettered({ ...of.delivery, reason: index === 0 ? 'gone' : 'retries_exhausted' }),
      ]),
    );
    const list = async (filter: object) =>
      (await listDeadLetters(client, applicationId, { ...page, ...filter })).rows.map((row) => row.deliveryId);
    expect((await list({})).toSorted()).toStrictEqual([a.delivery.deliveryId, b.delivery.deliveryId].sort());
    expect(await list({ reason: 'gone' })).toStrictEqual([a.delivery.deliveryId]);
    expect(await list({ eventType: 'type.1' })).toStrictEqual([b.delivery.deliveryId]);
    expect(await list({ subscriptionId: organizationId })).toStrictEqual([]);
    expect(await countDeadLetters(client, applicationId, { subscriptionId, lastFailure: 'gone' })).toBe(2);
    expect(await countDeadLetters(client, organizationId)).toBe(0);
  });
});
