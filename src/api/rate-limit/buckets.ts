import type { Pool } from 'pg';

/** What a process wants of one bucket. */
export type Ask = {
  readonly key: string;
  readonly rate: number;
  readonly burst: number;
  readonly wanted: number;
  /** Fewer than this are of no use: then none is taken. */
  readonly least: number;
};
export type Grant = {
  readonly granted: number;
  /** Seconds until the bucket is full. */
  readonly fullInSeconds: number;
};

export type Buckets = {
  /** Takes from all buckets asked for in one statement. */
  readonly borrow: (asks: readonly Ask[]) => Promise<ReadonlyMap<string, Grant>>;
  /** Deletes the rows of buckets that are full, and answers how many they were. */
  readonly clean: () => Promise<number>;
};

/**
 * A bucket is kept as the instant at which it is full (the theoretical arrival time of the generic cell rate algorithm, ITU-T
 * I.371): the tokens in it follow. Keys come sorted, so that two processes lock rows in the same order. A thousandth of a token
 * covers the microseconds that instants are rounded to. An instant further away than an empty bucket fills was written under a
 * clock that has been set back: after ten seconds of patience it counts as empty.
 */
const BORROW = `
  WITH asked AS (
    SELECT a.*, COALESCE($6::timestamptz, now()) AS at
    FROM unnest($1::text[], $2::float8[], $3::float8[], $4::integer[], $5::integer[]) AS a (key, rate, burst, wanted, least)
  )
  INSERT INTO rate_limit AS b (key, full_at, granted)
  SELECT key, at + make_interval(secs => LEAST(wanted, burst) / rate), LEAST(wanted, burst) FROM asked
  ON CONFLICT (key) DO UPDATE SET (full_at, granted) = (
    SELECT full_at + make_interval(secs => given / rate), given
    FROM asked AS a
    CROSS JOIN LATERAL (
      SELECT LEAST(GREATEST(b.full_at, at), at + make_interval(secs => burst / rate + 10)) AS full_at
    ) AS bucket
    CROSS JOIN LATERAL (
      SELECT floor(burst - extract(epoch FROM bucket.full_at - at)::float8 * rate + 0.001) AS available
    ) AS tokens
    CROSS JOIN LATERAL (
      SELECT CASE WHEN available >= least THEN LEAST(wanted, available) ELSE 0 END AS given
    ) AS taken
    WHERE a.key = b.key
  )
  RETURNING key, granted, extract(epoch FROM full_at - COALESCE($6::timestamptz, now()))::float8 AS full_in`;

const CLEAN = 'DELETE FROM rate_limit WHERE full_at < COALESCE($1::timestamptz, now())';

/** The buckets in Postgres, by the database's clock; `at` stands in for it in tests. */
export const createBuckets = ({ pool, at }: { pool: Pool; at?: () => Date }): Buckets => ({
  borrow: async (asks) => {
    const sorted = asks.toSorted((a, b) => (a.key < b.key ? -1 : 1));
    const { rows } = await pool.query<{ key: string; granted: number; full_in: number }>({
      name: 'borrow_tokens',
      text: BORROW,
      values: [
        sorted.map(({ key }) => key),
        sorted.map(({ rate }) => rate),
        sorted.map(({ burst }) => burst),
        sorted.map(({ wanted }) => wanted),
        sorted.map(({ least }) => least),
        at?.() ?? null,
      ],
    });
    return new Map(rows.map(({ key, granted, full_in: fullInSeconds }) => [key, { granted, fullInSeconds }]));
  },
  clean: async () => (await pool.query(CLEAN, [at?.() ?? null])).rowCount ?? 0,
});
