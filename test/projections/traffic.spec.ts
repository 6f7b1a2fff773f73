import fc from 'fast-check';
import type { Client } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RecordedEvent } from '#src/eventstore/types.ts';
import type { Past } from '#src/projections/as-of/past.ts';
import { digest } from '#src/projections/digest.ts';
import { addInto, bucketOf, countInto, percentile } from '#src/projections/traffic/histogram.ts';
import { trafficProjection } from '#src/projections/traffic/projection.ts';
import {
  TRAFFIC_SUBSCRIPTIONS_MAX,
  trafficAsOf,
  trafficOf,
  trafficOfSubscriptions,
} from '#src/projections/traffic/queries.ts';
import {
  applicationId,
  attemptFailed,
  attemptSucceeded,
  deliveryDeadLettered,
  eventIngested,
  eventOf,
  type Fact,
  idOf,
  later,
  organizationId,
  recorded,
  T0,
} from '#test/support/builders.ts';
import { createTestDatabase, type TestDatabase } from '#test/support/database.ts';
import { applyTo, openClient } from './support.ts';

const MINUTE = 60_000;
const at = (minutes: number): Date => new Date(later(minutes * MINUTE));
const subscription = (index: number): string => idOf(`subscription ${index}`);

let database: TestDatabase;
let client: Client;
beforeAll(async () => {
  database = await createTestDatabase();
  client = await openClient(database.url);
});
afterAll(async () => {
  await client.end();
  await database.drop();
});
beforeEach(async () => {
  await client.query('BEGIN');
});
afterEach(async () => {
  await client.query('ROLLBACK');
});

type Step = {
  readonly kind: 'event' | 'succeeded' | 'failed' | 'timeout' | 'dead letter';
  readonly subscription: number;
  /** Since T0. */
  readonly atMs: number;
  readonly totalMs: number;
};

const factOf = ({ kind, subscription: index, totalMs }: Step): Fact => {
  const of = eventOf('traffic', { subscription: subscription(index) });
  const timings = { dnsMs: null, connectMs: null, tlsMs: null, firstByteMs: null, bodyMs: null, totalMs };
  switch (kind) {
    case 'event':
      return eventIngested(of.event);
    case 'succeeded':
      return attemptSucceeded({ ...of.attempt(1), timings });
    case 'failed':
    case 'timeout':
      return attemptFailed({ ...of.attempt(1), timings, reason: kind === 'timeout' ? 'timeout' : 'status' });
    case 'dead letter':
      return deliveryDeadLettered(of.delivery);
  }
};

const historyOf = (steps: readonly Step[]): RecordedEvent[] =>
  recorded(steps.map(factOf)).map((event, index) => ({
    ...event,
    recordedAtMs: Date.parse(T0) + (steps[index]?.atMs ?? 0),
  }));

const given = (steps: readonly Step[]): Promise<void> => applyTo(client, [historyOf(steps)], [trafficProjection]);

const cut = <T>(all: readonly T[], lengths: readonly number[]): T[][] => {
  const parts: T[][] = [];
  for (let start = 0; start < all.length; start += parts.at(-1)?.length ?? 1)
    parts.push(all.slice(start, start + (lengths[parts.length % lengths.length] ?? 1)));
  return parts;
};

/** The value that a share of the others does not exceed: nearest rank. */
const exact = (values: readonly number[], share: number): number | undefined =>
  values.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(share * values.length)) - 1];

const ms = fc.double({ min: 0.1, max: 3_600_000, noNaN: true });
const share = fc.constantFrom(0.01, 0.5, 0.9, 0.95, 0.99, 1);

describe('a histogram', () => {
  it('tells percentiles within a tenth, also of parts added up', () => {
    fc.assert(
      fc.property(fc.array(ms, { minLength: 1, maxLength: 200 }), fc.nat(200), share, (values, split, wanted) => {
        const parts = [values.slice(0, split), values.slice(split)].map((part) => {
          const histogram: number[] = [];
          for (const value of part) countInto(histogram, bucketOf(value));
          return histogram;
        });
        const all: number[] = [];
        for (const part of parts) addInto(all, part);
        const truth = exact(values, wanted) ?? 0;
        const found = percentile(all, wanted) ?? Number.NaN;
        expect(Math.abs(found - truth) / truth).toBeLessThanOrEqual(0.1);
      }),
      { numRuns: 500 },
    );
  });

  it('has no percentile without requests, and 0.1 ms for what is faster', () => {
    expect(percentile([], 0.5)).toBeNull();
    expect(percentile([3], 0.5)).toBe(0.1);
    expect([bucketOf(0), bucketOf(0.1), bucketOf(Number.POSITIVE_INFINITY)]).toStrictEqual([0, 0, 100]);
  });
});

const step = fc.record<Step>({
  kind: fc.constantFrom('event', 'succeeded', 'failed', 'timeout', 'dead letter'),
  subscription: fc.nat(2),
  atMs: fc.integer({ min: 0, max: 6 * MINUTE - 1 }),
  totalMs: ms,
});

describe('the traffic of an application', () => {
  it('is the same however the log is cut into batches, and as it was', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 60 }),
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 5 }),
        fc.constantFrom(1, 2, 3, 6, 200),
        async (steps, lengths, buckets) => {
          const history = historyOf(steps);
          const digests: unknown[] = [];
          for (const batches of [[history], history.map((event) => [event]), cut(history, lengths)]) {
            await client.query('DELETE FROM traffic_minute');
            await applyTo(client, batches, [trafficProjection]);
            digests.push(await digest(client, trafficProjection));
          }
          expect(digests).toStrictEqual([digests[0], digests[0], digests[0]]);

          const traffic = await trafficOf(client, applicationId, { from: at(0), to: at(6), buckets });
          const spans = [
            { bucket: traffic.total, among: steps },
            ...traffic.buckets.map((bucket) => ({ bucket, among: steps })),
            ...traffic.subscriptions.flatMap(({ subscriptionId, total, buckets: own }) => {
              const among = steps.filter(
                (one) => one.kind !== 'event' && subscription(one.subscription) === subscriptionId,
              );
              return [total, ...own].map((bucket) => ({ bucket, among }));
            }),
          ];
          for (const { bucket, among } of spans) {
            const own = among.filter(({ atMs }) => {
              const instant = Date.parse(T0) + atMs;
              return instant >= bucket.from.getTime() && instant < bucket.to.getTime();
            });
            const count = (...kinds: Step['kind'][]) => own.filter(({ kind }) => kinds.includes(kind)).length;
            expect(bucket).toMatchObject({
              events: count('event'),
              succeeded: count('succeeded'),
              failed: count('failed', 'timeout'),
              timeouts: count('timeout'),
              deadLettered: count('dead letter'),
            });
            const took = own
              .filter(({ kind }) => kind !== 'event' && kind !== 'dead letter')
              .map(({ totalMs }) => totalMs);
            if (took.length === 0) expect([bucket.p50Ms, bucket.p99Ms]).toStrictEqual([null, null]);
            for (const [wanted, found] of [
              [0.5, bucket.p50Ms],
              [0.95, bucket.p95Ms],
              [0.99, bucket.p99Ms],
            ] as const) {
              const truth = exact(took, wanted);
              if (truth !== undefined) expect(Math.abs((found ?? Number.NaN) - truth) / truth).toBeLessThanOrEqual(0.1);
            }
          }
          expect(traffic.buckets).toHaveLength(Math.min(6, buckets));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('has whole minutes, ending with the one under way', async () => {
    await given(
      [0, 1, 59, 60].map((minute) => ({ kind: 'event', subscription: 0, atMs: minute * MINUTE, totalMs: 1 })),
    );
    const hour = await trafficOf(client, applicationId, { from: at(0.5), to: at(60.5), buckets: 60 });
    expect(hour.buckets.map(({ events }) => events)).toStrictEqual([1, ...Array(57).fill(0), 1, 1]);
    expect(hour.total).toMatchObject({ from: at(1), to: at(61), events: 3 });
    // 61 minutes in at most 60 parts are 31 parts of two minutes, which begin a minute early.
    const uneven = await trafficOf(client, applicationId, { from: at(0), to: at(61), buckets: 60 });
    expect(uneven.buckets).toHaveLength(31);
    expect(uneven.total).toMatchObject({ from: at(-1), to: at(61), events: 4 });
    expect(uneven.buckets.at(0)).toMatchObject({ from: at(-1), to: at(1), events: 1 });
  });

  it('puts the worst subscription first, and can be asked for one alone', async () => {
    const of = (index: number, kinds: Step['kind'][]): Step[] =>
      kinds.map((kind) => ({ kind, subscription: index, atMs: 0, totalMs: 1 }));
    await given([
      ...of(1, ['succeeded']),
      ...of(2, ['failed', 'succeeded']),
      ...of(3, ['failed', 'failed', 'succeeded', 'succeeded']),
      ...of(4, ['timeout']),
      ...of(5, ['event']),
    ]);
    const span = { from: at(0), to: at(2), buckets: 2 };
    const { subscriptions, total } = await trafficOf(client, applicationId, span);
    expect(subscriptions.map(({ subscriptionId }) => subscriptionId)).toStrictEqual([4, 3, 2, 1].map(subscription));
    expect(total).toMatchObject({ events: 1, succeeded: 4, failed: 4, timeouts: 1 });
    const one = await trafficOf(client, applicationId, { ...span, subscriptionId: subscription(3) });
    expect(one.total).toMatchObject({ events: 0, succeeded: 2, failed: 2 });
    expect(one.subscriptions).toHaveLength(1);
    expect((await trafficOf(client, organizationId, span)).total).toMatchObject({ events: 0, succeeded: 0 });
    const strips = await trafficOfSubscriptions(
      client,
      [2, 9].map((index) => ({ applicationId, subscriptionId: subscription(index) })),
      span,
    );
    expect(strips.get(subscription(2))).toMatchObject([{ failed: 1, succeeded: 1 }, { failed: 0 }]);
    expect(strips.get(subscription(9))).toMatchObject([{ succeeded: 0 }, { succeeded: 0 }]);
  });

  it('tells apart so many subscriptions, and counts the others in the total', async () => {
    const all = Array.from({ length: TRAFFIC_SUBSCRIPTIONS_MAX + 5 }, (_, index): Step => {
      return {
        kind: index < TRAFFIC_SUBSCRIPTIONS_MAX ? 'failed' : 'succeeded',
        subscription: index,
        atMs: 0,
        totalMs: 1,
      };
    });
    await given(all);
    const found = await trafficOf(client, applicationId, { from: at(0), to: at(1), buckets: 1 });
    expect(found.subscriptions).toHaveLength(TRAFFIC_SUBSCRIPTIONS_MAX);
    expect(found.subscriptions.every(({ total }) => total.failed === 1)).toBe(true);
    expect(found.total).toMatchObject({ failed: TRAFFIC_SUBSCRIPTIONS_MAX, succeeded: 5 });
  });

  it('ends before the minute that a cut divides', async () => {
    await given([0, 1, 2].map((minute) => ({ kind: 'event', subscription: 0, atMs: minute * MINUTE, totalMs: 1 })));
    const asOf = (minutes: number) => {
      const cutAt = { asOf: '', instant: at(minutes), positions: new Map<number, number>() };
      return trafficAsOf({ db: client, cut: cutAt } as unknown as Past, applicationId, {
        from: at(0),
        to: at(10),
        buckets: 60,
      });
    };
    expect((await asOf(2.5)).buckets.map(({ events, to }) => ({ events, to }))).toStrictEqual([
      { events: 1, to: at(1) },
      { events: 1, to: at(2) },
    ]);
    expect(await asOf(-3)).toMatchObject({ total: { from: at(0), to: at(0), events: 0 }, buckets: [] });
  });

  it('leaves durations out for what was refused before anything was sent', async () => {
    await given([{ kind: 'failed', subscription: 0, atMs: 0, totalMs: 0 }]);
    const { total } = await trafficOf(client, applicationId, { from: at(0), to: at(1), buckets: 1 });
    expect(total).toMatchObject({ failed: 1, p50Ms: null });
  });
});
