import type { AttemptResult, DeliveryEvent, Scheduled } from '../../domain/delivery/events.ts';
import { arrayLiteral } from '../../eventstore/statements.ts';
import type { RecordedEvent } from '../../eventstore/types.ts';
import { quotedLines, textLines } from '../columns.ts';
import type { Projection, ProjectionTarget } from '../projection.ts';

export type AttemptOutcome = 'succeeded' | 'failed' | 'cancelled';

const CAN_HANDLE: readonly DeliveryEvent['type'][] = [
  'AttemptScheduled',
  'AttemptRescheduled',
  'AttemptSucceeded',
  'AttemptFailed',
  'DeliveryCancelled',
];

type Recorded = DeliveryEvent & Pick<RecordedEvent, 'partition' | 'position'>;

type End = {
  readonly outcome: AttemptOutcome;
  readonly finishedAt: string;
  readonly reason: string | null;
  readonly message: string | null;
  /** Null when it was cancelled before it began. */
  readonly result: AttemptResult | null;
};

/** What a batch makes of one attempt: a whole row when `scheduled`, else a change of the row that is there. */
type Change = {
  readonly partition: number;
  readonly applicationId: string;
  readonly attemptId: string;
  readonly scheduled: Scheduled | undefined;
  /** Of the first and the last domain event about it in the batch. */
  readonly since: number;
  position: number;
  /** Null: as it was. */
  dueAt: string | null;
  end: End | undefined;
};

/** The end of the attempt that a delivery is waiting for, when the batch does not tell which one that is. */
type Cancellation = {
  readonly partition: number;
  readonly position: number;
  readonly applicationId: string;
  readonly eventId: string;
  readonly deliveryId: string;
  readonly reason: string;
  readonly cancelledAt: string;
};

type Folded = { readonly changes: readonly Change[]; readonly cancellations: readonly Cancellation[] };

const END_COLUMNS =
  'started_at, finished_at, response_bytes, http_status, response_truncated, outcome, reason, message, timings';
/** Of an array per column of the end, in the order of `endParameters`, as columns of a row called `e`. */
const END_VALUES = `e.started_at, e.finished_at, e.response_bytes, e.http_status, e.response_truncated, NULLIF(e.outcome, ''),
         NULLIF(e.reason, ''), e.message::json #>> '{}', NULLIF(e.timings, 'null')::json`;
const endArrays = (from: number): string => {
  const [started, finished, bytes, status, truncated, outcome, reason, message, timings] = Array.from(
    { length: 9 },
    (_, index) => `$${from + index}`,
  );
  return `${started}::timestamptz[], ${finished}::timestamptz[], ${bytes}::integer[], ${status}::smallint[], ${truncated}::boolean[],
    ${outcome}::text[], string_to_array(${reason}, E'\\n'), string_to_array(${message}, E'\\n'), string_to_array(${timings}, E'\\n')`;
};

const insertInto = (table: string): string => `
  INSERT INTO ${table}
    (created_at, due_at, attempt_number, retry_count, partition_no, application_id, organization_id, subscription_id, event_id,
     delivery_id, request_attempt_id, event_type, created_position, position, ${END_COLUMNS})
  SELECT e.created_at, e.due_at, e.attempt_number, e.retry_count, e.partition_no, e.application_id, e.organization_id,
         e.subscription_id, e.event_id, e.delivery_id, e.request_attempt_id, e.event_type, e.created_position, e.position, ${END_VALUES}
  FROM unnest($1::timestamptz[], $2::timestamptz[], $3::integer[], $4::integer[], $5::smallint[], $6::uuid[], $7::uuid[],
    $8::uuid[], $9::uuid[], $10::uuid[], $11::uuid[], string_to_array($12, E'\\n'), $13::bigint[], $14::bigint[], ${endArrays(15)})
    AS e (created_at, due_at, attempt_number, retry_count, partition_no, application_id, organization_id, subscription_id,
          event_id, delivery_id, request_attempt_id, event_type, created_position, position, ${END_COLUMNS})`;

const finish = (table: string): string => `
  UPDATE ${table} AS a
  SET (position, ${END_COLUMNS}) = ROW (e.position, ${END_VALUES})
  FROM unnest($1::smallint[], $2::uuid[], $3::uuid[], $4::bigint[], ${endArrays(5)})
    AS e (partition_no, application_id, request_attempt_id, position, ${END_COLUMNS})
  WHERE a.application_id = e.application_id AND a.request_attempt_id = e.request_attempt_id AND a.partition_no = e.partition_no`;

const move = (table: string): string => `
  UPDATE ${table} AS a SET due_at = m.due_at, position = m.position
  FROM unnest($1::smallint[], $2::uuid[], $3::uuid[], $4::bigint[], $5::timestamptz[])
    AS m (partition_no, application_id, request_attempt_id, position, due_at)
  WHERE a.application_id = m.application_id AND a.request_attempt_id = m.request_attempt_id AND a.partition_no = m.partition_no`;

/** A cancelled delivery does not say which attempt was waiting: it is the only one of the delivery without an end. */
const cancel = (table: string): string => `
  UPDATE ${table} AS a SET outcome = 'cancelled', finished_at = c.cancelled_at, reason = c.reason, position = c.position
  FROM unnest($1::smallint[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[], $7::bigint[])
    AS c (partition_no, application_id, event_id, delivery_id, reason, cancelled_at, position)
  WHERE a.application_id = c.application_id AND a.event_id = c.event_id AND a.delivery_id = c.delivery_id
    AND a.partition_no = c.partition_no AND a.outcome IS NULL`;

/** Every request that was made, is waiting or was given up: one row per attempt. */
export const requestAttemptProjection: Projection = {
  name: 'request_attempt',
  version: 2,
  tables: ['request_attempt'],
  canHandle: CAN_HANDLE,
  mode: 'async',
  apply: async (batch, target) => write(foldAttempts(batch as unknown as readonly Recorded[]), target),
};

const write = async ({ changes, cancellations }: Folded, { run, table }: ProjectionTarget): Promise<void> => {
  const name = table('request_attempt');
  const fresh = changes.filter(({ scheduled }) => scheduled);
  const known = changes.filter(({ scheduled }) => !scheduled);
  const moved = known.filter(({ dueAt }) => dueAt !== null);
  const ended = known.filter(({ end }) => end);
  // First of all: an attempt that a later replay of this batch brings must not be taken for the one that was waiting.
  if (cancellations.length > 0) await run(cancel(name), cancellationParameters(cancellations));
  if (moved.length > 0) await run(move(name), [...keys(moved), arrayLiteral(moved.map(({ dueAt }) => dueAt))]);
  if (ended.length > 0) await run(finish(name), [...keys(ended), ...endParameters(ended)]);
  if (fresh.length > 0) await run(insertInto(name), rowParameters(fresh));
};

/** Folds a batch in order, so that an attempt that begins and ends in it is written once. */
const foldAttempts = (batch: readonly Recorded[]): Folded => {
  const changes = new Map<string, Change>();
  const cancellations: Cancellation[] = [];
  /** The attempt that each delivery last spoke of. */
  const latest = new Map<string, Change>();
  const changeOf = (
    { partition, position, data }: Exclude<Recorded, { type: `Delivery${string}` }>,
    scheduled?: Scheduled,
  ): Change => {
    let change = changes.get(data.attemptId);
    if (!change) {
      const { applicationId, attemptId } = data;
      change = {
        partition,
        applicationId,
        attemptId,
        scheduled,
        since: position,
        position,
        dueAt: null,
        end: undefined,
      };
      changes.set(attemptId, change);
    }
    change.position = position;
    latest.set(data.deliveryId, change);
    return change;
  };
  for (const event of batch) {
    switch (event.type) {
      case 'AttemptScheduled':
        changeOf(event, event.data).dueAt = event.data.dueAt;
        break;
      case 'AttemptRescheduled':
        changeOf(event).dueAt = event.data.dueAt;
        break;
      case 'AttemptSucceeded': {
        const { finishedAt } = event.data;
        changeOf(event).end = { outcome: 'succeeded', finishedAt, reason: null, message: null, result: event.data };
        break;
      }
      case 'AttemptFailed': {
        const { finishedAt, reason, message } = event.data;
        changeOf(event).end = { outcome: 'failed', finishedAt, reason, message, result: event.data };
        break;
      }
      case 'DeliveryCancelled': {
        const { applicationId, deliveryId, eventId, reason, cancelledAt } = event.data;
        const change = latest.get(deliveryId);
        const { partition, position } = event;
        if (!change)
          cancellations.push({ partition, position, applicationId, eventId, deliveryId, reason, cancelledAt });
        else if (!change.end) {
          change.position = position;
          change.end = { outcome: 'cancelled', finishedAt: cancelledAt, reason, message: null, result: null };
        }
        break;
      }
    }
  }
  return { changes: [...changes.values()], cancellations };
};

const keys = (changes: readonly Change[]): string[] => [
  arrayLiteral(changes.map(({ partition }) => partition)),
  arrayLiteral(changes.map(({ applicationId }) => applicationId)),
  arrayLiteral(changes.map(({ attemptId }) => attemptId)),
  arrayLiteral(changes.map(({ position }) => position)),
];

const endParameters = (changes: readonly Change[]): unknown[] => [
  arrayLiteral(changes.map(({ end }) => end?.result?.startedAt ?? null)),
  arrayLiteral(changes.map(({ end }) => end?.finishedAt ?? null)),
  arrayLiteral(changes.map(({ end }) => end?.result?.response?.bodyBytes ?? null)),
  arrayLiteral(changes.map(({ end }) => end?.result?.httpStatus ?? null)),
  arrayLiteral(changes.map(({ end }) => flag(end?.result?.response?.truncated))),
  arrayLiteral(changes.map(({ end }) => end?.outcome ?? '""')),
  textLines(changes.map(({ end }) => end?.reason ?? null)),
  quotedLines(changes.map(({ end }) => end?.message ?? null)),
  changes.map(({ end }) => JSON.stringify(end?.result?.timings ?? null)).join('\n'),
];

const flag = (value: boolean | undefined): string | null => (value === undefined ? null : String(value));

const rowParameters = (changes: readonly Change[]): unknown[] => {
  const scheduled = changes.flatMap(({ scheduled: first }) => (first ? [first] : []));
  return [
    arrayLiteral(scheduled.map(({ scheduledAt }) => scheduledAt)),
    arrayLiteral(changes.map(({ dueAt }) => dueAt)),
    arrayLiteral(scheduled.map(({ attemptNumber }) => attemptNumber)),
    arrayLiteral(scheduled.map(({ retryCount }) => retryCount)),
    arrayLiteral(changes.map(({ partition }) => partition)),
    arrayLiteral(scheduled.map(({ applicationId }) => applicationId)),
    arrayLiteral(scheduled.map(({ organizationId }) => organizationId)),
    arrayLiteral(scheduled.map(({ subscriptionId }) => subscriptionId)),
    arrayLiteral(scheduled.map(({ eventId }) => eventId)),
    arrayLiteral(scheduled.map(({ deliveryId }) => deliveryId)),
    arrayLiteral(scheduled.map(({ attemptId }) => attemptId)),
    textLines(scheduled.map(({ eventType }) => eventType)),
    arrayLiteral(changes.map(({ since }) => since)),
    arrayLiteral(changes.map(({ position }) => position)),
    ...endParameters(changes),
  ];
};

const cancellationParameters = (cancellations: readonly Cancellation[]): unknown[] => [
  arrayLiteral(cancellations.map(({ partition }) => partition)),
  arrayLiteral(cancellations.map(({ applicationId }) => applicationId)),
  arrayLiteral(cancellations.map(({ eventId }) => eventId)),
  arrayLiteral(cancellations.map(({ deliveryId }) => deliveryId)),
  arrayLiteral(cancellations.map(({ reason }) => reason)),
  arrayLiteral(cancellations.map(({ cancelledAt }) => cancelledAt)),
  arrayLiteral(cancellations.map(({ position }) => position)),
];
