import type { PayloadContentType } from '../../domain/event/events.ts';
import { cleanText } from '../columns.ts';
import type { DeliveryStatus } from '../delivery/projection.ts';
import { EVENT_HAS_DELIVERY } from '../delivery/queries.ts';
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

/** An event as lists show it. */
export type EventRecord = {
  readonly applicationId: string;
  readonly organizationId: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly payloadContentType: PayloadContentType;
  readonly payloadBytes: number;
  /** Hex. */
  readonly payloadSha256: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly occurredAt: Date | null;
  readonly receivedAt: Date;
  readonly ip: string | null;
  /** Subscriptions matched when it was ingested. */
  readonly deliveries: number;
  /** In the application's log partition. */
  readonly position: number;
  readonly configurationPosition: number;
};

export type EventFilter = {
  readonly eventType?: string | undefined;
  /** Events that carry all of these with equal values. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** By `receivedAt`; from inclusive, to exclusive. */
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
  /** Events with at least one delivery that stands so. */
  readonly status?: DeliveryStatus | undefined;
};

export type EventRow = {
  application_id: string;
  organization_id: string;
  event_id: string;
  event_type: string;
  content_type: PayloadContentType;
  payload_bytes: number;
  payload_sha256: string;
  labels: Record<string, string>;
  metadata: Record<string, string>;
  occurred_at: Date | null;
  received_at: Date;
  ip: string | null;
  deliveries: number;
  position: number;
  configuration_position: number;
};

export const LIST = 'events';

/**
 * Positions follow the time of reception, but not to the millisecond: a process's clock may be off, and commits reorder.
 * So an instant only narrows the positions down, generously, and the rows are tested.
 */
const SLACK = `interval '1 minute'`;

/** The first position of an application's events from an instant on, by bisection: some 30 look-ups of the key. */
const positionAt = (applicationId: string, instant: string): string => `
  (WITH RECURSIVE search (low, high) AS (
     SELECT 0::bigint, coalesce(max(b.position), 0) + 1 FROM event AS b WHERE b.application_id = ${applicationId}
     UNION ALL
     SELECT CASE WHEN m.received_at < ${instant} THEN m.position + 1 ELSE s.low END,
            CASE WHEN m.received_at < ${instant} THEN s.high ELSE (s.low + s.high) / 2 END
     FROM search AS s CROSS JOIN LATERAL (
       SELECT b.position, b.received_at FROM event AS b
       WHERE b.application_id = ${applicationId} AND b.position >= (s.low + s.high) / 2
       ORDER BY b.position LIMIT 1) AS m
     WHERE s.low < s.high)
   SELECT low FROM search ORDER BY high - low LIMIT 1)`;

export const COLUMNS = `application_id, organization_id, event_id, event_type, content_type, payload_bytes, encode(payload_sha256, 'hex') AS payload_sha256,
    labels, metadata, occurred_at, received_at, ip, deliveries, position::float8 AS position,
    configuration_position::float8 AS configuration_position`;
export const RANGE = `application_id = $1 AND ($2::bigint IS NULL OR position < $2)
    AND ($3::timestamptz IS NULL OR position >= ${positionAt('$1', `$3::timestamptz - ${SLACK}`)})
    AND ($4::timestamptz IS NULL OR position < ${positionAt('$1', `$4::timestamptz + ${SLACK}`)})`;
export const FILTER = `($3::timestamptz IS NULL OR received_at >= $3) AND ($4::timestamptz IS NULL OR received_at < $4)
    AND ($5::text IS NULL OR event_type = $5) AND ($6::jsonb IS NULL OR labels::jsonb @> $6)`;
const EVENTS: Selection = {
  table: 'event',
  key: 'position',
  kind: 'position',
  columns: COLUMNS,
  range: RANGE,
  filter: `${FILTER}
    AND ($7::text IS NULL OR ${EVENT_HAS_DELIVERY('event', '$7')})`,
  isFiltered: '$8',
  limit: '$9',
};
const LIST_EVENTS = pageStatement(EVENTS);
const COUNT_EVENTS = countStatement(EVENTS);

const filterValues = (
  applicationId: string,
  { eventType, labels, from, to, status }: EventFilter,
  after: number | null,
  limit: number,
): unknown[] => {
  const wanted = labelsText(labels);
  return [
    applicationId,
    after,
    orNull(from),
    orNull(to),
    orNull(eventType),
    wanted,
    orNull(status),
    isAnySet(wanted, eventType, from, to, status),
    limit,
  ];
};

/** Events of an application, in the order the log has them. Throws InvalidCursor. */
export const listEvents = async (
  db: Queryable,
  applicationId: string,
  { cursor, limit, ...filter }: EventFilter & PageRequest,
): Promise<Page<EventRecord>> => {
  const { rows } = await db.query<EventRow & { scanned_to: string | null }>(
    LIST_EVENTS,
    filterValues(applicationId, filter, decodeCursor(LIST, 'position', cursor), rowsToRead(limit)),
  );
  const scannedTo = rows[0]?.scanned_to ?? null;
  const found = rows.filter((row) => row.event_id !== null).map(toEvent);
  return toPage(LIST, found, {
    limit,
    keyOf: ({ position }) => position,
    scannedTo: scannedTo === null ? null : Number(scannedTo),
  });
};

/** Counting stops at `limit`. */
export const countEvents = (db: Queryable, applicationId: string, filter: EventFilter, limit: number): Promise<Count> =>
  readCount(db, COUNT_EVENTS, filterValues(applicationId, filter, null, limit));

/** Events that a search for those to replay looks at. */
const REPLAY_SCAN_MAX = 50_000;
const LIST_TO_REPLAY = `
  WITH event AS MATERIALIZED (
    SELECT application_id, event_id, event_type, labels, metadata, received_at, position
    FROM event WHERE ${EVENTS.range}
    ORDER BY position
    LIMIT CASE WHEN ${EVENTS.isFiltered}::boolean THEN ${REPLAY_SCAN_MAX} ELSE ${EVENTS.limit}::int END)
  SELECT looked.number AS looked, found.*
  FROM (SELECT count(*)::int AS number FROM event) AS looked
  LEFT JOIN LATERAL (
    SELECT event_id, event_type, labels, metadata, received_at FROM event
    WHERE ${EVENTS.filter}
    ORDER BY position
    LIMIT ${EVENTS.limit}) AS found ON true`;

/** What routing an event again takes. */
export type FoundEvent = Pick<EventRecord, 'eventId' | 'eventType' | 'labels' | 'metadata' | 'receivedAt'>;

/** Events that match, oldest first. `isComplete` is false when there may be more than were looked at. */
export const listEventsToReplay = async (
  db: Queryable,
  applicationId: string,
  filter: EventFilter,
  limit: number,
): Promise<{ readonly events: readonly FoundEvent[]; readonly isComplete: boolean }> => {
  const { rows } = await db.query<Omit<EventRow, 'event_id'> & { event_id: string | null; looked: number }>(
    LIST_TO_REPLAY,
    filterValues(applicationId, filter, null, limit),
  );
  const events = rows.flatMap(({ event_id: eventId, event_type: eventType, labels, metadata, received_at }) =>
    eventId === null ? [] : [{ eventId, eventType, labels, metadata, receivedAt: received_at }],
  );
  return { events, isComplete: (rows[0]?.looked ?? 0) < REPLAY_SCAN_MAX };
};

/** Labels as the read model keeps them; null for none. */
export const labelsText = (labels: EventFilter['labels'] = {}): string | null => {
  const wanted = Object.entries(labels).map(([name, value]) => [cleanText(name), cleanText(value)]);
  return wanted.length === 0 ? null : JSON.stringify(Object.fromEntries(wanted));
};

export const toEvent = (row: EventRow): EventRecord => ({
  applicationId: row.application_id,
  organizationId: row.organization_id,
  eventId: row.event_id,
  eventType: row.event_type,
  payloadContentType: row.content_type,
  payloadBytes: row.payload_bytes,
  payloadSha256: row.payload_sha256,
  labels: row.labels,
  metadata: row.metadata,
  occurredAt: row.occurred_at,
  receivedAt: row.received_at,
  ip: row.ip,
  deliveries: row.deliveries,
  position: row.position,
  configurationPosition: row.configuration_position,
});

/** Days are those of UTC. */
export type EventsOfDay = { readonly applicationId: string; readonly date: string; readonly amount: number };

/** `$1` applications, `$2` from, `$3` to; `condition` speaks of what else is given. */
export const countByDay = (condition: string): string => `
  SELECT a.application_id, e.date, e.amount
  FROM unnest($1::uuid[]) AS a (application_id) CROSS JOIN LATERAL (
    SELECT (received_at AT TIME ZONE 'UTC')::date::text AS date, count(*)::int AS amount
    FROM event
    WHERE event.application_id = a.application_id AND received_at >= $2 AND received_at < $3
      AND position >= ${positionAt('a.application_id', `$2::timestamptz - ${SLACK}`)}
      AND position < ${positionAt('a.application_id', `$3::timestamptz + ${SLACK}`)}
      AND ${condition}
    GROUP BY 1) AS e
  ORDER BY e.date, a.application_id`;
const COUNT_BY_DAY = countByDay('true');

export type DayRow = { application_id: string; date: string; amount: number };
export const toEventsOfDay = (row: DayRow): EventsOfDay => ({
  applicationId: row.application_id,
  date: row.date,
  amount: row.amount,
});

/** Events received from an instant (inclusive) to another (exclusive); a day without any is missing. */
export const eventsPerDay = async (
  db: Queryable,
  applicationIds: readonly string[],
  { from, to }: { from: Date; to: Date },
): Promise<EventsOfDay[]> => {
  const { rows } = await db.query<DayRow>(COUNT_BY_DAY, [applicationIds, from, to]);
  return rows.map(toEventsOfDay);
};
