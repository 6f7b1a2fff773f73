import type { DeliveryEvent } from '../../domain/delivery/events.ts';
import type { EventEvent } from '../../domain/event/events.ts';
import { arrayLiteral } from '../../eventstore/statements.ts';
import type { RecordedEvent } from '../../eventstore/types.ts';
import { textLines } from '../columns.ts';
import type { Projection } from '../projection.ts';
import { bucketOf, countInto } from './histogram.ts';

export const MINUTE_MS = 60_000;
/** In place of a subscription, for events: a column of a key cannot be null. */
export const NO_SUBSCRIPTION = '00000000-0000-0000-0000-000000000000';

type Told = Extract<
  EventEvent | DeliveryEvent,
  { type: 'EventIngested' | 'AttemptSucceeded' | 'AttemptFailed' | 'DeliveryDeadLettered' }
>;
type Recorded = Told & Pick<RecordedEvent, 'partition' | 'recordedAtMs'>;

/** What a batch adds to a minute of a subscription, or of the events of an application. */
type Minute = {
  readonly atMs: number;
  readonly partition: number;
  readonly applicationId: string;
  readonly subscriptionId: string;
  events: number;
  succeeded: number;
  failed: number;
  timeouts: number;
  deadLettered: number;
  readonly durations: number[];
};

const CAN_HANDLE: readonly Told['type'][] = [
  'EventIngested',
  'AttemptSucceeded',
  'AttemptFailed',
  'DeliveryDeadLettered',
];

const addTo = (table: string): string => `
  INSERT INTO ${table} AS t
    (minute, events, succeeded, failed, timeouts, dead_lettered, partition_no, application_id, subscription_id, durations)
  SELECT minute, events, succeeded, failed, timeouts, dead_lettered, partition_no, application_id, subscription_id,
         durations::integer[]
  FROM unnest($1::timestamptz[], $2::integer[], $3::integer[], $4::integer[], $5::integer[], $6::integer[], $7::smallint[],
    $8::uuid[], $9::uuid[], string_to_array($10, E'\\n'))
    AS m (minute, events, succeeded, failed, timeouts, dead_lettered, partition_no, application_id, subscription_id, durations)
  ON CONFLICT (application_id, minute, subscription_id, partition_no) DO UPDATE
  SET events = t.events + excluded.events, succeeded = t.succeeded + excluded.succeeded, failed = t.failed + excluded.failed,
      timeouts = t.timeouts + excluded.timeouts, dead_lettered = t.dead_lettered + excluded.dead_lettered,
      durations = CASE
        WHEN cardinality(excluded.durations) = 0 THEN t.durations
        ELSE (SELECT array_agg(coalesce(d.a, 0) + coalesce(d.b, 0) ORDER BY d.bucket)
              FROM unnest(t.durations, excluded.durations) WITH ORDINALITY AS d (a, b, bucket))
      END`;

/** Throughput, outcomes and durations of requests by the minute (UTC) in which the log recorded them. */
export const trafficProjection: Projection = {
  name: 'traffic_minute',
  version: 1,
  tables: ['traffic_minute'],
  canHandle: CAN_HANDLE,
  mode: 'async',
  /** One statement; a row per minute, subscription and application of the batch, which are few. */
  apply: async (batch, { run, table }) => {
    const minutes = sumUp(batch as unknown as readonly Recorded[]);
    if (minutes.length > 0) await run(addTo(table('traffic_minute')), parametersOf(minutes));
  },
};

const sumUp = (batch: readonly Recorded[]): Minute[] => {
  const minutes = new Map<string, Minute>();
  for (const event of batch) {
    const { applicationId } = event.data;
    const subscriptionId = 'subscriptionId' in event.data ? event.data.subscriptionId : NO_SUBSCRIPTION;
    const atMs = Math.floor(event.recordedAtMs / MINUTE_MS) * MINUTE_MS;
    const key = `${atMs}${event.partition}:${subscriptionId}${applicationId}`;
    let minute = minutes.get(key);
    if (!minute) {
      const nothing = { events: 0, succeeded: 0, failed: 0, timeouts: 0, deadLettered: 0, durations: [] };
      minute = { atMs, partition: event.partition, applicationId, subscriptionId, ...nothing };
      minutes.set(key, minute);
    }
    count(minute, event);
  }
  return [...minutes.values()];
};

const count = (minute: Minute, event: Recorded): void => {
  switch (event.type) {
    case 'EventIngested':
      minute.events += 1;
      return;
    case 'AttemptSucceeded':
      minute.succeeded += 1;
      break;
    case 'AttemptFailed':
      minute.failed += 1;
      if (event.data.reason === 'timeout') minute.timeouts += 1;
      break;
    case 'DeliveryDeadLettered':
      minute.deadLettered += 1;
      return;
    default:
      event satisfies never;
      return;
  }
  // What was refused before anything was sent took no time: it failed, but was no request.
  const { totalMs } = event.data.timings;
  if (totalMs > 0) countInto(minute.durations, bucketOf(totalMs));
};

const parametersOf = (minutes: readonly Minute[]): unknown[] => [
  arrayLiteral(minutes.map(({ atMs }) => new Date(atMs).toISOString())),
  arrayLiteral(minutes.map(({ events }) => events)),
  arrayLiteral(minutes.map(({ succeeded }) => succeeded)),
  arrayLiteral(minutes.map(({ failed }) => failed)),
  arrayLiteral(minutes.map(({ timeouts }) => timeouts)),
  arrayLiteral(minutes.map(({ deadLettered }) => deadLettered)),
  arrayLiteral(minutes.map(({ partition }) => partition)),
  arrayLiteral(minutes.map(({ applicationId }) => applicationId)),
  arrayLiteral(minutes.map(({ subscriptionId }) => subscriptionId)),
  textLines(minutes.map(({ durations }) => arrayLiteral(durations))),
];
