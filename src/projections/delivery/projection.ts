import type { CancelReason, DeadLetterReason, DeliveryEvent, Scheduled } from '../../domain/delivery/events.ts';
import { arrayLiteral } from '../../eventstore/statements.ts';
import type { RecordedEvent } from '../../eventstore/types.ts';
import { textLines } from '../columns.ts';
import type { Projection } from '../projection.ts';
import { readerOn } from '../reader.ts';
import { addTallies, tallyEvents } from './tally.ts';

export type DeliveryStatus = 'pending' | 'succeeded' | 'dead_lettered' | 'cancelled';

const CAN_HANDLE: readonly DeliveryEvent['type'][] = [
  'AttemptScheduled',
  'AttemptRescheduled',
  'AttemptSucceeded',
  'AttemptFailed',
  'DeliveryDeadLettered',
  'DeliveryCancelled',
];

type Recorded = DeliveryEvent & Pick<RecordedEvent, 'partition' | 'position'>;

/** What a batch makes of one delivery: a whole row when `begun`, else a change of the row that is there. */
type Change = {
  readonly partition: number;
  readonly applicationId: string;
  readonly deliveryId: string;
  /** The first attempt, when it was scheduled in this batch. */
  readonly begun: Scheduled | undefined;
  /** Of the first and the last domain event about it in the batch. */
  readonly since: number;
  position: number;
  updatedAt: string;
  /** Null: as it was. Status, due time and reason change together. */
  status: DeliveryStatus | null;
  /** With a null status: moved to, or null for as it was. */
  dueAt: string | null;
  reason: DeadLetterReason | CancelReason | null;
  attempts: number | null;
  attemptId: string | null;
};

const insertInto = (table: string): string => `
  INSERT INTO ${table}
    (position, created_at, updated_at, due_at, attempts, partition_no, application_id, organization_id, subscription_id,
     event_id, delivery_id, last_attempt_id, event_type, status, reason, created_position)
  SELECT position, created_at, updated_at, due_at, attempts, partition_no, application_id, organization_id, subscription_id,
         event_id, delivery_id, last_attempt_id, event_type, status, NULLIF(reason, ''), created_position
  FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::integer[], $6::smallint[],
    $7::uuid[], $8::uuid[], $9::uuid[], $10::uuid[], $11::uuid[], $12::uuid[],
    string_to_array($13, E'\\n'), string_to_array($14, E'\\n'), string_to_array($15, E'\\n'), $16::bigint[])
    AS d (position, created_at, updated_at, due_at, attempts, partition_no, application_id, organization_id, subscription_id,
          event_id, delivery_id, last_attempt_id, event_type, status, reason, created_position)`;

const update = (table: string): string => `
  UPDATE ${table} AS d
  SET position = c.position, updated_at = c.updated_at,
      status = coalesce(NULLIF(c.status, ''), d.status),
      due_at = CASE WHEN c.status = '' THEN coalesce(c.due_at, d.due_at) ELSE c.due_at END,
      reason = CASE WHEN c.status = '' THEN d.reason ELSE NULLIF(c.reason, '') END,
      attempts = coalesce(c.attempts, d.attempts), last_attempt_id = coalesce(c.attempt_id, d.last_attempt_id)
  FROM unnest($1::smallint[], $2::uuid[], $3::uuid[], $4::bigint[], $5::timestamptz[], $6::timestamptz[], $7::integer[], $8::uuid[],
    $9::text[], $10::text[])
    AS c (partition_no, application_id, delivery_id, position, updated_at, due_at, attempts, attempt_id, status, reason)
  WHERE d.application_id = c.application_id AND d.delivery_id = c.delivery_id AND d.partition_no = c.partition_no`;

/** Where each delivery stands: one row per delivery over all its attempts and replays; and the sums of all that. */
export const deliveryProjection: Projection = {
  name: 'delivery',
  version: 2,
  tables: ['delivery', 'delivery_tally'],
  canHandle: CAN_HANDLE,
  mode: 'async',
  apply: async (batch, { run, table }) => {
    const changes = [...foldDeliveries(batch as unknown as readonly Recorded[]).values()];
    const known = changes.filter(({ begun }) => !begun);
    const fresh = changes.filter(({ begun }) => begun);
    if (known.length > 0) await run(update(table('delivery')), changeParameters(known));
    if (fresh.length > 0) await run(insertInto(table('delivery')), rowParameters(fresh));
    await addTallies(run, table('delivery_tally'), await tallyEvents(batch, readerOn(run)));
  },
};

/** Folds a batch in order, so that a delivery that begins and ends in it is written once. */
const foldDeliveries = (batch: readonly Recorded[]): Map<string, Change> => {
  const changes = new Map<string, Change>();
  for (const event of batch) {
    const { deliveryId } = event.data;
    let change = changes.get(deliveryId);
    if (!change) {
      change = emptyChange(event);
      changes.set(deliveryId, change);
    }
    change.position = event.position;
    fold(change, event);
  }
  return changes;
};

const emptyChange = (event: Recorded): Change => ({
  partition: event.partition,
  applicationId: event.data.applicationId,
  deliveryId: event.data.deliveryId,
  // Attempts are numbered from 1 over all replays: the first one is the beginning of its delivery.
  begun: event.type === 'AttemptScheduled' && event.data.attemptNumber === 1 ? event.data : undefined,
  since: event.position,
  position: event.position,
  updatedAt: '',
  status: null,
  dueAt: null,
  reason: null,
  attempts: null,
  attemptId: null,
});

const fold = (change: Change, event: Recorded): void => {
  switch (event.type) {
    case 'AttemptScheduled':
      stand(change, 'pending', event.data.scheduledAt, event.data.dueAt);
      change.attempts = event.data.attemptNumber;
      change.attemptId = event.data.attemptId;
      return;
    case 'AttemptRescheduled':
      change.updatedAt = event.data.rescheduledAt;
      change.dueAt = event.data.dueAt;
      return;
    case 'AttemptFailed':
      change.updatedAt = event.data.finishedAt; // What follows from it is its own domain event.
      return;
    case 'AttemptSucceeded':
      stand(change, 'succeeded', event.data.finishedAt);
      return;
    case 'DeliveryDeadLettered':
      stand(change, 'dead_lettered', event.data.deadLetteredAt, null, event.data.reason);
      return;
    case 'DeliveryCancelled':
      stand(change, 'cancelled', event.data.cancelledAt, null, event.data.reason);
      return;
    default:
      event satisfies never;
  }
};

const stand = (
  change: Change,
  status: DeliveryStatus,
  updatedAt: string,
  dueAt: string | null = null,
  reason: DeadLetterReason | CancelReason | null = null,
): void => {
  change.status = status;
  change.updatedAt = updatedAt;
  change.dueAt = dueAt;
  change.reason = reason;
};

const rowParameters = (changes: readonly Change[]): unknown[] => {
  const first = (pick: (begun: Scheduled) => string): string[] =>
    changes.map(({ begun }) => (begun ? pick(begun) : ''));
  return [
    arrayLiteral(changes.map(({ position }) => position)),
    arrayLiteral(first(({ scheduledAt }) => scheduledAt)),
    arrayLiteral(changes.map(({ updatedAt }) => updatedAt)),
    arrayLiteral(changes.map(({ dueAt }) => dueAt)),
    arrayLiteral(changes.map(({ attempts }) => attempts)),
    arrayLiteral(changes.map(({ partition }) => partition)),
    arrayLiteral(changes.map(({ applicationId }) => applicationId)),
    arrayLiteral(first(({ organizationId }) => organizationId)),
    arrayLiteral(first(({ subscriptionId }) => subscriptionId)),
    arrayLiteral(first(({ eventId }) => eventId)),
    arrayLiteral(changes.map(({ deliveryId }) => deliveryId)),
    arrayLiteral(changes.map(({ attemptId }) => attemptId)),
    textLines(first(({ eventType }) => eventType)),
    textLines(changes.map(({ status }) => status)),
    textLines(changes.map(({ reason }) => reason)),
    arrayLiteral(changes.map(({ since }) => since)),
  ];
};

const changeParameters = (changes: readonly Change[]): unknown[] => [
  arrayLiteral(changes.map(({ partition }) => partition)),
  arrayLiteral(changes.map(({ applicationId }) => applicationId)),
  arrayLiteral(changes.map(({ deliveryId }) => deliveryId)),
  arrayLiteral(changes.map(({ position }) => position)),
  arrayLiteral(changes.map(({ updatedAt }) => updatedAt)),
  arrayLiteral(changes.map(({ dueAt }) => dueAt)),
  arrayLiteral(changes.map(({ attempts }) => attempts)),
  arrayLiteral(changes.map(({ attemptId }) => attemptId)),
  // Words of closed lists, or "" for none: `string_to_array('')` would be an empty array.
  arrayLiteral(changes.map(({ status }) => status ?? '""')),
  arrayLiteral(changes.map(({ reason }) => reason ?? '""')),
];
