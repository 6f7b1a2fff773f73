import { awaitReadModels } from '../as-of/catch-up.ts';
import { cutArray, cutAt, endOf } from '../as-of/cut.ts';
import { pageAsOf } from '../as-of/page.ts';
import { type Past, readStreamsAsOf } from '../as-of/past.ts';
import { orNull, type Page, type PageRequest, pageStatement } from '../page.ts';
import { type DeliveryHistory, foldDelivery } from './fold.ts';
import { deliveryProjection } from './projection.ts';
import {
  COLUMNS,
  type DeliveryFilter,
  type DeliveryRecord,
  type DeliveryRow,
  keyRange,
  LIST,
  listOfEvents,
  type OwingEvent,
  RANGE,
  toDelivery,
  valuesOfEvents,
} from './queries.ts';

const CUT = '$10';
const LIST_AS_OF = pageStatement({
  table: 'delivery',
  key: 'delivery_id',
  kind: 'uuid',
  columns: `${COLUMNS}, position > ${cutAt(CUT)} AS is_later`,
  range: RANGE,
  filter: `created_position <= ${cutAt(CUT)} AND ($6::uuid IS NULL OR event_id = $6) AND ($8::text IS NULL OR event_type = $8)
    AND ($7::text IS NULL OR status = $7 OR position > ${cutAt(CUT)})`,
  isFiltered: 'true',
  limit: '$9',
});

type Row = DeliveryRow & { is_later: boolean; scanned_to: string | null };

/**
 * Deliveries of an application as they stood at a cut, those of the newest events first. A row that has not changed since
 * is its own past; the others are folded from their streams. Throws InvalidCursor and ReadModelBehind.
 */
export const listDeliveriesAsOf = async (
  past: Past,
  applicationId: string,
  { subscriptionId, event, status, eventType, from, to, ...request }: DeliveryFilter & PageRequest,
): Promise<Page<DeliveryRecord>> => {
  const { db, cut } = past;
  await awaitReadModels(db, [deliveryProjection], cut);
  const end = new Date(Math.min(to?.getTime() ?? Number.POSITIVE_INFINITY, endOf(cut)));
  return pageAsOf<Row, string, DeliveryRecord>({
    list: LIST,
    kind: 'uuid',
    cut,
    request,
    keyOf: (row) => row.delivery_id,
    read: async (after, limit) => {
      const { rows } = await db.query<Row>(LIST_AS_OF, [
        applicationId,
        after,
        orNull(subscriptionId),
        ...keyRange({ event, from, to: end }),
        orNull(event?.eventId),
        orNull(status),
        orNull(eventType),
        limit,
        cutArray(cut),
      ]);
      return { rows: rows.filter((row) => row.delivery_id !== null), scannedTo: rows[0]?.scanned_to ?? null };
    },
    settle: async (rows) =>
      (await settleDeliveries(past, rows)).map((found) =>
        status === undefined || found?.status === status ? found : undefined,
      ),
  });
};

const LIST_OF_EVENTS_AS_OF = listOfEvents(
  `${COLUMNS}, position > ${cutAt('$6')} AS is_later`,
  `AND created_position <= ${cutAt('$6')}`,
);

/** The deliveries of many events as {@link listDeliveriesOfEvents} has them, as they were at a cut. Throws ReadModelBehind. */
export const listDeliveriesOfEventsAsOf = async (
  past: Past,
  events: readonly OwingEvent[],
  limit: number,
): Promise<DeliveryRecord[]> => {
  await awaitReadModels(past.db, [deliveryProjection], past.cut);
  const values = [...valuesOfEvents(events, limit), cutArray(past.cut)];
  const { rows } = await past.db.query<DeliveryRow & { is_later: boolean }>(LIST_OF_EVENTS_AS_OF, values);
  return (await settleDeliveries(past, rows)).filter((found) => found !== undefined);
};

/** Rows as they were: their own past, or that of their stream. */
const settleDeliveries = async (
  past: Past,
  rows: readonly (DeliveryRow & { is_later: boolean })[],
): Promise<(DeliveryRecord | undefined)[]> => {
  const later = rows.filter((row) => row.is_later);
  const histories = await foldDeliveriesAsOf(
    past,
    later.map((row) => ({ partition: row.partition_no, deliveryId: row.delivery_id })),
  );
  return rows.map((row) => (row.is_later ? histories.get(row.delivery_id)?.delivery : toDelivery(row)));
};

/** Deliveries with their attempts as they were at a cut, by their ids; those that did not exist yet are missing. */
export const foldDeliveriesAsOf = async (
  { reader, cut }: Past,
  deliveries: readonly { readonly partition: number; readonly deliveryId: string }[],
): Promise<Map<string, DeliveryHistory>> => {
  const unique = new Map(deliveries.map((of) => [of.deliveryId, of]));
  const streams = await readStreamsAsOf(
    reader,
    [...unique.values()].map(({ partition, deliveryId }) => ({ partition, streamId: `delivery:${deliveryId}` })),
    cut,
  );
  const found = new Map<string, DeliveryHistory>();
  for (const stream of streams.values()) {
    const history = foldDelivery(stream);
    if (history) found.set(history.delivery.deliveryId, history);
  }
  return found;
};
