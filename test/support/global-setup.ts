import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '#src/embedded-postgres/start.ts';
import { migrate } from '#src/eventstore/migrate.ts';
import { databaseDirectory } from './temporary.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Superuser's address of the server of this run, and the migrated database that every test database is cloned from. */
    databaseServer: { readonly url: string; readonly template: string };
  }
}

/** One server per run: TEST_DATABASE_URL's, or an embedded one in a temporary directory. */
export const setup = async (project: TestProject): Promise<() => Promise<void>> => {
  const server = await startServer();
  try {
    const template = `posthorn_template_${randomBytes(6).toString('hex')}`;
    await execute(server.url, `CREATE DATABASE ${template}`);
    await migrate({ url: databaseUrl(server.url, template) });
    project.provide('databaseServer', { url: server.url, template });
    return async () => {
      await execute(server.url, `DROP DATABASE ${template}`);
      await server.stop();
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
};

const startServer = async (): Promise<{ url: string; stop: () => Promise<void> }> => {
  const given = process.env.TEST_DATABASE_URL;
  if (given !== undefined && given !== '') return { url: given, stop: async () => {} };
  const directory = await mkdtemp(join(databaseDirectory(), 'posthorn-test-'));
  await chmod(directory, 0o711); // Root's server runs as somebody else, who has to get to the data.
  // Kept below the temporary directory, whoever runs this: a test must leave nothing in /var/lib.
  const sharedDirectory = `${directory}-shared`;
  const clean = async () => {
    await Promise.all([directory, sharedDirectory].map((path) => rm(path, { recursive: true, force: true })));
  };
  try {
    const { url, stop } = await startEmbeddedPostgres({ dataDir: directory, log: () => {}, sharedDirectory });
    return { url, stop: () => stop().then(clean) };
  } catch (error) {
    await clean();
    throw error;
  }
};

export const databaseUrl = (server: string, database: string): string => new URL(`/${database}`, server).href;

export const execute = async (url: string, statement: string): Promise<void> => {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
};
