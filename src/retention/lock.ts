import { Client } from 'pg';

/** Any fixed number; no other advisory lock of Posthorn uses it. */
const LOCK_KEY = 7_605_110_215;

/**
 * Runs something in one process at a time, over all that share the database; answers undefined at once while another runs it.
 * The lock belongs to a connection of its own, so it ends with the process, however that ends.
 */
export const alone = async <Result>(url: string, run: () => Promise<Result>): Promise<Result | undefined> => {
  const client = new Client({ connectionString: url, application_name: 'posthorn retention', keepAlive: true });
  client.on('error', () => undefined); // It is asked once, and is told then.
  await client.connect();
  try {
    const { rows } = await client.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [LOCK_KEY]);
    return rows[0]?.taken === true ? await run() : undefined;
  } finally {
    await client.end();
  }
};
