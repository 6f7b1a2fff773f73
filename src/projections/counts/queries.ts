import { minUuidAt } from '../../domain/event/ids.ts';
import { awaitReadModels } from '../as-of/catch-up.ts';
import { cutArray, cutAt, endOf, positionIn } from '../as-of/cut.ts';
import type { Past } from '../as-of/past.ts';
import { countConfigurationAsOf } from '../configuration/as-of.ts';
import { deliveryProjection } from '../delivery/projection.ts';
import { TALLIED, TALLY_POSITIONS, type Tallied, tallyEvents } from '../delivery/tally.ts';
import { countEventsUpTo } from '../event/as-of.ts';
import { eventProjection } from '../event/projection.ts';
import type { Queryable } from '../page.ts';
import { requestAttemptProjection } from '../request-attempt/projection.ts';

export type DeliveryCounts = {
  /** Due, or under way. */
  readonly pending: number;
  /** For a later retry. */
  readonly waiting: number;
  readonly succeeded: number;
  readonly deadLettered: number;
  readonly cancelled: number;
};
export type RequestAttemptCounts = {
  readonly pending: number;
  readonly waiting: number;
  readonly succeeded: number;
  /** Without timeouts. */
  readonly failed: number;
  readonly timeout: number;
  readonly cancelled: number;
};
/** What an application has, or had. */
export type Counts = {
  readonly events: number;
  readonly deliveries: DeliveryCounts;
  readonly requestAttempts: RequestAttemptCounts;
  readonly deadLetters: number;
  readonly subscriptions: number;
  readonly eventTypes: number;
};

const SUMS = TALLIED.map((name) => `coalesce(sum(${name}), 0)::float8 AS ${name}`).join(', ');
const SUM_ALL = `SELECT ${SUMS} FROM delivery_tally WHERE application_id = $1`;
/** The whole buckets before the cut; what it has of the next one is read from the log. */
const SUM_BEFORE = `
  SELECT ${SUMS} FROM delivery_tally
  WHERE application_id = $1 AND bucket < ${cutAt('$2')} / ${TALLY_POSITIONS}`;
/** An attempt that is due later has not begun, so what changed since the cut was open at it. */
const COUNT_WAITING = `
  SELECT count(*)::int AS count FROM request_attempt
  WHERE application_id = $1 AND retry_count > 0 AND due_at > $2 AND request_attempt_id < $3
    AND ($4::bigint[] IS NULL OR created_position <= ${cutAt('$4')})
    AND (outcome IS NULL OR position > ${cutAt('$4')})`;
const COUNT_EVENTS =
  'SELECT ordinal::float8 AS count FROM event WHERE application_id = $1 ORDER BY position DESC LIMIT 1';
const COUNT_CONFIGURATION = `
  SELECT
    (SELECT count(*)::int FROM subscription WHERE application_id = $1 AND deleted_at IS NULL) AS subscriptions,
    (SELECT count(*)::int FROM event_type WHERE application_id = $1 AND is_active) AS event_types`;

const LAST_UUID = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** By key for each application, however many rows it has. */
const ANY_OF = (table: string, condition: string): string => `
  EXISTS (SELECT FROM unnest($1::uuid[]) AS a (id) CROSS JOIN LATERAL (
    SELECT FROM ${table} WHERE application_id = a.id AND ${condition} LIMIT 1) AS found)`;
const FIRST_STEPS = `
  SELECT ${ANY_OF('event_type', 'is_active')} AS has_event_type,
         ${ANY_OF('subscription', 'deleted_at IS NULL')} AS has_subscription,
         ${ANY_OF('event', 'true')} AS has_event`;

export type FirstSteps = {
  readonly hasEventType: boolean;
  readonly hasSubscription: boolean;
  readonly hasEvent: boolean;
};

/** Whether any of these applications has an active event type, a subscription, an event. */
export const findFirstSteps = async (db: Queryable, applicationIds: readonly string[]): Promise<FirstSteps> => {
  const { rows } = await db.query<{ has_event_type: boolean; has_subscription: boolean; has_event: boolean }>(
    FIRST_STEPS,
    [applicationIds],
  );
  return {
    hasEventType: rows[0]?.has_event_type === true,
    hasSubscription: rows[0]?.has_subscription === true,
    hasEvent: rows[0]?.has_event === true,
  };
};

/** As the read models have it now; an application that is not known has nothing. */
export const countsOf = async (db: Queryable, applicationId: string, now: Date): Promise<Counts> => {
  const [sums, waiting, events, configuration] = await Promise.all([
    db.query<Record<Tallied, number>>(SUM_ALL, [applicationId]),
    countWaiting(db, [applicationId, now, LAST_UUID, null]),
    db.query<{ count: number }>(COUNT_EVENTS, [applicationId]),
    db.query<{ subscriptions: number; event_types: number }>(COUNT_CONFIGURATION, [applicationId]),
  ]);
  const { subscriptions = 0, event_types: eventTypes = 0 } = configuration.rows[0] ?? {};
  return toCounts(sums.rows[0] ?? NOTHING, { waiting, events: events.rows[0]?.count ?? 0, subscriptions, eventTypes });
};

/**
 * As it was at a cut: sums of whole buckets, and the parts of buckets that the cut divides from the log. The cost is that of
 * the buckets, {@link TALLY_POSITIONS} positions each, and of half a bucket of log per partition. Throws ReadModelBehind.
 */
export const countsAsOf = async (past: Past, applicationId: string, partition: number): Promise<Counts> => {
  const { db, cut } = past;
  await awaitReadModels(db, [eventProjection, deliveryProjection, requestAttemptProjection], cut);
  const array = cutArray(cut);
  const [sums, rest, waiting, events, configuration] = await Promise.all([
    db.query<Record<Tallied, number>>(SUM_BEFORE, [applicationId, array]),
    sumDivided(past, applicationId),
    countWaiting(db, [applicationId, cut.instant, minUuidAt(Math.max(0, endOf(cut))), array]),
    countEventsUpTo(db, applicationId, positionIn(cut, partition)),
    countConfigurationAsOf(past, applicationId),
  ]);
  const before = sums.rows[0] ?? NOTHING;
  return toCounts(
    Object.fromEntries(TALLIED.map((name) => [name, before[name] + rest[name]])) as Record<Tallied, number>,
    { ...configuration, waiting, events },
  );
};

const NOTHING = Object.fromEntries(TALLIED.map((name) => [name, 0])) as Record<Tallied, number>;

const sumDivided = async ({ reader, cut }: Past, applicationId: string): Promise<Record<Tallied, number>> => {
  const ranges = [...cut.positions].map(([partition, upTo]) => ({
    partition,
    after: Math.floor(upTo / TALLY_POSITIONS) * TALLY_POSITIONS,
    upTo,
  }));
  const events = await reader.readRanges(ranges.filter(({ after, upTo }) => after < upTo));
  const own = events.filter(({ data }) => data.applicationId === applicationId);
  const tallies = await tallyEvents(own, reader);
  return Object.fromEntries(
    TALLIED.map((name) => [name, tallies.reduce((sum, tally) => sum + tally[name], 0)]),
  ) as Record<Tallied, number>;
};

const countWaiting = async (db: Queryable, values: unknown[]): Promise<number> => {
  const { rows } = await db.query<{ count: number }>(COUNT_WAITING, values);
  return rows[0]?.count ?? 0;
};

const toCounts = (
  sums: Record<Tallied, number>,
  { waiting, ...others }: Pick<Counts, 'events' | 'subscriptions' | 'eventTypes'> & { waiting: number },
): Counts => {
  const open = sums.deliveries - sums.succeeded - sums.dead_lettered - sums.cancelled;
  const ended = sums.attempts_succeeded + sums.attempts_failed + sums.attempts_timed_out + sums.attempts_cancelled;
  return {
    ...others,
    deliveries: {
      pending: Math.max(0, open - waiting),
      waiting,
      succeeded: sums.succeeded,
      deadLettered: sums.dead_lettered,
      cancelled: sums.cancelled,
    },
    requestAttempts: {
      pending: Math.max(0, sums.attempts - ended - waiting),
      waiting,
      succeeded: sums.attempts_succeeded,
      failed: sums.attempts_failed,
      timeout: sums.attempts_timed_out,
      cancelled: sums.attempts_cancelled,
    },
    deadLetters: sums.dead_lettered,
  };
};
