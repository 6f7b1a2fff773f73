import { awaitReadModels } from '../as-of/catch-up.ts';
import { cutArray, cutAt } from '../as-of/cut.ts';
import { pageAsOf } from '../as-of/page.ts';
import type { Past } from '../as-of/past.ts';
import { foldDeliveriesAsOf } from '../delivery/as-of.ts';
import { type DeliveryStatus, deliveryProjection } from '../delivery/projection.ts';
import { EVENT_HAS_DELIVERY_WITH, minUuid } from '../delivery/queries.ts';
import { orNull, type Page, type PageRequest, pageStatement } from '../page.ts';
import { eventProjection } from './projection.ts';
import {
  COLUMNS,
  countByDay,
  type DayRow,
  type EventFilter,
  type EventRecord,
  type EventRow,
  type EventsOfDay,
  FILTER,
  LIST,
  labelsText,
  RANGE,
  toEvent,
  toEventsOfDay,
} from './queries.ts';

const CUT = '$9';
/** One value for the whole statement, as an application lives in one log partition: so the key begins right at the cut. */
const CUT_OF_APPLICATION = `(${CUT}::bigint[])[(SELECT a.partition_no FROM application AS a WHERE a.application_id = $1) + 1]`;
const HAD_DELIVERY = EVENT_HAS_DELIVERY_WITH('event', `d.status = $7 AND d.position <= ${cutAt(CUT, 'd.')}`);
const HAD_DELIVERY_UNDER_WAY = EVENT_HAS_DELIVERY_WITH(
  'event',
  `d.created_position <= ${cutAt(CUT, 'd.')} AND d.position > ${cutAt(CUT, 'd.')}`,
);
/** An event never changes: only the status of its deliveries has to be that of the past. */
const LIST_AS_OF = pageStatement({
  table: 'event',
  key: 'position',
  kind: 'position',
  columns: `${COLUMNS}, ($7::text IS NULL OR ${HAD_DELIVERY}) AS is_certain`,
  range: `${RANGE} AND position <= ${CUT_OF_APPLICATION}`,
  filter: `${FILTER} AND ($7::text IS NULL OR ${HAD_DELIVERY} OR ${HAD_DELIVERY_UNDER_WAY})`,
  isFiltered: 'true',
  limit: '$8',
});
const FIND_UNDER_WAY = `
  SELECT d.partition_no, d.delivery_id, d.event_id
  FROM unnest($2::uuid[], $3::timestamptz[]) AS e (event_id, received_at)
  JOIN delivery AS d ON d.application_id = $1 AND d.event_id = e.event_id
    AND d.delivery_id >= ${minUuid('e.received_at')}
    AND d.delivery_id < ${minUuid(`e.received_at + interval '1 millisecond'`)}
  WHERE d.created_position <= ${cutAt('$4', 'd.')} AND d.position > ${cutAt('$4', 'd.')}`;
const COUNT_AS_OF = `
  SELECT ordinal::float8 AS count FROM event
  WHERE application_id = $1 AND position <= $2
  ORDER BY position DESC
  LIMIT 1`;

type Row = EventRow & { is_certain: boolean; scanned_to: string | null };

/**
 * Events that an application had received by a cut, newest first; `status` is that of a delivery at the cut. Throws
 * InvalidCursor and ReadModelBehind.
 */
export const listEventsAsOf = async (
  past: Past,
  applicationId: string,
  { eventType, labels, from, to, status, ...request }: EventFilter & PageRequest,
): Promise<Page<EventRecord>> => {
  const { db, cut } = past;
  await awaitReadModels(db, status === undefined ? [eventProjection] : [eventProjection, deliveryProjection], cut);
  return pageAsOf<Row, number, EventRecord>({
    list: LIST,
    kind: 'position',
    cut,
    request,
    keyOf: (row) => row.position,
    read: async (after, limit) => {
      const { rows } = await db.query<Row>(LIST_AS_OF, [
        applicationId,
        after,
        orNull(from),
        orNull(to),
        orNull(eventType),
        labelsText(labels),
        orNull(status),
        limit,
        cutArray(cut),
      ]);
      const scannedTo = rows[0]?.scanned_to ?? null;
      return {
        rows: rows.filter((row) => row.event_id !== null),
        scannedTo: scannedTo === null ? null : Number(scannedTo),
      };
    },
    settle: async (rows) => {
      const uncertain = rows.filter((row) => !row.is_certain);
      const had =
        status === undefined ? new Set<string>() : await eventsWithDelivery(past, applicationId, uncertain, status);
      return rows.map((row) => (row.is_certain || had.has(row.event_id) ? toEvent(row) : undefined));
    },
  });
};

/** Of these events, those with a delivery that has changed since the cut and stood so at it. */
const eventsWithDelivery = async (
  past: Past,
  applicationId: string,
  events: readonly EventRow[],
  status: DeliveryStatus,
): Promise<ReadonlySet<string>> => {
  if (events.length === 0) return new Set();
  const { rows } = await past.db.query<{ partition_no: number; delivery_id: string; event_id: string }>(
    FIND_UNDER_WAY,
    [applicationId, events.map((row) => row.event_id), events.map((row) => row.received_at), cutArray(past.cut)],
  );
  const histories = await foldDeliveriesAsOf(
    past,
    rows.map((row) => ({ partition: row.partition_no, deliveryId: row.delivery_id })),
  );
  return new Set(
    rows.filter((row) => histories.get(row.delivery_id)?.delivery.status === status).map((row) => row.event_id),
  );
};

/**
 * How many events an application had received up to a position of its log partition: one look-up, since events are numbered.
 * The read model must have come that far.
 */
export const countEventsUpTo = async (db: Past['db'], applicationId: string, position: number): Promise<number> => {
  const { rows } = await db.query<{ count: number }>(COUNT_AS_OF, [applicationId, position]);
  return rows[0]?.count ?? 0;
};

const COUNT_BY_DAY_AS_OF = countByDay(`position <= ${cutAt('$4', 'event.')}`);

/** As `eventsPerDay`, of what had been recorded by the cut. Throws ReadModelBehind. */
export const eventsPerDayAsOf = async (
  { db, cut }: Past,
  applicationIds: readonly string[],
  { from, to }: { from: Date; to: Date },
): Promise<EventsOfDay[]> => {
  await awaitReadModels(db, [eventProjection], cut);
  const { rows } = await db.query<DayRow>(COUNT_BY_DAY_AS_OF, [applicationIds, from, to, cutArray(cut)]);
  return rows.map(toEventsOfDay);
};
