import type { CancelReason, DeadLetterReason } from '../../domain/delivery/events.ts';
import { minUuidAt } from '../../domain/event/ids.ts';
import {
  type Count,
  countStatement,
  decodeCursor,
  isAnySet,
  orNull,
  type Page,
  type PageRequest,
  pageStatement,
  type Queryable,
  readCount,
  rowsToRead,
  type Selection,
  toPage,
} from '../page.ts';
import type { DeliveryStatus } from './projection.ts';

export type DeliveryRecord = {
  readonly deliveryId: string;
  readonly applicationId: string;
  readonly organizationId: string;
  readonly subscriptionId: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly status: DeliveryStatus;
  /** Why it is a dead letter, or was cancelled. */
  readonly reason: DeadLetterReason | CancelReason | null;
  /** Attempts scheduled so far, over all replays; the last one may be waiting. */
  readonly attempts: number;
  readonly lastAttemptId: string;
  /** When the next attempt is due; null when the delivery is over. */
  readonly dueAt: Date | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly partition: number;
  /** Of the last domain event about it, in its log partition. */
  readonly position: number;
};

export type DeliveryFilter = {
  readonly subscriptionId?: string | undefined;
  /** Delivery ids begin with the instant of reception, which makes this a range of the key. */
  readonly event?: { readonly eventId: string; readonly receivedAt: Date } | undefined;
  readonly status?: DeliveryStatus | undefined;
  readonly eventType?: string | undefined;
  /** By when the event was received; from inclusive, to exclusive. */
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
};

export type DeliveryRow = {
  delivery_id: string;
  application_id: string;
  organization_id: string;
  subscription_id: string;
  event_id: string;
  event_type: string;
  status: DeliveryStatus;
  reason: DeadLetterReason | CancelReason | null;
  attempts: number;
  last_attempt_id: string;
  due_at: Date | null;
  created_at: Date;
  updated_at: Date;
  partition_no: number;
  position: number;
};

export const LIST = 'deliveries';
export const COLUMNS = `delivery_id, application_id, organization_id, subscription_id, event_id, event_type, status, reason, attempts,
  last_attempt_id, due_at, created_at, updated_at, partition_no, position::float8 AS position`;

export const RANGE = `application_id = $1 AND ($2::uuid IS NULL OR delivery_id < $2) AND ($3::uuid IS NULL OR subscription_id = $3)
    AND ($4::uuid IS NULL OR delivery_id >= $4) AND ($5::uuid IS NULL OR delivery_id < $5)`;
const DELIVERIES: Selection = {
  table: 'delivery',
  key: 'delivery_id',
  kind: 'uuid',
  columns: COLUMNS,
  range: RANGE,
  filter: `($6::uuid IS NULL OR event_id = $6) AND ($7::text IS NULL OR status = $7) AND ($8::text IS NULL OR event_type = $8)`,
  isFiltered: '$9',
  limit: '$10',
};
const LIST_DELIVERIES = pageStatement(DELIVERIES);
const COUNT_DELIVERIES = countStatement(DELIVERIES);
const FIND_DELIVERY = `SELECT ${COLUMNS} FROM delivery WHERE application_id = $1 AND delivery_id = $2`;

/** The id of the 48 bits of milliseconds alone: where the deliveries of an instant begin. */
export const minUuid = (instant: string): string =>
  `rpad(lpad(to_hex(floor(extract(epoch FROM ${instant}) * 1000)::bigint), 12, '0'), 32, '0')::uuid`;

/** A condition on a row of the read model `event`: one of its deliveries has this status. */
export const EVENT_HAS_DELIVERY = (event: string, status: string): string =>
  EVENT_HAS_DELIVERY_WITH(event, `d.status = ${status}`);

/** The same for any condition on the delivery, which is called `d`. */
export const EVENT_HAS_DELIVERY_WITH = (event: string, condition: string): string => `EXISTS (
      SELECT FROM delivery AS d
      WHERE d.application_id = ${event}.application_id AND d.event_id = ${event}.event_id AND ${condition}
        AND d.delivery_id >= ${minUuid(`${event}.received_at`)}
        AND d.delivery_id < ${minUuid(`${event}.received_at + interval '1 millisecond'`)})`;

const filterValues = (
  applicationId: string,
  { subscriptionId, event, status, eventType, from, to }: DeliveryFilter,
  after: string | null,
  limit: number,
): unknown[] => {
  return [
    applicationId,
    after,
    orNull(subscriptionId),
    ...keyRange({ event, from, to }),
    orNull(event?.eventId),
    orNull(status),
    orNull(eventType),
    isAnySet(event, status, eventType),
    limit,
  ];
};

/** Deliveries of an application, those of the newest events first. Throws InvalidCursor. */
export const listDeliveries = async (
  db: Queryable,
  applicationId: string,
  { cursor, limit, ...filter }: DeliveryFilter & PageRequest,
): Promise<Page<DeliveryRecord>> => {
  const { rows } = await db.query<DeliveryRow & { scanned_to: string | null }>(
    LIST_DELIVERIES,
    filterValues(applicationId, filter, decodeCursor(LIST, 'uuid', cursor), rowsToRead(limit)),
  );
  const found = rows.filter((row) => row.delivery_id !== null).map(toDelivery);
  return toPage(LIST, found, { limit, keyOf: ({ deliveryId }) => deliveryId, scannedTo: rows[0]?.scanned_to ?? null });
};

/** Counting stops at `limit`. */
export const countDeliveries = (
  db: Queryable,
  applicationId: string,
  filter: DeliveryFilter,
  limit: number,
): Promise<Count> => readCount(db, COUNT_DELIVERIES, filterValues(applicationId, filter, null, limit));

/** Deliveries of one event that are shown with it. */
export const DELIVERIES_OF_EVENT_MAX = 1_000;
/** `$1` to `$4` say which events, `$5` how many deliveries in all. */
export const listOfEvents = (columns: string, condition: string): string => `
  SELECT d.*
  FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[]) AS e (application_id, event_id, since, until)
  CROSS JOIN LATERAL (
    SELECT ${columns} FROM delivery
    WHERE delivery.application_id = e.application_id AND delivery.event_id = e.event_id
      AND delivery_id >= e.since AND delivery_id < e.until ${condition}
    ORDER BY subscription_id
    LIMIT ${DELIVERIES_OF_EVENT_MAX}) AS d
  LIMIT $5`;
const LIST_OF_EVENTS = listOfEvents(COLUMNS, '');

export type OwingEvent = { readonly applicationId: string; readonly eventId: string; readonly receivedAt: Date };

export const valuesOfEvents = (events: readonly OwingEvent[], limit: number): unknown[] => [
  events.map(({ applicationId }) => applicationId),
  events.map(({ eventId }) => eventId),
  events.map(({ receivedAt }) => minUuidAt(receivedAt.getTime())),
  events.map(({ receivedAt }) => minUuidAt(receivedAt.getTime() + 1)),
  limit,
];

/**
 * The deliveries of many events, those of the oldest subscriptions first; at most {@link DELIVERIES_OF_EVENT_MAX} of each
 * event, and `limit` in all.
 */
export const listDeliveriesOfEvents = async (
  db: Queryable,
  events: readonly OwingEvent[],
  limit: number,
): Promise<DeliveryRecord[]> => {
  const { rows } = await db.query<DeliveryRow>(LIST_OF_EVENTS, valuesOfEvents(events, limit));
  return rows.map(toDelivery);
};

/** The keys of a range of time: from inclusive, to exclusive, null without a bound. */
export const keyRange = ({
  event,
  from,
  to,
}: Pick<DeliveryFilter, 'event' | 'from' | 'to'>): [string | null, string | null] => {
  const fromMs = Math.max(from?.getTime() ?? 0, event?.receivedAt.getTime() ?? 0);
  const toMs = Math.min(
    to?.getTime() ?? Number.POSITIVE_INFINITY,
    event ? event.receivedAt.getTime() + 1 : Number.POSITIVE_INFINITY,
  );
  return [fromMs > 0 ? minUuidAt(fromMs) : null, Number.isFinite(toMs) ? minUuidAt(Math.max(0, toMs)) : null];
};

export const findDelivery = async (
  db: Queryable,
  applicationId: string,
  deliveryId: string,
): Promise<DeliveryRecord | undefined> => {
  const { rows } = await db.query<DeliveryRow>(FIND_DELIVERY, [applicationId, deliveryId]);
  return rows[0] && toDelivery(rows[0]);
};

export const toDelivery = (row: DeliveryRow): DeliveryRecord => ({
  deliveryId: row.delivery_id,
  applicationId: row.application_id,
  organizationId: row.organization_id,
  subscriptionId: row.subscription_id,
  eventId: row.event_id,
  eventType: row.event_type,
  status: row.status,
  reason: row.reason,
  attempts: row.attempts,
  lastAttemptId: row.last_attempt_id,
  dueAt: row.due_at,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  partition: row.partition_no,
  position: row.position,
});
