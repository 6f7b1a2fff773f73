import type { AttemptTimings, CancelReason, FailureReason } from '../../domain/delivery/events.ts';
import type { AttemptFacts } from '../../domain/delivery/status.ts';
import { minUuidAt } from '../../domain/event/ids.ts';
import { findSubscriptionDescriptions } from '../configuration/queries.ts';
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
import type { AttemptOutcome } from './projection.ts';

export type RequestAttemptRecord = {
  readonly requestAttemptId: string;
  readonly deliveryId: string;
  readonly applicationId: string;
  readonly organizationId: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly subscriptionId: string;
  /** As it is now, also of a deleted subscription; as of a cut, as it was then. */
  readonly subscriptionDescription: string | null;
  /** 1 for the first request of the delivery, and so on over all replays. */
  readonly attemptNumber: number;
  /** Failures since the delivery was (re)started. */
  readonly retryCount: number;
  /** Null while it is waiting or under way. */
  readonly outcome: AttemptOutcome | null;
  /** Why it failed or was cancelled. */
  readonly reason: FailureReason | CancelReason | null;
  readonly message: string | null;
  readonly httpStatus: number | null;
  /** Null when nothing of a response was kept. */
  readonly response: { readonly bodyBytes: number; readonly truncated: boolean } | null;
  readonly timings: AttemptTimings | null;
  readonly createdAt: Date;
  readonly dueAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  /** Log partition of the delivery. */
  readonly partition: number;
};

/** `timeout` are failures, too; `pending` and `waiting` differ by the clock. */
export type RequestAttemptStatus = 'pending' | 'waiting' | 'succeeded' | 'failed' | 'timeout' | 'cancelled';

export type RequestAttemptFilter = {
  readonly eventId?: string | undefined;
  readonly subscriptionId?: string | undefined;
  /** Any of these. */
  readonly eventTypes?: readonly string[] | undefined;
  /** Both inclusive. */
  readonly minCreatedAt?: Date | undefined;
  readonly maxCreatedAt?: Date | undefined;
  /** With the instant that tells `waiting` from `pending`. */
  readonly status?: { readonly is: RequestAttemptStatus; readonly now: Date } | undefined;
};

export type RequestAttemptRow = {
  request_attempt_id: string;
  delivery_id: string;
  application_id: string;
  organization_id: string;
  event_id: string;
  event_type: string;
  subscription_id: string;
  attempt_number: number;
  retry_count: number;
  outcome: AttemptOutcome | null;
  reason: FailureReason | CancelReason | null;
  message: string | null;
  http_status: number | null;
  response_bytes: number | null;
  response_truncated: boolean | null;
  timings: AttemptTimings | null;
  created_at: Date;
  due_at: Date;
  started_at: Date | null;
  finished_at: Date | null;
  partition_no: number;
};

export const LIST = 'request_attempts';
export const COLUMNS = `request_attempt_id, delivery_id, application_id, organization_id, event_id, event_type, subscription_id,
  attempt_number, retry_count, outcome, reason, message, http_status, response_bytes, response_truncated, timings,
  created_at, due_at, started_at, finished_at, partition_no`;

export const RANGE = `application_id = $1 AND ($2::uuid IS NULL OR request_attempt_id < $2)
    AND ($3::uuid IS NULL OR event_id = $3) AND ($4::uuid IS NULL OR subscription_id = $4)
    AND ($5::uuid IS NULL OR request_attempt_id >= $5) AND ($6::uuid IS NULL OR request_attempt_id < $6)`;
export const OF_TYPES = '($7::text[] IS NULL OR event_type = ANY($7))';
export const OF_STATUS = `($8::text IS NULL OR $8 = CASE
      WHEN outcome IS NULL THEN CASE WHEN due_at > $9::timestamptz THEN 'waiting' ELSE 'pending' END
      WHEN outcome = 'failed' AND reason = 'timeout' THEN 'timeout'
      ELSE outcome END)`;
const REQUEST_ATTEMPTS: Selection = {
  table: 'request_attempt',
  key: 'request_attempt_id',
  kind: 'uuid',
  columns: COLUMNS,
  range: RANGE,
  filter: `${OF_TYPES} AND ${OF_STATUS}`,
  isFiltered: '$10',
  limit: '$11',
};
const LIST_REQUEST_ATTEMPTS = pageStatement(REQUEST_ATTEMPTS);
const COUNT_REQUEST_ATTEMPTS = countStatement(REQUEST_ATTEMPTS);
const FIND_REQUEST_ATTEMPT = `
  SELECT ${COLUMNS} FROM request_attempt WHERE application_id = $1 AND request_attempt_id = $2`;

const filterValues = (
  applicationId: string,
  { eventId, subscriptionId, eventTypes, minCreatedAt, maxCreatedAt, status }: RequestAttemptFilter,
  after: string | null,
  limit: number,
): unknown[] => [
  applicationId,
  after,
  orNull(eventId),
  orNull(subscriptionId),
  minCreatedAt ? minUuidAt(Math.max(0, minCreatedAt.getTime())) : null,
  maxCreatedAt ? minUuidAt(Math.max(0, maxCreatedAt.getTime() + 1)) : null,
  orNull(eventTypes),
  orNull(status?.is),
  orNull(status?.now),
  isAnySet(eventTypes, status),
  limit,
];

/** Request attempts of an application, newest first by their ids, which is a total order. Throws InvalidCursor. */
export const listRequestAttempts = async (
  db: Queryable,
  applicationId: string,
  { cursor, limit, ...filter }: RequestAttemptFilter & PageRequest,
): Promise<Page<RequestAttemptRecord>> => {
  const { rows } = await db.query<RequestAttemptRow & { scanned_to: string | null }>(
    LIST_REQUEST_ATTEMPTS,
    filterValues(applicationId, filter, decodeCursor(LIST, 'uuid', cursor), rowsToRead(limit)),
  );
  const found = rows.filter((row) => row.request_attempt_id !== null);
  const page = toPage(LIST, found, {
    limit,
    keyOf: (row) => row.request_attempt_id,
    scannedTo: rows[0]?.scanned_to ?? null,
  });
  return { ...page, rows: await toRequestAttempts(db, page.rows) };
};

/** Counting stops at `limit`. */
export const countRequestAttempts = (
  db: Queryable,
  applicationId: string,
  filter: RequestAttemptFilter,
  limit: number,
): Promise<Count> => readCount(db, COUNT_REQUEST_ATTEMPTS, filterValues(applicationId, filter, null, limit));

export const findRequestAttempt = async (
  db: Queryable,
  applicationId: string,
  requestAttemptId: string,
): Promise<RequestAttemptRecord | undefined> => {
  const { rows } = await db.query<RequestAttemptRow>(FIND_REQUEST_ATTEMPT, [applicationId, requestAttemptId]);
  return (await toRequestAttempts(db, rows))[0];
};

/** For `attemptStatus` and `hook0Status`. */
export const attemptFactsOf = (attempt: RequestAttemptRecord): AttemptFacts => {
  const { createdAt, dueAt, startedAt, outcome, reason } = attempt;
  const finishedAt = attempt.finishedAt?.toISOString() ?? null;
  return {
    scheduledAt: createdAt.toISOString(),
    dueAt: dueAt.toISOString(),
    startedAt: startedAt?.toISOString() ?? null,
    succeededAt: outcome === 'succeeded' ? finishedAt : null,
    failed: outcome === 'failed' && finishedAt !== null ? { at: finishedAt, reason: reason as FailureReason } : null,
    cancelledAt: outcome === 'cancelled' ? finishedAt : null,
  };
};

const toRequestAttempts = async (
  db: Queryable,
  rows: readonly RequestAttemptRow[],
): Promise<RequestAttemptRecord[]> => {
  const descriptions = await findSubscriptionDescriptions(db, [...new Set(rows.map((row) => row.subscription_id))]);
  return rows.map((row) => toRequestAttempt(row, descriptions));
};

export const toRequestAttempt = (
  row: RequestAttemptRow,
  descriptions: ReadonlyMap<string, string | null>,
): RequestAttemptRecord => ({
  requestAttemptId: row.request_attempt_id,
  deliveryId: row.delivery_id,
  applicationId: row.application_id,
  organizationId: row.organization_id,
  eventId: row.event_id,
  eventType: row.event_type,
  subscriptionId: row.subscription_id,
  subscriptionDescription: descriptions.get(row.subscription_id) ?? null,
  attemptNumber: row.attempt_number,
  retryCount: row.retry_count,
  outcome: row.outcome,
  reason: row.reason,
  message: row.message,
  httpStatus: row.http_status,
  response:
    row.response_bytes === null ? null : { bodyBytes: row.response_bytes, truncated: row.response_truncated === true },
  timings: row.timings,
  createdAt: row.created_at,
  dueAt: row.due_at,
  startedAt: row.started_at,
  finishedAt: row.finished_at,
  partition: row.partition_no,
});
