import { awaitReadModels } from '../as-of/catch-up.ts';
import type { Cut } from '../as-of/cut.ts';
import type { Past } from '../as-of/past.ts';
import type { Queryable } from '../page.ts';
import { addInto, countInto, percentile } from './histogram.ts';
import { MINUTE_MS, NO_SUBSCRIPTION, trafficProjection } from './projection.ts';

/** Which span of time, in how many parts. Instants are those at which the log recorded what happened. */
export type TrafficSpan = {
  readonly from: Date;
  readonly to: Date;
  /** At most so many, of equal length. */
  readonly buckets: number;
};

/** What happened from an instant, inclusive, to another, exclusive. */
export type TrafficBucket = {
  readonly from: Date;
  readonly to: Date;
  /** 0 where it is about a subscription: events belong to none. */
  readonly events: number;
  readonly succeeded: number;
  /** Timeouts included. */
  readonly failed: number;
  readonly timeouts: number;
  readonly deadLettered: number;
  /** Milliseconds within 10 %; null without requests. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
};
export type SubscriptionTraffic = {
  readonly subscriptionId: string;
  readonly total: TrafficBucket;
  readonly buckets: readonly TrafficBucket[];
};
export type Traffic = {
  readonly total: TrafficBucket;
  /** Oldest first, without gaps. */
  readonly buckets: readonly TrafficBucket[];
  /** Those with any traffic, worst first; at most {@link TRAFFIC_SUBSCRIPTIONS_MAX}. */
  readonly subscriptions: readonly SubscriptionTraffic[];
};

export const TRAFFIC_BUCKETS_MAX = 200;
/** A week: with 20 subscriptions busy in each minute 200,000 rows, which take a second (measured 2026-11-22; a day 0.2 s). */
export const TRAFFIC_MINUTES_MAX = 7 * 24 * 60;
/** Subscriptions that are told apart; of more, the worst. */
export const TRAFFIC_SUBSCRIPTIONS_MAX = 100;

/** All rows of the others go to the nil UUID, which the events have, too. */
const READ = `
  WITH span AS (
    SELECT subscription_id, floor(extract(epoch FROM minute - $2::timestamptz) * 1000 / $4)::integer AS bucket,
           events, succeeded, failed, timeouts, dead_lettered, durations
    FROM traffic_minute
    WHERE application_id = ANY ($1::uuid[]) AND minute >= $2 AND minute < $3
      AND ($5::uuid[] IS NULL OR subscription_id = ANY ($5))),
  worst AS (
    SELECT subscription_id FROM span
    WHERE subscription_id <> '${NO_SUBSCRIPTION}'
    GROUP BY subscription_id
    ORDER BY sum(failed)::float8 / greatest(1, sum(succeeded + failed)) DESC, sum(succeeded + failed) DESC, subscription_id
    LIMIT $6),
  told AS (
    SELECT coalesce(w.subscription_id, '${NO_SUBSCRIPTION}') AS subscription_id, bucket,
           events, succeeded, failed, timeouts, dead_lettered, durations
    FROM span LEFT JOIN worst AS w USING (subscription_id)),
  counted AS (
    SELECT subscription_id, bucket, sum(events)::float8 AS events, sum(succeeded)::float8 AS succeeded,
           sum(failed)::float8 AS failed, sum(timeouts)::float8 AS timeouts, sum(dead_lettered)::float8 AS dead_lettered
    FROM told GROUP BY subscription_id, bucket),
  timed AS (
    SELECT subscription_id, bucket, array_agg(duration) AS durations, array_agg(requests) AS requests
    FROM (
      SELECT subscription_id, bucket, d.ordinal::float8 - 1 AS duration, sum(d.requests)::float8 AS requests
      FROM told CROSS JOIN LATERAL unnest(durations) WITH ORDINALITY AS d (requests, ordinal)
      WHERE d.requests > 0
      GROUP BY subscription_id, bucket, d.ordinal) AS t
    GROUP BY subscription_id, bucket)
  SELECT subscription_id, bucket, events, succeeded, failed, timeouts, dead_lettered,
         coalesce(durations, '{}') AS durations, coalesce(requests, '{}') AS requests
  FROM counted LEFT JOIN timed USING (subscription_id, bucket)`;

type Row = {
  subscription_id: string;
  bucket: number;
  events: number;
  succeeded: number;
  failed: number;
  timeouts: number;
  dead_lettered: number;
  /** Buckets of the histogram, and how many requests each has. */
  durations: number[];
  requests: number[];
};
type Sums = {
  events: number;
  succeeded: number;
  failed: number;
  timeouts: number;
  deadLettered: number;
  durations: number[];
};

/**
 * The traffic of an application. Buckets are whole minutes, ending with the one that `to` falls into: an hour until now in
 * 60 buckets is this minute and the 59 before it. Where the minutes cannot be shared out equally, the span begins earlier.
 */
export const trafficOf = async (
  db: Queryable,
  applicationId: string,
  { subscriptionId, ...span }: TrafficSpan & { readonly subscriptionId?: string | undefined },
): Promise<Traffic> => {
  const parts = partsOf(span);
  const found = await read(
    db,
    parts,
    [applicationId],
    subscriptionId === undefined ? null : [subscriptionId],
    TRAFFIC_SUBSCRIPTIONS_MAX,
  );
  const all = parts.map((_, index) => add([...found.values()].flatMap((sums) => sums[index] ?? [])));
  const subscriptions = [...found]
    .filter(([id]) => id !== NO_SUBSCRIPTION)
    .map(([id, sums]) => ({ subscriptionId: id, total: whole(span, parts, sums), buckets: toBuckets(parts, sums) }));
  return {
    total: whole(span, parts, all),
    buckets: toBuckets(parts, all),
    subscriptions: subscriptions.sort(byFailures),
  };
};

/**
 * The same as of a cut, which does no more than move the end of the span to the beginning of the minute that the cut
 * divides: of that minute nobody can tell what came before the cut. Throws ReadModelBehind.
 */
export const trafficAsOf = async (
  { db, cut }: Past,
  applicationId: string,
  request: Parameters<typeof trafficOf>[2],
): Promise<Traffic> => {
  await awaitReadModels(db, [trafficProjection], cut);
  return trafficOf(db, applicationId, { ...request, to: endBefore(cut, request.to) });
};

/**
 * The buckets of many subscriptions in one statement; those without traffic have buckets, too. As of a cut as
 * {@link trafficAsOf} has it.
 */
export const trafficOfSubscriptions = async (
  db: Queryable,
  subscriptions: readonly { readonly applicationId: string; readonly subscriptionId: string }[],
  span: TrafficSpan,
  cut?: Cut,
): Promise<Map<string, readonly TrafficBucket[]>> => {
  if (cut) await awaitReadModels(db, [trafficProjection], cut);
  const parts = partsOf(cut ? { ...span, to: endBefore(cut, span.to) } : span);
  const applicationIds = [...new Set(subscriptions.map(({ applicationId }) => applicationId))];
  const ids = subscriptions.map(({ subscriptionId }) => subscriptionId);
  const found = await read(db, parts, applicationIds, ids, ids.length);
  return new Map(ids.map((id) => [id, toBuckets(parts, found.get(id) ?? [])]));
};

const endBefore = ({ instant }: Cut, to: Date): Date =>
  new Date(Math.min(to.getTime(), Math.floor(instant.getTime() / MINUTE_MS) * MINUTE_MS));

type Part = { readonly from: Date; readonly to: Date };

const partsOf = ({ from, to, buckets }: TrafficSpan): Part[] => {
  const minutes = Math.max(0, Math.ceil((to.getTime() - from.getTime()) / MINUTE_MS));
  const partMs = Math.ceil(minutes / buckets) * MINUTE_MS;
  const count = minutes === 0 ? 0 : Math.ceil((minutes * MINUTE_MS) / partMs);
  const end = Math.ceil(to.getTime() / MINUTE_MS) * MINUTE_MS;
  return Array.from({ length: count }, (_, index) => {
    const begin = end - (count - index) * partMs;
    return { from: new Date(begin), to: new Date(begin + partMs) };
  });
};

/** Sums by subscription and part; the nil UUID has the events, and the subscriptions beyond `limit`. */
const read = async (
  db: Queryable,
  parts: readonly Part[],
  applicationIds: readonly string[],
  subscriptionIds: readonly string[] | null,
  limit: number,
): Promise<Map<string, Sums[]>> => {
  const [first, last] = [parts[0], parts.at(-1)];
  if (!first || !last) return new Map();
  const partMs = first.to.getTime() - first.from.getTime();
  const { rows } = await db.query<Row>(READ, [applicationIds, first.from, last.to, partMs, subscriptionIds, limit]);
  const found = new Map<string, Sums[]>();
  for (const row of rows) {
    const sums = found.get(row.subscription_id) ?? parts.map(nothing);
    sums[row.bucket] = toSums(row);
    found.set(row.subscription_id, sums);
  }
  return found;
};

const toSums = ({ events, succeeded, failed, timeouts, dead_lettered, durations, requests }: Row): Sums => {
  const histogram: number[] = [];
  for (const [index, bucket] of durations.entries()) countInto(histogram, bucket, requests[index]);
  return { events, succeeded, failed, timeouts, deadLettered: dead_lettered, durations: histogram };
};

const nothing = (): Sums => ({ events: 0, succeeded: 0, failed: 0, timeouts: 0, deadLettered: 0, durations: [] });

const add = (all: readonly Sums[]): Sums => {
  const sum = nothing();
  for (const { events, succeeded, failed, timeouts, deadLettered, durations } of all) {
    sum.events += events;
    sum.succeeded += succeeded;
    sum.failed += failed;
    sum.timeouts += timeouts;
    sum.deadLettered += deadLettered;
    addInto(sum.durations, durations);
  }
  return sum;
};

const toBuckets = (parts: readonly Part[], sums: readonly Sums[]): TrafficBucket[] =>
  parts.map((part, index) => toBucket(part, sums[index] ?? nothing()));

/** A span that a cut has left nothing of ends where it begins. */
const whole = ({ from }: TrafficSpan, parts: readonly Part[], sums: readonly Sums[]): TrafficBucket =>
  toBucket({ from: parts[0]?.from ?? from, to: parts.at(-1)?.to ?? from }, add(sums));

const toBucket = ({ from, to }: Part, { durations, ...counts }: Sums): TrafficBucket => ({
  from,
  to,
  ...counts,
  p50Ms: percentile(durations, 0.5),
  p95Ms: percentile(durations, 0.95),
  p99Ms: percentile(durations, 0.99),
});

const requestsOf = ({ total }: SubscriptionTraffic): number => total.succeeded + total.failed;
const failureShare = (traffic: SubscriptionTraffic): number => traffic.total.failed / Math.max(1, requestsOf(traffic));

const byFailures = (a: SubscriptionTraffic, b: SubscriptionTraffic): number =>
  failureShare(b) - failureShare(a) || requestsOf(b) - requestsOf(a) || (a.subscriptionId < b.subscriptionId ? -1 : 1);
