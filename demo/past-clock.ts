import { Client, escapeIdentifier } from 'pg';

export type PastClock = {
  readonly set: (ms: number) => Promise<void>;
  /** From now on sessions have the real clock again. */
  readonly close: () => Promise<void>;
};

const OPEN = `
  CREATE SCHEMA demo_clock;
  CREATE TABLE demo_clock.instant (at timestamptz NOT NULL);
  INSERT INTO demo_clock.instant VALUES ('-infinity');
  CREATE FUNCTION demo_clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
    AS 'SELECT at FROM demo_clock.instant';
  GRANT USAGE ON SCHEMA demo_clock TO posthorn_app;
  GRANT SELECT ON demo_clock.instant TO posthorn_app`;
const SET = 'UPDATE demo_clock.instant SET at = to_timestamp($1::float8 / 1000)';
const CLOSE = 'DROP SCHEMA demo_clock CASCADE';

/**
 * Gives the demo's own database another clock for as long as its history is made: sessions begun meanwhile find this
 * `clock_timestamp` before that of Postgres. So the log still has the instants of its database's clock, appended by the
 * product's code as it is; only whoever owns a database can do this to it.
 */
export const openPastClock = async (ownerUrl: string): Promise<PastClock> => {
  const client = new Client({ connectionString: ownerUrl });
  await client.connect();
  const { rows } = await client.query<{ name: string }>('SELECT current_database() AS name');
  const database = escapeIdentifier(rows[0]?.name ?? '');
  await client.query(OPEN);
  await client.query(`ALTER DATABASE ${database} SET search_path = demo_clock, pg_catalog, public`);
  await client.query(`ALTER DATABASE ${database} SET synchronous_commit = off`);
  return {
    set: async (ms) => void (await client.query(SET, [ms])),
    close: async () => {
      await client.query(`ALTER DATABASE ${database} RESET search_path`);
      await client.query(`ALTER DATABASE ${database} RESET synchronous_commit`);
      await client.query(CLOSE);
      await client.end();
    },
  };
};
