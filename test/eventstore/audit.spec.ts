import { randomBytes } from 'node:crypto';
import type { PoolClient } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { partitionOf } from '#src/eventstore/partition.ts';
import { checkCheckpoint, readCheckpoints, signCheckpoint } from '#src/eventstore/signed-heads.ts';
import { verifyLog } from '#src/eventstore/verify.ts';
import { appendTo, event, newStream, openTestLog, type TestLog } from '../support/log.ts';

let test: TestLog;
beforeAll(async () => {
  test = await openTestLog(2);
  for (let block = 0; block < 3; block += 1)
    await Promise.all(
      [0, 1, 2, 3].map((n) => test.log.append(appendTo(newStream(), 0, 'new', event('A', { block, n })))),
    );
});
afterAll(() => test.close());

/** Runs as the owner of the database, and takes everything back. */
const tampered = async <Result>(statements: string, look: (db: PoolClient) => Promise<Result>): Promise<Result> => {
  const client = await test.owner.connect();
  try {
    await client.query('BEGIN');
    await client.query(statements);
    return await look(client);
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
};
const faultsAfter = (statements: string) => tampered(statements, async (db) => (await verifyLog(db)).faults);

describe('verifying the log', () => {
  it('finds nothing in a log as it was appended', async () => {
    expect(await verifyLog(test.pool)).toMatchObject({ events: 12, blocks: 3, partitions: 2, faults: [] });
  });

  it.each([
    ['changed data', `UPDATE domain_event SET data = '{"block":1,"n":9}' WHERE position = 6`, 6],
    ['changed metadata', `UPDATE domain_event SET metadata = '{}' WHERE position = 7`, 7],
    ['a changed type', `UPDATE domain_event SET type = 'B' WHERE position = 5`, 5],
    ['another spelling of the same JSON', `UPDATE domain_event SET data = ' {"block":1,"n":1}' WHERE position = 6`, 6],
    ['a removed domain event', 'DELETE FROM domain_event WHERE position = 6', 6],
    ['a removed end', 'DELETE FROM domain_event WHERE position >= 9', 9],
    ['a moved instant', `UPDATE domain_event SET recorded_at = recorded_at + interval '1 s' WHERE position = 7`, 7],
    [
      'a block whose instant is finer than any append makes it',
      `UPDATE domain_event SET recorded_at = recorded_at + interval '1 us' WHERE position BETWEEN 5 AND 8`,
      5,
    ],
    [
      'two swapped domain events',
      `UPDATE domain_event SET position = -position WHERE position IN (6, 7);
       UPDATE domain_event SET position = 13 + position WHERE position < 0`,
      6,
    ],
    [
      'an inserted domain event',
      `UPDATE domain_event SET position = position + 101 WHERE position >= 7;
       UPDATE domain_event SET position = position - 100 WHERE position > 100;
       INSERT INTO domain_event SELECT 7, recorded_at, digest, partition_no, schema_version, 1, 'test:forged', type, data, metadata, NULL
       FROM domain_event WHERE position = 6;
       UPDATE log_head SET position = position + 1 WHERE partition_no = 0`,
      7,
    ],
  ])('names the position of %s', async (_what, tampering, position) => {
    const [fault] = await faultsAfter(tampering);
    expect(fault).toMatchObject({ partition: 0, position });
  });

  it('finds the block when the digest of the row was forged as well', async () => {
    const [fault] = await faultsAfter(`
      UPDATE domain_event SET data = (SELECT data FROM domain_event WHERE position = 6),
        digest = (SELECT digest FROM domain_event WHERE position = 6) WHERE position = 7`);
    // A digest covers its position, so a copied one gives itself away at once.
    expect(fault).toMatchObject({ partition: 0, position: 7 });
  });
});

describe('signed checkpoints', () => {
  const key = { id: 'k1', key: randomBytes(32) };

  it('hold as long as the log grows only', async () => {
    const checkpoint = await signCheckpoint(test.pool, key, new Date());
    await test.log.append(appendTo(newStream(), 0, 'new', event('A')));
    expect(await readCheckpoints(test.pool)).toEqual([checkpoint]);
    expect(await checkCheckpoint(test.pool, checkpoint, [key])).toEqual([]);
  });

  it('show a log whose end was cut off, chain and head and all', async () => {
    const checkpoint = await signCheckpoint(test.pool, key, new Date());
    const cut = `
      UPDATE log_head SET position = 8, hash = (SELECT block_hash FROM domain_event WHERE partition_no = 0 AND position = 8)
      WHERE partition_no = 0;
      DELETE FROM domain_event WHERE position > 8`;
    const [chain, against] = await tampered(cut, async (db) => [
      await verifyLog(db),
      await checkCheckpoint(db, checkpoint, [key]),
    ]);
    expect([chain.faults, against.length]).toEqual([[], 1]);
  });

  it('are worth nothing with a forged signature, an unknown key or another instance', async () => {
    const checkpoint = await signCheckpoint(test.pool, key, new Date());
    const forged = { ...checkpoint, heads: checkpoint.heads.replace('"position":13', '"position":12') };
    expect(await checkCheckpoint(test.pool, forged, [key])).toHaveLength(1);
    expect(await checkCheckpoint(test.pool, checkpoint, [{ ...key, id: 'k2' }])).toHaveLength(1);
    const other = await openTestLog(2);
    expect(await checkCheckpoint(other.pool, checkpoint, [key])).toHaveLength(1);
    await other.close();
  });
});

describe('the role of the processes', () => {
  it.each([
    'UPDATE domain_event SET type = type',
    'DELETE FROM domain_event',
    'TRUNCATE domain_event',
    'DROP TABLE domain_event',
  ])('may not %s', async (statement) => {
    await expect(test.pool.query(statement)).rejects.toMatchObject({ code: '42501' });
  });
});

describe('the log partition of a key', () => {
  it('never changes', () => {
    expect(['a', 'b', '3f0e6cc4-6f0a-4e5c-8d0a-3f9fb7a0a001', ''].map((key) => partitionOf(key, 16))).toEqual([
      3, 9, 6, 0,
    ]);
  });
});
