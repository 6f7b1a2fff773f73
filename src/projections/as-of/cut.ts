import type { Queryable } from '../page.ts';

/** A cut through the whole log: per log partition the last position that belongs to the past which is asked for. */
export type Cut = {
  /** The cut's own name, an ISO 8601 instant or `<log partition>:<position>`: equal names are equal cuts. */
  readonly asOf: string;
  readonly instant: Date;
  /** 0 where nothing had been recorded. */
  readonly positions: ReadonlyMap<number, number>;
};

/** A past that cannot be asked for: not written as one, or not over yet. */
export class InvalidAsOf extends Error {
  readonly id = 'InvalidAsOf';

  constructor(message: string) {
    super(message);
    this.name = 'InvalidAsOf';
  }
}

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/i;
const POSITION = /^(\d{1,4}):(\d{1,15})$/;

/** Appends that locked their heads may be under way this long after the instant they are recorded with. */
const SETTLING_MS = 20_000;

const FIND_POSITION = `
  SELECT h.position::float8 AS head, (extract(epoch FROM e.recorded_at) * 1000)::float8 AS recorded_ms
  FROM log_head AS h LEFT JOIN domain_event AS e ON e.partition_no = h.partition_no AND e.position = $2
  WHERE h.partition_no = $1`;
const READ_CLOCK = 'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms';
/** Waits for appends under way, in the order in which they lock. */
const AWAIT_APPENDS = 'SELECT partition_no FROM log_head ORDER BY partition_no FOR KEY SHARE';
/**
 * Bisection by the primary key: positions are dense and `recorded_at` never falls within a log partition, so some 20
 * look-ups find the last position at or before an instant among a million.
 */
const BISECT = `
  WITH RECURSIVE search (partition_no, low, high) AS (
    SELECT partition_no, 0::bigint, position FROM log_head
    UNION ALL
    SELECT s.partition_no,
           CASE WHEN e.recorded_at <= $1 THEN e.position ELSE s.low END,
           CASE WHEN e.recorded_at <= $1 THEN s.high ELSE e.position - 1 END
    FROM search AS s CROSS JOIN LATERAL (
      SELECT d.position, d.recorded_at FROM domain_event AS d
      WHERE d.partition_no = s.partition_no AND d.position = (s.low + s.high + 1) / 2) AS e
    WHERE s.low < s.high)
  SELECT partition_no, low::float8 AS position FROM search WHERE low = high ORDER BY partition_no`;

/**
 * The cut that a text names: an RFC 3339 instant (all that was recorded then or before), or `<log partition>:<position>`
 * (that partition exactly there, the others at the instant when that position was recorded). Instants are those of the
 * database's clock, to the millisecond; domain events of one append in several log partitions may differ by as much.
 * Throws InvalidAsOf.
 */
export const resolveAsOf = async (db: Queryable, text: string): Promise<Cut> => {
  const position = POSITION.exec(text);
  if (position) return cutAtPosition(db, Number(position[1]), Number(position[2]));
  const ms = INSTANT.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms))
    throw new InvalidAsOf(
      `as_of is neither an RFC 3339 instant such as 2026-03-01T10:00:00Z nor a position such as 3:1207; a plus sign has to be sent as %2B.`,
    );
  const instant = new Date(ms);
  const { rows } = await db.query<{ now_ms: number }>(READ_CLOCK);
  const nowMs = rows[0]?.now_ms ?? 0;
  if (ms > nowMs)
    throw new InvalidAsOf(`as_of ${instant.toISOString()} is in the future: it is ${new Date(nowMs).toISOString()}.`);
  if (nowMs - ms < SETTLING_MS) await settle(db);
  return { asOf: instant.toISOString(), instant, positions: await positionsAt(db, instant) };
};

const READ_HEADS = `
  SELECT partition_no, position::float8 AS position, (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now_ms
  FROM log_head`;

/** All that has been recorded, appends under way included. */
export const cutAtHeads = async (db: Queryable): Promise<Cut> => {
  await settle(db);
  const { rows } = await db.query<{ partition_no: number; position: number; now_ms: number }>(READ_HEADS);
  const instant = new Date(rows[0]?.now_ms ?? 0);
  const positions = new Map(rows.map((row) => [row.partition_no, row.position]));
  return { asOf: instant.toISOString(), instant, positions };
};

const cutAtPosition = async (db: Queryable, partition: number, position: number): Promise<Cut> => {
  const asOf = `${partition}:${position}`;
  const { rows } = await db.query<{ head: number; recorded_ms: number | null }>(FIND_POSITION, [partition, position]);
  const found = rows[0];
  if (!found) throw new InvalidAsOf(`as_of ${asOf} names a log partition that does not exist.`);
  if (found.recorded_ms === null)
    throw new InvalidAsOf(
      `as_of ${asOf} is no position of log partition ${partition}, which goes from 1 to ${found.head}.`,
    );
  const instant = new Date(found.recorded_ms);
  if (Date.now() - instant.getTime() < SETTLING_MS) await settle(db);
  const positions = new Map(await positionsAt(db, instant));
  return { asOf, instant, positions: positions.set(partition, position) };
};

/**
 * Until no append can still be recorded at a past instant. Twice: an append that was waiting while the first pass held a
 * head has read the clock before its wait, and the second pass waits for it.
 */
const settle = async (db: Queryable): Promise<void> => {
  await db.query(AWAIT_APPENDS);
  await db.query(AWAIT_APPENDS);
};

const positionsAt = async (db: Queryable, instant: Date): Promise<Map<number, number>> => {
  const { rows } = await db.query<{ partition_no: number; position: number }>(BISECT, [instant]);
  return new Map(rows.map((row) => [row.partition_no, row.position]));
};

/** 0 for a log partition that the cut does not know. */
export const positionIn = ({ positions }: Cut, partition: number): number => positions.get(partition) ?? 0;

/** A `bigint[]` for SQL, where `(array)[partition_no + 1]` is the cut's position. */
export const cutArray = (cut: Cut): string =>
  `{${Array.from({ length: Math.max(-1, ...cut.positions.keys()) + 1 }, (_, partition) => positionIn(cut, partition)).join(',')}}`;

/** SQL: the cut's position in the log partition of a row; `parameter` holds {@link cutArray}. */
export const cutAt = (parameter: string, row = ''): string => `(${parameter}::bigint[])[${row}partition_no + 1]`;

/**
 * By how much the clock that ids and instants of domain events are made with may run ahead of the database's, which
 * records them. It only bounds what is looked at: exact positions decide what belongs to a cut.
 */
export const CLOCK_AHEAD_MS_MAX = 5_000;

/** Nothing that begins with a later instant can have been recorded by the cut, in milliseconds. */
export const endOf = (cut: Cut): number => cut.instant.getTime() + CLOCK_AHEAD_MS_MAX;
