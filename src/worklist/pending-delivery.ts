import type { Pool } from 'pg';
import { arrayLiteral, lines } from '../eventstore/statements.ts';
import type { BatchStatement, Guard, Write } from '../eventstore/types.ts';

/** One delivery that is not over, with all that its next request attempt needs besides the payload. */
export type PendingDelivery = {
  readonly partition: number;
  readonly deliveryId: string;
  readonly subscriptionId: string;
  readonly applicationId: string;
  readonly organizationId: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly contentType: string;
  readonly attemptId: string;
  readonly attemptNumber: number;
  readonly retryCount: number;
  /** Version of the delivery's stream after the domain event that scheduled this attempt. */
  readonly streamVersion: number;
  /** ISO instant at which the event was received; finds the day partition of its payload. */
  readonly receivedAt: string;
  readonly dueAt: string;
  /** Position of the configuration it was routed with, in the application's log partition. */
  readonly configurationPosition: number;
};

const UPSERT: BatchStatement<PendingDelivery> = {
  name: 'pending_delivery',
  sql: `
    INSERT INTO pending_delivery
      (due_at, received_at, configuration_position, attempt_number, retry_count, stream_version, partition_no,
       delivery_id, subscription_id, application_id, organization_id, event_id, attempt_id, event_type, content_type)
    SELECT date_trunc('milliseconds', least(due_at, clock_timestamp())), received_at, configuration_position, attempt_number,
           retry_count, stream_version,
           partition_no, delivery_id, subscription_id, application_id, organization_id, event_id, attempt_id, event_type, content_type
    FROM unnest($1::timestamptz[], $2::timestamptz[], $3::bigint[], $4::integer[], $5::integer[], $6::integer[],
      $7::smallint[], $8::uuid[], $9::uuid[], $10::uuid[], $11::uuid[], $12::uuid[], $13::uuid[],
      string_to_array($14, E'\\n'), string_to_array($15, E'\\n'))
      AS p (due_at, received_at, configuration_position, attempt_number, retry_count, stream_version,
            partition_no, delivery_id, subscription_id, application_id, organization_id, event_id, attempt_id, event_type, content_type)`,
  parameters: (rows) => [
    arrayLiteral(rows.map((row) => row.dueAt)),
    arrayLiteral(rows.map((row) => row.receivedAt)),
    arrayLiteral(rows.map((row) => row.configurationPosition)),
    arrayLiteral(rows.map((row) => row.attemptNumber)),
    arrayLiteral(rows.map((row) => row.retryCount)),
    arrayLiteral(rows.map((row) => row.streamVersion)),
    arrayLiteral(rows.map((row) => row.partition)),
    arrayLiteral(rows.map((row) => row.deliveryId)),
    arrayLiteral(rows.map((row) => row.subscriptionId)),
    arrayLiteral(rows.map((row) => row.applicationId)),
    arrayLiteral(rows.map((row) => row.organizationId)),
    arrayLiteral(rows.map((row) => row.eventId)),
    arrayLiteral(rows.map((row) => row.attemptId)),
    lines(rows.map((row) => row.eventType)),
    lines(rows.map((row) => row.contentType)),
  ],
};

/**
 * The row of one attempt, found through the key for each element of a batch. OFFSET 0 keeps the planner from turning it into
 * a join, which it would drive from the work list: that looks empty whenever it was last analysed, and seldom is. The heads
 * are locked, so no row moves between being found and being changed.
 */
const PENDING_ROW = `
  SELECT w.ctid FROM pending_delivery AS w
  WHERE w.partition_no = s.partition_no AND w.delivery_id = s.delivery_id AND w.attempt_number = s.attempt_number
  OFFSET 0`;

type Settled = Pick<PendingDelivery, 'partition' | 'deliveryId' | 'attemptNumber'>;

const SETTLE: BatchStatement<Settled> = {
  name: 'settle_delivery',
  sql: `
    DELETE FROM pending_delivery
    WHERE ctid = ANY(ARRAY(
      SELECT found.ctid
      FROM unnest($1::smallint[], $2::uuid[], $3::integer[]) AS s (partition_no, delivery_id, attempt_number)
      CROSS JOIN LATERAL (${PENDING_ROW}) AS found))
    RETURNING delivery_id::text AS key, stream_version`,
  parameters: (rows) => [
    arrayLiteral(rows.map((row) => row.partition)),
    arrayLiteral(rows.map((row) => row.deliveryId)),
    arrayLiteral(rows.map((row) => row.attemptNumber)),
  ],
};

type Postponed = Settled & {
  readonly next: Pick<PendingDelivery, 'attemptId' | 'attemptNumber' | 'retryCount' | 'dueAt'>;
  /** How many domain events the append adds to the delivery's stream. */
  readonly added: number;
};

const POSTPONE: BatchStatement<Postponed> = {
  name: 'postpone_delivery',
  sql: `
    UPDATE pending_delivery AS p
    SET due_at = s.due_at, attempt_number = s.next_number, retry_count = s.retry_count, attempt_id = s.attempt_id,
        stream_version = p.stream_version + s.added
    FROM (SELECT found.ctid AS row_id, s.*
          FROM unnest($1::smallint[], $2::uuid[], $3::integer[], $4::integer[], $5::integer[], $6::uuid[], $7::timestamptz[], $8::integer[])
            AS s (partition_no, delivery_id, attempt_number, next_number, retry_count, attempt_id, due_at, added)
          CROSS JOIN LATERAL (${PENDING_ROW}) AS found) AS s
    WHERE p.ctid = s.row_id
    RETURNING p.delivery_id::text AS key, p.stream_version - s.added AS stream_version`,
  parameters: (rows) => [
    arrayLiteral(rows.map((row) => row.partition)),
    arrayLiteral(rows.map((row) => row.deliveryId)),
    arrayLiteral(rows.map((row) => row.attemptNumber)),
    arrayLiteral(rows.map((row) => row.next.attemptNumber)),
    arrayLiteral(rows.map((row) => row.next.retryCount)),
    arrayLiteral(rows.map((row) => row.next.attemptId)),
    arrayLiteral(rows.map((row) => row.next.dueAt)),
    arrayLiteral(rows.map((row) => row.added)),
  ],
};

/**
 * Adds a delivery to the work list, in the append that schedules its attempt. It is due at once: by the database's clock, so
 * that a process whose clock runs ahead delays nothing. In whole milliseconds, as cursors are: one that falls before its own
 * row would meet the same page for ever.
 */
export const addPending = (row: PendingDelivery): Write => ({ statement: UPSERT as BatchStatement<unknown>, row });

/** Takes a delivery off the work list; refused when another attempt than this one is pending by now. */
export const settlePending = (row: Settled): Guard => ({
  statement: SETTLE as BatchStatement<unknown>,
  row,
  key: row.deliveryId,
});

/** Moves a delivery to its next attempt, or the same attempt to another time; refused likewise. */
export const postponePending = (row: Postponed): Guard => ({
  statement: POSTPONE as BatchStatement<unknown>,
  row,
  key: row.deliveryId,
});

type Row = {
  partition_no: number;
  delivery_id: string;
  subscription_id: string;
  application_id: string;
  organization_id: string;
  event_id: string;
  event_type: string;
  content_type: string;
  attempt_id: string;
  attempt_number: number;
  retry_count: number;
  stream_version: number;
  received_at: Date;
  due_at: Date;
  configuration_position: number;
};

const COLUMNS = `partition_no, delivery_id, subscription_id, application_id, organization_id, event_id, event_type, content_type,
  attempt_id, attempt_number, retry_count, stream_version, received_at, due_at,
  configuration_position::float8 AS configuration_position`;

const toPending = (row: Row): PendingDelivery => ({
  partition: row.partition_no,
  deliveryId: row.delivery_id,
  subscriptionId: row.subscription_id,
  applicationId: row.application_id,
  organizationId: row.organization_id,
  eventId: row.event_id,
  eventType: row.event_type,
  contentType: row.content_type,
  attemptId: row.attempt_id,
  attemptNumber: row.attempt_number,
  retryCount: row.retry_count,
  streamVersion: row.stream_version,
  receivedAt: row.received_at.toISOString(),
  dueAt: row.due_at.toISOString(),
  configurationPosition: row.configuration_position,
});

/** A place in the order of time: everything before it is known. */
export type DueCursor = { readonly dueAt: string; readonly deliveryId: string };

const FIND_DUE_RETRIES = `
  SELECT p.* FROM unnest($1::smallint[], $2::timestamptz[], $3::uuid[]) AS k (partition_no, due_at, delivery_id)
  CROSS JOIN LATERAL (
    SELECT ${COLUMNS} FROM pending_delivery
    WHERE pending_delivery.partition_no = k.partition_no AND attempt_number > 1
      AND (pending_delivery.due_at, pending_delivery.delivery_id) > (k.due_at, k.delivery_id)
      AND pending_delivery.due_at <= $4::timestamptz
    ORDER BY pending_delivery.due_at, pending_delivery.delivery_id
    LIMIT $5) AS p`;
/** What the log says was scheduled, as far as it is still pending: the log orders, the work list knows. */
const FIND_SCHEDULED = `
  SELECT p.* FROM (
    SELECT DISTINCT substring(e.stream_id FROM 10)::uuid AS scheduled_id FROM domain_event AS e
    WHERE e.partition_no = $1 AND e.position > $2 AND e.position <= $3
      AND e.type IN ('AttemptScheduled', 'AttemptRescheduled')) AS s
  CROSS JOIN LATERAL (
    SELECT ${COLUMNS} FROM pending_delivery WHERE partition_no = $1 AND delivery_id = s.scheduled_id OFFSET 0) AS p`;
const FIND_OF_SUBSCRIPTION = `
  SELECT ${COLUMNS} FROM pending_delivery
  WHERE partition_no + 0 = $1 AND subscription_id = $2
    AND (due_at, delivery_id) > ($3::timestamptz, $4::uuid) AND due_at <= $5::timestamptz
  ORDER BY due_at, delivery_id
  LIMIT $6`;
const FIND_ONE = `SELECT ${COLUMNS} FROM pending_delivery WHERE partition_no = $1 AND delivery_id = $2`;
/** Jumps from subscription to subscription through the index, so that a long queue of one costs no more than a short one. */
const FIND_SUBSCRIPTIONS = `
  WITH RECURSIVE s AS (
    (SELECT subscription_id, application_id FROM pending_delivery WHERE partition_no + 0 = $1
     ORDER BY subscription_id, due_at LIMIT 1)
    UNION ALL
    SELECT n.subscription_id, n.application_id FROM s CROSS JOIN LATERAL (
      SELECT subscription_id, application_id FROM pending_delivery
      WHERE partition_no + 0 = $1 AND subscription_id > s.subscription_id
      ORDER BY subscription_id, due_at LIMIT 1) AS n
  )
  SELECT subscription_id, application_id FROM s`;
const COUNT = `
  SELECT count(*) FILTER (WHERE due_at <= clock_timestamp())::int AS pending,
         count(*) FILTER (WHERE due_at > clock_timestamp())::int AS waiting
  FROM pending_delivery`;

export const BEFORE_ALL: DueCursor = { dueAt: '-infinity', deliveryId: '00000000-0000-0000-0000-000000000000' };
/** A `due` bound that holds back nothing. */
export const ANY_TIME = 'infinity';

export type WorkListQueries = {
  /** Retries that became due after each partition's cursor and up to `until`, in order of time, `limit` per partition. */
  findDueRetries(
    cursors: readonly ({ partition: number } & DueCursor)[],
    until: string,
    limit: number,
  ): Promise<PendingDelivery[]>;
  /** Of the deliveries scheduled in a range of the log (after, up to and including), those that are still pending. */
  findScheduled(partition: number, after: number, upTo: number): Promise<PendingDelivery[]>;
  findOfSubscription(
    partition: number,
    subscriptionId: string,
    after: DueCursor,
    until: string,
    limit: number,
  ): Promise<PendingDelivery[]>;
  find(partition: number, deliveryId: string): Promise<PendingDelivery | undefined>;
  /** Every subscription with anything pending in a log partition. */
  findSubscriptions(partition: number): Promise<{ subscriptionId: string; applicationId: string }[]>;
};

export const createWorkListQueries = ({ pool }: { pool: Pool }): WorkListQueries => {
  const find = async (name: string, text: string, values: unknown[]): Promise<PendingDelivery[]> => {
    const { rows } = await pool.query<Row>({ name, text, values });
    return rows.map(toPending);
  };
  return {
    findDueRetries: (cursors, until, limit) =>
      find('find_due_retries', FIND_DUE_RETRIES, [
        arrayLiteral(cursors.map(({ partition }) => partition)),
        arrayLiteral(cursors.map(({ dueAt }) => dueAt)),
        arrayLiteral(cursors.map(({ deliveryId }) => deliveryId)),
        until,
        limit,
      ]),
    findScheduled: (partition, after, upTo) => find('find_scheduled', FIND_SCHEDULED, [partition, after, upTo]),
    findOfSubscription: (partition, subscriptionId, after, until, limit) =>
      find('find_of_subscription', FIND_OF_SUBSCRIPTION, [
        partition,
        subscriptionId,
        after.dueAt,
        after.deliveryId,
        until,
        limit,
      ]),
    find: async (partition, deliveryId) => (await find('find_pending', FIND_ONE, [partition, deliveryId]))[0],
    findSubscriptions: async (partition) => {
      const { rows } = await pool.query<{ subscription_id: string; application_id: string }>({
        name: 'find_pending_subscriptions',
        text: FIND_SUBSCRIPTIONS,
        values: [partition],
      });
      return rows.map((row) => ({ subscriptionId: row.subscription_id, applicationId: row.application_id }));
    },
  };
};

/** Deliveries due and deliveries waiting for a later time, over all log partitions; looks at every one of them. */
export const countPending = async (pool: Pool): Promise<{ pending: number; waiting: number }> => {
  const { rows } = await pool.query<{ pending: number; waiting: number }>(COUNT);
  return rows[0] ?? { pending: 0, waiting: 0 };
};
