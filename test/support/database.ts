import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { databaseUrl, execute } from './global-setup.ts';

export type TestDatabase = { readonly url: string; readonly drop: () => Promise<void> };

/** A migrated, empty database of one's own, cloned from a template; `drop` also ends what is still connected to it. */
export const createTestDatabase = (): Promise<TestDatabase> => create(`TEMPLATE ${inject('databaseServer').template}`);

/** The same without any migration applied. */
export const createEmptyDatabase = (): Promise<TestDatabase> => create('TEMPLATE template0');

const create = async (template: string): Promise<TestDatabase> => {
  const { url } = inject('databaseServer');
  const name = `posthorn_test_${randomBytes(6).toString('hex')}`;
  await execute(url, `CREATE DATABASE ${name} ${template} STRATEGY file_copy`);
  return { url: databaseUrl(url, name), drop: () => execute(url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) };
};
