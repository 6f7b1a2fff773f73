import { minUuidAt } from '../../domain/event/ids.ts';
import { awaitReadModels } from '../as-of/catch-up.ts';
import { cutArray, cutAt, endOf } from '../as-of/cut.ts';
import { pageAsOf } from '../as-of/page.ts';
import type { Past } from '../as-of/past.ts';
import { findSubscriptionDescriptionsAsOf } from '../configuration/as-of.ts';
import { foldDeliveriesAsOf } from '../delivery/as-of.ts';
import { orNull, type Page, type PageRequest, pageStatement } from '../page.ts';
import { requestAttemptProjection } from './projection.ts';
import {
  COLUMNS,
  LIST,
  OF_STATUS,
  OF_TYPES,
  RANGE,
  type RequestAttemptFilter,
  type RequestAttemptRecord,
  type RequestAttemptRow,
  type RequestAttemptStatus,
  toRequestAttempt,
} from './queries.ts';

const CUT = '$11';
const LIST_AS_OF = pageStatement({
  table: 'request_attempt',
  key: 'request_attempt_id',
  kind: 'uuid',
  columns: `${COLUMNS}, position > ${cutAt(CUT)} AS is_later`,
  range: RANGE,
  filter: `created_position <= ${cutAt(CUT)} AND ${OF_TYPES} AND (position > ${cutAt(CUT)} OR ${OF_STATUS})`,
  isFiltered: 'true',
  limit: '$10',
});
const FIND_AS_OF = `
  SELECT ${COLUMNS}, position > ${cutAt('$3')} AS is_later
  FROM request_attempt WHERE application_id = $1 AND request_attempt_id = $2 AND created_position <= ${cutAt('$3')}`;

type Row = RequestAttemptRow & { is_later: boolean; scanned_to: string | null };

/**
 * Request attempts of an application as they stood at a cut, newest first by their ids. A status is that of the cut's
 * instant, whatever `status.now` says. Throws InvalidCursor and ReadModelBehind.
 */
export const listRequestAttemptsAsOf = async (
  past: Past,
  applicationId: string,
  {
    eventId,
    subscriptionId,
    eventTypes,
    minCreatedAt,
    maxCreatedAt,
    status,
    ...request
  }: RequestAttemptFilter & PageRequest,
): Promise<Page<RequestAttemptRecord>> => {
  const { db, cut } = past;
  await awaitReadModels(db, [requestAttemptProjection], cut);
  const endMs = Math.min(maxCreatedAt ? maxCreatedAt.getTime() + 1 : Number.POSITIVE_INFINITY, endOf(cut));
  return pageAsOf<Row, string, RequestAttemptRecord>({
    list: LIST,
    kind: 'uuid',
    cut,
    request,
    keyOf: (row) => row.request_attempt_id,
    read: async (after, limit) => {
      const { rows } = await db.query<Row>(LIST_AS_OF, [
        applicationId,
        after,
        orNull(eventId),
        orNull(subscriptionId),
        minCreatedAt ? minUuidAt(Math.max(0, minCreatedAt.getTime())) : null,
        minUuidAt(Math.max(0, endMs)),
        orNull(eventTypes),
        orNull(status?.is),
        cut.instant,
        limit,
        cutArray(cut),
      ]);
      return { rows: rows.filter((row) => row.request_attempt_id !== null), scannedTo: rows[0]?.scanned_to ?? null };
    },
    settle: async (rows) => {
      const found = await settle(past, rows);
      return found.map((attempt) =>
        attempt && (status === undefined || statusAt(attempt, cut.instant) === status.is) ? attempt : undefined,
      );
    },
  });
};

/** Throws ReadModelBehind. */
export const findRequestAttemptAsOf = async (
  past: Past,
  applicationId: string,
  requestAttemptId: string,
): Promise<RequestAttemptRecord | undefined> => {
  await awaitReadModels(past.db, [requestAttemptProjection], past.cut);
  const { rows } = await past.db.query<Row>(FIND_AS_OF, [applicationId, requestAttemptId, cutArray(past.cut)]);
  return (await settle(past, rows))[0];
};

/** Rows as they were: their own past, or that of their delivery's stream. */
const settle = async (past: Past, rows: readonly Row[]): Promise<(RequestAttemptRecord | undefined)[]> => {
  const later = rows.filter((row) => row.is_later);
  const [histories, descriptions] = await Promise.all([
    foldDeliveriesAsOf(
      past,
      later.map((row) => ({ partition: row.partition_no, deliveryId: row.delivery_id })),
    ),
    findSubscriptionDescriptionsAsOf(past, [...new Set(rows.map((row) => row.subscription_id))]),
  ]);
  return rows.map((row) => {
    if (!row.is_later) return toRequestAttempt(row, descriptions);
    const attempts = histories.get(row.delivery_id)?.attempts ?? [];
    const found = attempts.find(({ requestAttemptId }) => requestAttemptId === row.request_attempt_id);
    return found && { ...found, subscriptionDescription: descriptions.get(row.subscription_id) ?? null };
  });
};

const statusAt = ({ outcome, reason, dueAt }: RequestAttemptRecord, at: Date): RequestAttemptStatus => {
  if (outcome === null) return dueAt > at ? 'waiting' : 'pending';
  return outcome === 'failed' && reason === 'timeout' ? 'timeout' : outcome;
};
