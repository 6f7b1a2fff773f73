import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { migrate } from '#src/eventstore/migrate.ts';
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '#test/support/database.ts';

let database: TestDatabase;
let directory: string;
beforeEach(async () => {
  database = await createEmptyDatabase();
  directory = await mkdtemp(join(tmpdir(), 'posthorn-migrations-'));
});
afterEach(async () => {
  await database.drop();
  await rm(directory, { recursive: true });
});

const write = (name: string, sql: string) => writeFile(join(directory, name), sql);
const run = () => migrate({ url: database.url, directory });
const rows = async (text: string, url = database.url): Promise<unknown[][]> => {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query({ text, rowMode: 'array' })).rows;
  } finally {
    await client.end();
  }
};
const applied = () => rows('SELECT name FROM posthorn_migration ORDER BY applied_at, name');

describe('migrating a database', () => {
  it('applies what is new, by number, and nothing twice', async () => {
    await write('0010_third.sql', 'INSERT INTO word VALUES (3)');
    await write('0001_first.sql', 'CREATE TABLE word (id int)');
    await write('2_second.sql', 'INSERT INTO word VALUES (1); INSERT INTO word VALUES (2);');
    expect(await run()).toStrictEqual(['0001_first.sql', '2_second.sql', '0010_third.sql']);
    expect(await run()).toStrictEqual([]);
    await write('0011_fourth.sql', 'INSERT INTO word VALUES (4)');
    expect(await run()).toStrictEqual(['0011_fourth.sql']);
    expect(await rows('SELECT id FROM word')).toStrictEqual([[1], [2], [3], [4]]);
  });

  it('applies each once when many start together', async () => {
    await write('1_table.sql', 'CREATE TABLE word (id int)');
    await write('2_slow.sql', 'INSERT INTO word SELECT 1 FROM pg_sleep(0.2)');
    await write('3_index.sql', '-- no transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS word_id ON word (id);\n');
    const names = (await Promise.all([run(), run(), run(), run()])).flat();
    expect(names.sort()).toStrictEqual(['1_table.sql', '2_slow.sql', '3_index.sql']);
    expect(await rows('SELECT count(*)::int FROM word')).toStrictEqual([[1]]);
  });

  it('refuses a file that was changed after it had been applied', async () => {
    await write('1_table.sql', 'CREATE TABLE word (id int)');
    await run();
    await write('1_table.sql', 'CREATE TABLE word (id bigint)');
    await expect(run()).rejects.toThrow('Migration 1_table.sql was changed after it had been applied');
  });

  it('undoes a failed migration, and goes on from there once it is mended', async () => {
    await write('1_table.sql', 'CREATE TABLE word (id int)');
    await write('2_broken.sql', 'INSERT INTO word VALUES (1); INSERT INTO nowhere VALUES (1)');
    await expect(run()).rejects.toThrow('Migration 2_broken.sql failed');
    expect(await applied()).toStrictEqual([['1_table.sql']]);
    expect(await rows('SELECT id FROM word')).toStrictEqual([]);
    await write('2_broken.sql', 'INSERT INTO word VALUES (1)');
    expect(await run()).toStrictEqual(['2_broken.sql']);
  });

  it('runs a migration outside a transaction when its first line asks for it', async () => {
    await write('1_table.sql', 'CREATE TABLE word (id int)');
    const index = (name: string) => `CREATE INDEX CONCURRENTLY ${name} ON word (id);`;
    await write('2_index.sql', ['-- no transaction', index('one'), '', index('two'), ''].join('\n'));
    await run();
    expect(await applied()).toStrictEqual([['1_table.sql'], ['2_index.sql']]);
  });

  it('lets no setting of one migration reach the next', async () => {
    await write('1_setting.sql', "SET lock_timeout = '77s'; CREATE TABLE word (id text)");
    await write('2_look.sql', "INSERT INTO word VALUES (current_setting('lock_timeout'))");
    await run();
    expect(await rows('SELECT id FROM word')).toStrictEqual([['0']]);
  });

  it('refuses two files with the same number', async () => {
    await write('1_a.sql', 'SELECT 1');
    await write('01_b.sql', 'SELECT 1');
    await expect(run()).rejects.toThrow('must begin with a number of its own');
  });
});

describe('a test database', () => {
  it('is migrated already, and shares nothing with the next one', async () => {
    const [one, other] = await Promise.all([createTestDatabase(), createTestDatabase()]);
    expect(await migrate({ url: one.url })).toStrictEqual([]);
    await rows('CREATE TABLE mine ()', one.url);
    await expect(rows('SELECT FROM mine', other.url)).rejects.toThrow('does not exist');
    await Promise.all([one.drop(), other.drop()]);
  });
});
