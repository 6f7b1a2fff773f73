import { Client } from 'pg';
import { expect, it } from 'vitest';
import { createLogger } from '#src/runtime/logger.ts';
import { createTestDatabase } from '#test/support/database.ts';

const MARKER = 'marker-5f2c';
const logged = (error: unknown, fields: Record<string, unknown> = {}) => {
  const lines: string[] = [];
  createLogger({ logLevel: 'info' }, { write: (line) => lines.push(line) }).error({ ...fields, err: error }, 'failed');
  expect(lines).toHaveLength(1);
  return lines[0] ?? '';
};
const thrown = (act: () => unknown): unknown => {
  try {
    return act();
  } catch (error) {
    return error;
  }
};

it('drops what is not named', () => {
  const line = logged(new Error('x'), {
    request_id: 'r1',
    headers: { authorization: MARKER },
    body: MARKER,
    req: { url: MARKER },
    secret: MARKER,
  });
  expect(line).not.toContain(MARKER);
  expect(JSON.parse(line)).toMatchObject({ request_id: 'r1', msg: 'failed', err: { type: 'Error', message: 'x' } });
});

it('quotes nothing of what could not be parsed', () => {
  const line = logged(thrown(() => JSON.parse(`{"a": ${MARKER}}`)));
  expect(line).not.toContain(MARKER);
  expect(JSON.parse(line).err).toMatchObject({ type: 'SyntaxError', stack: expect.stringContaining('at JSON.parse') });
  const wrapped = logged(new Error('outer', { cause: thrown(() => JSON.parse(`[${MARKER}]`)) }));
  expect(wrapped).not.toContain(MARKER);
  expect(JSON.parse(wrapped).err.cause).toContain('SyntaxError');
});

it('quotes no value and no row of Postgres', async () => {
  const database = await createTestDatabase();
  const client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query('CREATE TABLE thing (id text PRIMARY KEY, size integer CHECK (size < 5), note text NOT NULL)');
  await client.query(`INSERT INTO thing VALUES ('${MARKER}', 1, '')`);
  const wrong = [
    `INSERT INTO thing VALUES ('${MARKER}', 1, '')`,
    `INSERT INTO thing VALUES ('other', 9, '${MARKER}')`,
    `INSERT INTO thing VALUES ('${MARKER} 2', 1, NULL)`,
    `SELECT '${MARKER}'::uuid`,
    `SELECT '{"a": ${MARKER}}'::jsonb`,
    `SELECT ('${MARKER}')::integer`,
    `SELECT '${MARKER}'::timestamptz`,
  ];
  for (const statement of wrong) {
    const error = await client.query(statement).catch((caught: unknown) => caught);
    const line = logged(error);
    expect(line).not.toContain(MARKER);
    expect(JSON.parse(line).err).toMatchObject({ code: expect.stringMatching(/^2[23]/), message: expect.any(String) });
    expect(logged(new Error('outer', { cause: error }))).not.toContain(MARKER);
  }
  await client.end();
  await database.drop();
});
