import { Pool } from 'pg';
import { type Config, loadConfig } from '../config/load.ts';
import { type OpenDatabase, openDatabase } from '../runtime/open-database.ts';
import type { CommandContext } from './command.ts';

export type CommandDatabase = OpenDatabase & { readonly pool: Pool; readonly config: Config };

/**
 * Runs something with the database: the one of DATABASE_URL, the embedded one that a running Posthorn keeps, or the
 * embedded one started for the purpose.
 */
export const withDatabase = async <Result>(
  { env }: CommandContext,
  use: (database: CommandDatabase) => Promise<Result>,
): Promise<Result> => {
  const config = loadConfig(env);
  const database = await openDatabase(config, { log: () => undefined, attach: true });
  const pool = new Pool({ connectionString: database.url, max: 2 });
  // What breaks is told by the query that fails; one that ends as it breaks has nobody else to tell.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  try {
    return await use({ ...database, pool, config });
  } finally {
    await pool.end();
    await database.stop();
  }
};
