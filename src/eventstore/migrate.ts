import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';

type Options = {
  readonly url: string;
  readonly log?: (message: string) => void;
  /** Directory with the migrations; the checkout's own by default. */
  readonly directory?: string;
};
type Migration = { readonly name: string; readonly sql: string; readonly sha256: string };

const OUTSIDE_TRANSACTION = '-- no transaction';
/** Any fixed number; no other advisory lock of Posthorn uses it. */
const LOCK_KEY = 7_605_110_214;

/**
 * Brings the database up to date and answers with the names of what it applied. Each migration runs in one transaction
 * with its own row, so it is applied wholly or not at all. A file whose first line is `-- no transaction` runs statement
 * by statement (each ends with `;` at the end of a line) and must bear running twice: its row is written last.
 */
export const migrate = async ({ url, log = () => {}, directory = DIRECTORY }: Options): Promise<string[]> => {
  const migrations = readMigrations(directory);
  const client = new Client({ connectionString: url, application_name: 'posthorn migrate' });
  client.on('error', () => {}); // A broken connection also fails the query that runs, and that one is told.
  await client.connect();
  try {
    await lock(client);
    await client.query(CREATE_TABLE);
    const applied = await findApplied(client);
    const pending = migrations.filter((migration) => !isApplied(migration, applied));
    for (const migration of pending) {
      log(`applying migration ${migration.name}`);
      await apply(client, migration);
    }
    return pending.map(({ name }) => name);
  } finally {
    await client.end(); // Gives the lock back, too.
  }
};

const DIRECTORY = join(import.meta.dirname, '..', '..', 'migrations');

const CREATE_TABLE = `
  CREATE TABLE IF NOT EXISTS posthorn_migration (
    name text PRIMARY KEY,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
  )`;
const SELECT_APPLIED = 'SELECT name, sha256 FROM posthorn_migration';
const INSERT_ROW = 'INSERT INTO posthorn_migration (name, sha256) VALUES ($1, $2)';

/** In order of their numbers, which must all differ. */
const readMigrations = (directory: string): Migration[] => {
  const names = readdirSync(directory).filter((name) => name.endsWith('.sql'));
  const numbered = names.map((name) => ({ name, number: Number.parseInt(name, 10) }));
  const numbers = new Set(numbered.map(({ number }) => number));
  if (numbers.has(Number.NaN) || numbers.size < names.length) {
    throw new Error(`Every migration in ${directory} must begin with a number of its own: ${names.join(', ')}.`);
  }
  return numbered
    .sort((a, b) => a.number - b.number)
    .map(({ name }) => {
      const sql = readFileSync(join(directory, name), 'utf8');
      return { name, sql, sha256: createHash('sha256').update(sql).digest('hex') };
    });
};

/**
 * One migrating process at a time. Polled, because a session that waits for a lock inside a statement holds a snapshot,
 * and CREATE INDEX CONCURRENTLY of the process that has the lock would wait for that.
 */
const lock = async (client: Client): Promise<void> => {
  for (;;) {
    const { rows } = await client.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [LOCK_KEY]);
    if (rows[0]?.taken) return;
    await sleep(50);
  }
};

const findApplied = async (client: Client): Promise<Map<string, string>> => {
  const { rows } = await client.query<{ name: string; sha256: string }>(SELECT_APPLIED);
  return new Map(rows.map(({ name, sha256 }) => [name, sha256]));
};

const isApplied = ({ name, sha256 }: Migration, applied: ReadonlyMap<string, string>): boolean => {
  const known = applied.get(name);
  if (known !== undefined && known !== sha256) {
    throw new Error(`Migration ${name} was changed after it had been applied: restore it and add a new one instead.`);
  }
  return known !== undefined;
};

const apply = async (client: Client, { name, sql, sha256 }: Migration): Promise<void> => {
  try {
    if (sql.startsWith(OUTSIDE_TRANSACTION)) {
      for (const statement of sql.split(/;[ \t]*$/m).filter((part) => part.trim() !== ''))
        await client.query(statement);
      await client.query(INSERT_ROW, [name, sha256]);
    } else {
      await client.query('BEGIN');
      await client.query(INSERT_ROW, [name, sha256]); // First: whoever got past the lock as well waits here, and fails.
      await client.query(sql);
      await client.query('COMMIT');
    }
    await client.query('RESET ROLE'); // What a migration set must not reach into the next one.
    await client.query('RESET ALL');
  } catch (cause) {
    throw new Error(`Migration ${name} failed and is not recorded as applied: ${(cause as Error).message}`, { cause });
  }
};
