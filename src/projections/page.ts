import type { ClientBase, Pool } from 'pg';
import type { RunQuery } from '../eventstore/types.ts';

export type Queryable = Pick<Pool | ClientBase, 'query'>;

/** For queries within the transaction of an append. What runs there takes a text and values, as all queries here do. */
export const queryableWithin = (run: RunQuery): Queryable => ({ query: run }) as unknown as Queryable;

/** A part of a list: newest first unless said otherwise. */
export type Page<Row> = {
  readonly rows: readonly Row[];
  /**
   * Where the next page begins; null after the last one. A page may be short, even empty, and still have a next one: a
   * filter that matches little stops after {@link SCAN_MAX} rows, so that no request reads a whole table.
   */
  readonly nextCursor: string | null;
};

export type PageRequest = {
  /** As the page before gave it; undefined for the first page. */
  readonly cursor?: string | undefined;
  /** 1 to 100. */
  readonly limit: number;
};

export const PAGE_MAX = 100;
/** Rows one page looks at. */
export const SCAN_MAX = 5_000;

/** A cursor that no page of this list gave out. */
export class InvalidCursor extends Error {
  readonly id = 'InvalidCursor';

  constructor(list: string) {
    super(`The cursor is not one that the list ${list} gave out; leave it away to begin with the first page.`);
    this.name = 'InvalidCursor';
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** What stands in cursors, by the column that the list is ordered by. */
const KEYS = {
  uuid: (key: unknown): key is string => typeof key === 'string' && UUID.test(key),
  position: (key: unknown): key is number => Number.isSafeInteger(key) && (key as number) >= 0,
  text: (key: unknown): key is string =>
    typeof key === 'string' && key.length <= 500 && key.isWellFormed() && !key.includes('\0'),
} as const;

type KeyOf = { uuid: string; position: number; text: string };

/** Opaque to clients: URL-safe base64 of JSON that names the list and the last key seen. */
export const encodeCursor = (list: string, key: string | number): string =>
  Buffer.from(JSON.stringify([list, key])).toString('base64url');

/** Null without a cursor; throws InvalidCursor for any that was not made for this list. */
export const decodeCursor = <Kind extends keyof KeyOf>(
  list: string,
  kind: Kind,
  cursor: string | undefined,
): KeyOf[Kind] | null => {
  if (cursor === undefined) return null;
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    throw new InvalidCursor(list);
  }
  if (!Array.isArray(parts) || parts.length !== 2 || parts[0] !== list || !KEYS[kind](parts[1]))
    throw new InvalidCursor(list);
  return parts[1] as KeyOf[Kind];
};

/** How many rows to ask for: one more than the page holds, which tells whether it is the last. */
export const rowsToRead = (limit: number): number => Math.min(PAGE_MAX, Math.max(1, Math.trunc(limit))) + 1;

/**
 * Makes a page of at most `limit` rows out of `rowsToRead(limit)` read. `scannedTo` is the key at which the reading gave up
 * looking for matches, if it did.
 */
export const toPage = <Row, Key extends string | number>(
  list: string,
  found: readonly Row[],
  { limit, keyOf, scannedTo = null }: { limit: number; keyOf: (row: Row) => Key; scannedTo?: Key | null },
): Page<Row> => {
  const size = rowsToRead(limit) - 1;
  const rows = found.slice(0, size);
  const last = rows.at(-1);
  if (found.length > size && last !== undefined) return { rows, nextCursor: encodeCursor(list, keyOf(last)) };
  return { rows, nextCursor: scannedTo === null ? null : encodeCursor(list, scannedTo) };
};

const LEAST = { uuid: `'${'0'.repeat(32)}'::uuid`, position: '0::bigint' } as const;

/** What a filtered list reads: `range` is answered by the index on `key`, `filter` by looking at rows. */
export type Selection = {
  readonly table: string;
  readonly key: string;
  readonly kind: keyof typeof LEAST;
  readonly columns: string;
  readonly range: string;
  readonly filter: string;
  /** The parameter that says whether `filter` can refuse anything: if not, nothing need be known of where to stop. */
  readonly isFiltered: string;
  readonly limit: string;
};

/**
 * The statement of a filtered page: `range` is answered by the index on `key`, `filter` by looking at rows. It returns one
 * row at least, which carries `scanned_to`; all else is null in it when nothing matched.
 */
export const pageStatement = ({ table, key, kind, columns, range, filter, isFiltered, limit }: Selection): string => `
  SELECT s.scanned_to, p.*
  FROM (SELECT CASE WHEN ${isFiltered}::boolean THEN (
          SELECT ${key} FROM ${table} WHERE ${range} ORDER BY ${key} DESC OFFSET ${SCAN_MAX - 1} LIMIT 1) END AS scanned_to) AS s
  LEFT JOIN LATERAL (
    SELECT ${columns}
    FROM ${table}
    WHERE ${range} AND ${table}.${key} >= coalesce(s.scanned_to, ${LEAST[kind]}) AND ${filter}
    ORDER BY ${table}.${key} DESC
    LIMIT ${limit}) AS p ON true`;

/** Rows that counting looks at when there is a filter. */
const COUNT_SCAN_MAX = 50_000;

/** How many rows match; counting stops at a limit, so that it costs the same on a large log. */
export type Count = {
  readonly value: number;
  /** False when counting stopped and there may be more. */
  readonly isExact: boolean;
};

/**
 * The statement that counts a selection, with the parameters of its page: the limit is how far to count, the cursor null.
 * It looks at the newest rows, as many as the limit or, with a filter, {@link COUNT_SCAN_MAX} if those are more.
 */
export const countStatement = ({ table, key, range, filter, isFiltered, limit }: Selection): string => `
  SELECT least(count(*) FILTER (WHERE looked.matches), ${limit}::int)::int AS value,
    count(*) < max(looked.most) AND count(*) FILTER (WHERE looked.matches) <= ${limit}::int AS is_exact
  FROM (
    SELECT ${filter} AS matches, m.most
    FROM (SELECT CASE WHEN ${isFiltered}::boolean THEN greatest(${limit}::int + 1, ${COUNT_SCAN_MAX}) ELSE ${limit}::int + 1 END AS most) AS m
    CROSS JOIN LATERAL (SELECT * FROM ${table} WHERE ${range} ORDER BY ${key} DESC LIMIT m.most) AS ${table}) AS looked`;

/** Runs a {@link countStatement}. */
export const readCount = async (db: Queryable, statement: string, values: readonly unknown[]): Promise<Count> => {
  const { rows } = await db.query<{ value: number; is_exact: boolean | null }>(statement, [...values]);
  return { value: rows[0]?.value ?? 0, isExact: rows[0]?.is_exact ?? true };
};

/** Whether any filter is set. */
export const isAnySet = (...values: unknown[]): boolean =>
  values.some((value) => value !== undefined && value !== null);

/** Null for undefined: a filter that is not set. */
export const orNull = <Value>(value: Value | undefined): Value | null => value ?? null;
