import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { startEmbeddedPostgres } from '#src/embedded-postgres/start.ts';

/** The database of one scenario. */
export type Database = {
  /** Where it is now. */
  readonly url: () => string;
  /** How a process is told of it. */
  readonly env: Readonly<Record<string, string>>;
  /** With the database running, also while no process is. */
  readonly use: <T>(task: (url: string) => Promise<T>) => Promise<T>;
  readonly close: () => Promise<void>;
};

export type Server = {
  /** A fresh, empty database in the server that all scenarios share. */
  readonly openDatabase: () => Promise<Database>;
  /** Of the server that runs now: another one after each restart. */
  readonly postmasterPid: () => number;
  readonly stop: () => Promise<void>;
};

const makeDirectory = async (): Promise<string> => {
  const directory = await mkdtemp(join(tmpdir(), 'posthorn-chaos-'));
  chmodSync(directory, 0o755); // Else the server's own user could not get there, where root runs this.
  return directory;
};
const sharedOf = (directory: string): string => `${directory}-shared`;
const remove = async (directory: string): Promise<void> => {
  for (const path of [directory, sharedOf(directory)]) await rm(path, { recursive: true, force: true });
};
const startIn = (dataDir: string) =>
  startEmbeddedPostgres({ dataDir, log: () => undefined, sharedDirectory: sharedOf(dataDir) });

/** The Postgres of a run; it is started again whenever it is killed. */
export const startServer = async (): Promise<Server> => {
  const directory = await makeDirectory();
  const { url, dataDir, stop } = await startIn(directory);
  /** Waits for a server that was killed and is on its way back. */
  const execute = async (sql: string, tries = 100): Promise<void> => {
    const client = new Client({ connectionString: url });
    client.on('error', () => undefined); // The query that runs is told, too.
    try {
      await client.connect();
    } catch (error) {
      if (tries <= 1) throw error;
      await sleep(100);
      return execute(sql, tries - 1);
    }
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  return {
    openDatabase: async () => {
      const name = `chaos_${randomBytes(4).toString('hex')}`;
      await execute(`CREATE DATABASE ${name}`);
      const own = Object.assign(new URL(url), { pathname: `/${name}` }).href;
      return {
        url: () => own,
        env: { DATABASE_URL: own },
        use: (task) => task(own),
        close: () => execute(`DROP DATABASE ${name} WITH (FORCE)`),
      };
    },
    postmasterPid: () => Number.parseInt(readFileSync(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8'), 10),
    stop: async () => {
      await stop();
      await remove(directory);
    },
  };
};

/** A database that belongs to the process under test, as with `npm start`: it comes and goes with it. */
export const openEmbeddedDatabase = async (): Promise<Database> => {
  const dataDir = await makeDirectory();
  return {
    url: () => readFileSync(join(dataDir, 'database-url'), 'utf8').trim(),
    env: { POSTHORN_DATA_DIR: dataDir },
    use: async (task) => {
      const { url, stop } = await startIn(dataDir);
      try {
        return await task(url);
      } finally {
        await stop();
      }
    },
    close: () => remove(dataDir),
  };
};
