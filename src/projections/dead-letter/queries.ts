import type { DeadLetterReason, FailureReason } from '../../domain/delivery/events.ts';
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

export type DeadLetterRecord = {
  readonly deliveryId: string;
  readonly applicationId: string;
  readonly organizationId: string;
  readonly subscriptionId: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly reason: DeadLetterReason;
  readonly attempts: number;
  readonly deadLetteredAt: Date;
  readonly lastFailure: FailureReason | null;
  readonly lastHttpStatus: number | null;
};

export type DeadLetterFilter = {
  readonly subscriptionId?: string | undefined;
  readonly reason?: DeadLetterReason | undefined;
  readonly eventType?: string | undefined;
  readonly lastFailure?: FailureReason | undefined;
  /** By `deadLetteredAt`; from inclusive, to exclusive. */
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
};

export type DeadLetterRow = {
  delivery_id: string;
  application_id: string;
  organization_id: string;
  subscription_id: string;
  event_id: string;
  event_type: string;
  reason: DeadLetterReason;
  attempts: number;
  dead_lettered_at: Date;
  last_failure: FailureReason | null;
  last_http_status: number | null;
};

export const LIST = 'dead_letters';
export const DEAD_LETTERS_COUNTED_MAX = 100_000;

export const COLUMNS = `delivery_id, application_id, organization_id, subscription_id, event_id, event_type, reason, attempts, dead_lettered_at,
    last_failure, last_http_status`;
export const RANGE = `application_id = $1 AND ($2::uuid IS NULL OR subscription_id = $2) AND ($8::uuid IS NULL OR delivery_id < $8)`;
export const FILTER = `($3::text IS NULL OR reason = $3) AND ($4::text IS NULL OR event_type = $4) AND ($5::text IS NULL OR last_failure = $5)
    AND ($6::timestamptz IS NULL OR dead_lettered_at >= $6) AND ($7::timestamptz IS NULL OR dead_lettered_at < $7)`;
const DEAD_LETTERS: Selection = {
  table: 'dead_letter',
  key: 'delivery_id',
  kind: 'uuid',
  columns: COLUMNS,
  range: `${RANGE} AND left_position IS NULL`,
  filter: FILTER,
  isFiltered: '$9',
  limit: '$10',
};
const LIST_DEAD_LETTERS = pageStatement(DEAD_LETTERS);
const COUNT_DEAD_LETTERS_UP_TO = countStatement(DEAD_LETTERS);
const COUNT_DEAD_LETTERS = `
  SELECT count(*)::int AS count FROM (
    SELECT FROM dead_letter
    WHERE application_id = $1 AND left_position IS NULL AND ($2::uuid IS NULL OR subscription_id = $2) AND ${FILTER}
    LIMIT ${DEAD_LETTERS_COUNTED_MAX}) AS counted`;

export const filterParameters = (applicationId: string, filter: DeadLetterFilter): unknown[] => [
  applicationId,
  orNull(filter.subscriptionId),
  orNull(filter.reason),
  orNull(filter.eventType),
  orNull(filter.lastFailure),
  orNull(filter.from),
  orNull(filter.to),
];

const isFiltered = ({ reason, eventType, lastFailure, from, to }: DeadLetterFilter): boolean =>
  isAnySet(reason, eventType, lastFailure, from, to);

/** Dead letters of an application, those of the newest events first. Throws InvalidCursor. */
export const listDeadLetters = async (
  db: Queryable,
  applicationId: string,
  { cursor, limit, ...filter }: DeadLetterFilter & PageRequest,
): Promise<Page<DeadLetterRecord>> => {
  const { rows } = await db.query<DeadLetterRow & { scanned_to: string | null }>(LIST_DEAD_LETTERS, [
    ...filterParameters(applicationId, filter),
    decodeCursor(LIST, 'uuid', cursor),
    isFiltered(filter),
    rowsToRead(limit),
  ]);
  const found = rows.filter((row) => row.delivery_id !== null).map(toDeadLetter);
  return toPage(LIST, found, { limit, keyOf: ({ deliveryId }) => deliveryId, scannedTo: rows[0]?.scanned_to ?? null });
};

/** How many there are, counted up to {@link DEAD_LETTERS_COUNTED_MAX}. */
export const countDeadLetters = async (
  db: Queryable,
  applicationId: string,
  filter: DeadLetterFilter = {},
): Promise<number> => {
  const { rows } = await db.query<{ count: number }>(COUNT_DEAD_LETTERS, filterParameters(applicationId, filter));
  return rows[0]?.count ?? 0;
};

/** The same as the other lists are counted: counting stops at `limit`. */
export const countDeadLettersUpTo = (
  db: Queryable,
  applicationId: string,
  filter: DeadLetterFilter,
  limit: number,
): Promise<Count> =>
  readCount(db, COUNT_DEAD_LETTERS_UP_TO, [
    ...filterParameters(applicationId, filter),
    null,
    isFiltered(filter),
    limit,
  ]);

/** Dead letters of one subscription that failed alike. */
export type DeadLetterGroup = {
  readonly applicationId: string;
  readonly subscriptionId: string;
  readonly reason: DeadLetterReason;
  readonly lastFailure: FailureReason | null;
  readonly count: number;
  readonly oldestAt: Date;
  readonly newestAt: Date;
};

export const GROUPS_MAX = 200;
const GROUP_DEAD_LETTERS = `
  SELECT subscription_id, reason, last_failure, count(*)::int AS count, min(dead_lettered_at) AS oldest_at,
    max(dead_lettered_at) AS newest_at
  FROM (
    SELECT subscription_id, reason, last_failure, dead_lettered_at FROM dead_letter
    WHERE application_id = $1 AND left_position IS NULL AND ($2::uuid IS NULL OR subscription_id = $2) AND ${FILTER}
    ORDER BY delivery_id DESC
    LIMIT ${DEAD_LETTERS_COUNTED_MAX}) AS counted
  GROUP BY subscription_id, reason, last_failure
  ORDER BY count DESC, subscription_id, reason, last_failure
  LIMIT ${GROUPS_MAX}`;
type GroupRow = Pick<DeadLetterRow, 'subscription_id' | 'reason' | 'last_failure'> & {
  count: number;
  oldest_at: Date;
  newest_at: Date;
};

/** The largest groups first, of the newest {@link DEAD_LETTERS_COUNTED_MAX} that match. */
export const groupDeadLetters = async (
  db: Queryable,
  applicationId: string,
  filter: DeadLetterFilter,
): Promise<DeadLetterGroup[]> => {
  const { rows } = await db.query<GroupRow>(GROUP_DEAD_LETTERS, filterParameters(applicationId, filter));
  return rows.map((row) => ({
    applicationId,
    subscriptionId: row.subscription_id,
    reason: row.reason,
    lastFailure: row.last_failure,
    count: row.count,
    oldestAt: row.oldest_at,
    newestAt: row.newest_at,
  }));
};

export const toDeadLetter = (row: DeadLetterRow): DeadLetterRecord => ({
  deliveryId: row.delivery_id,
  applicationId: row.application_id,
  organizationId: row.organization_id,
  subscriptionId: row.subscription_id,
  eventId: row.event_id,
  eventType: row.event_type,
  reason: row.reason,
  attempts: row.attempts,
  deadLetteredAt: row.dead_lettered_at,
  lastFailure: row.last_failure,
  lastHttpStatus: row.last_http_status,
});
