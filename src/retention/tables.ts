import type { Queryable } from '../projections/page.ts';

/** What is kept in days, by the column that names one row. */
export const TABLES = { payload: 'event_id', response: 'attempt_id' } as const;
export type Table = keyof typeof TABLES;

/** The rows of one application in one day and log partition. */
export type Share = {
  readonly table: Table;
  readonly day: string;
  readonly partition: number;
  readonly applicationId: string;
};

export type DayTable = { readonly table: Table; readonly day: string; readonly bytes: number };

const FIND_DAYS = `
  SELECT p.relname AS parent, c.relname AS name, pg_total_relation_size(c.oid)::float8 AS bytes
  FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid JOIN pg_class AS p ON p.oid = i.inhparent
  WHERE i.inhparent IN ('payload'::regclass, 'response'::regclass)
  ORDER BY c.relname`;
const DAY_IN_NAME = /_(\d{4})(\d{2})(\d{2})$/;

/** The days that have a table of their own, oldest first. */
export const findDayTables = async (db: Queryable): Promise<DayTable[]> => {
  const { rows } = await db.query<{ parent: Table; name: string; bytes: number }>(FIND_DAYS);
  return rows.flatMap(({ parent, name, bytes }) => {
    const [, year, month, day] = DAY_IN_NAME.exec(name) ?? [];
    return year === undefined ? [] : [{ table: parent, day: `${year}-${month}-${day}`, bytes }];
  });
};

/** The days, before another one, of rows that came when their day had no table. Hardly ever any. */
export const findStrayDays = async (db: Queryable, table: Table, before: string): Promise<string[]> => {
  const { rows } = await db.query<{ day: string }>(
    `SELECT DISTINCT day::text AS day FROM ${table}_default WHERE day < $1::date ORDER BY 1`,
    [before],
  );
  return rows.map(({ day }) => day);
};

/** Jumps from application to application through the key, however many rows each has. */
const SHARES = (table: Table): string => `
  WITH RECURSIVE s AS (
    (SELECT partition_no, application_id FROM ${table} WHERE day = $1 ORDER BY partition_no, application_id LIMIT 1)
    UNION ALL
    SELECT n.partition_no, n.application_id FROM s CROSS JOIN LATERAL (
      SELECT partition_no, application_id FROM ${table}
      WHERE day = $1 AND (partition_no, application_id) > (s.partition_no, s.application_id)
      ORDER BY partition_no, application_id LIMIT 1) AS n
  )
  SELECT partition_no, application_id FROM s`;

/** Whose rows a day has. */
export const findShares = async (db: Queryable, table: Table, day: string): Promise<Share[]> => {
  const { rows } = await db.query<{ partition_no: number; application_id: string }>(SHARES(table), [day]);
  return rows.map((row) => ({ table, day, partition: row.partition_no, applicationId: row.application_id }));
};

const OF_SHARE = (table: Table): string =>
  `day = $1 AND partition_no = $2 AND application_id = $3 AND ${TABLES[table]} <> ALL($4::uuid[])`;
const valuesOf = ({ day, partition, applicationId }: Share, kept: readonly string[]): unknown[] => [
  day,
  partition,
  applicationId,
  kept,
];

export type Amount = { readonly rows: number; readonly bytes: number };

/** How much of a share is to go, without the rows that are kept. */
export const measureShare = async (db: Queryable, share: Share, kept: readonly string[]): Promise<Amount> => {
  const { rows } = await db.query<Amount>(
    `SELECT count(*)::float8 AS rows, coalesce(sum(octet_length(body)), 0)::float8 AS bytes
     FROM ${share.table} WHERE ${OF_SHARE(share.table)}`,
    valuesOf(share, kept),
  );
  return rows[0] ?? { rows: 0, bytes: 0 };
};

/** Rows of one statement: some tens of milliseconds. */
const ROWS_AT_ONCE = 2_000;

/**
 * Deletes some rows of a share and notes it, as one; tells how many they were. By their places, which the day makes those of
 * one table: a join would go through the share for each of them while nobody has analysed it.
 */
export const deleteSome = async (db: Queryable, share: Share, kept: readonly string[]): Promise<number> => {
  const { table } = share;
  const { rows } = await db.query<{ rows: number }>(
    `WITH gone AS (
       DELETE FROM ${table} WHERE day = $1 AND ctid = ANY(ARRAY(
         SELECT ctid FROM ${table} WHERE ${OF_SHARE(table)} LIMIT ${ROWS_AT_ONCE}))
       RETURNING octet_length(body) AS bytes
     )
     INSERT INTO retention_cleaned (kind, rows, bytes)
     SELECT '${table}', count(*), sum(bytes) FROM gone HAVING count(*) > 0
     RETURNING rows::float8 AS rows`,
    valuesOf(share, kept),
  );
  return rows[0]?.rows ?? 0;
};

export const countRows = async (db: Queryable, { table, day }: DayTable): Promise<number> => {
  const { rows } = await db.query<{ rows: number }>(
    `SELECT count(*)::float8 AS rows FROM ${table} WHERE day = $1::date`,
    [day],
  );
  return rows[0]?.rows ?? 0;
};
