import fc from 'fast-check';
import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RecordedEvent } from '#src/eventstore/types.ts';
import { digest } from '#src/projections/digest.ts';
import { asyncProjections } from '#src/projections/index.ts';
import { recorded } from '#test/support/builders.ts';
import { createTestDatabase, type TestDatabase } from '#test/support/database.ts';
import { applyTo, openClient } from './support.ts';
import { DELIVERY_ACTIONS, type DeliveryAction, deliveryWalker } from './walker.ts';

let database: TestDatabase;
let client: Client;
beforeAll(async () => {
  database = await createTestDatabase();
  client = await openClient(database.url);
});
afterAll(async () => {
  await client.end();
  await database.drop();
});

type Step = { readonly delivery: number; readonly action: DeliveryAction };

const historyOf = (steps: readonly Step[]): RecordedEvent[] => {
  const walkers = Array.from({ length: 4 }, (_, index) => deliveryWalker(index));
  return recorded(steps.flatMap((step, ms) => walkers[step.delivery]?.(step, ms) ?? []));
};

const cut = (events: readonly RecordedEvent[], lengths: readonly number[]): RecordedEvent[][] => {
  const batches: RecordedEvent[][] = [];
  for (let start = 0, index = 0; start < events.length; index += 1) {
    const length = lengths[index % lengths.length] ?? 1;
    batches.push(events.slice(start, start + length));
    start += length;
  }
  return batches;
};

const INSERT_LOG = `
  INSERT INTO domain_event (partition_no, position, recorded_at, digest, schema_version, stream_version, stream_id, type, data, metadata)
  SELECT $1, $2, now(), 0, 1, $3, $4, $5, $6::json, '{}'`;

/** The digests of the tables after these batches; everything is taken back. The log is there, for whoever looks into it. */
const digestAfter = async (batches: readonly (readonly RecordedEvent[])[]): Promise<unknown[]> => {
  await client.query('BEGIN');
  try {
    for (const { partition, position, streamVersion, streamId, type, data } of batches.flat())
      if (streamId.startsWith('delivery:'))
        await client.query(INSERT_LOG, [partition, position, streamVersion, streamId, type, JSON.stringify(data)]);
    await applyTo(client, batches);
    const digests: unknown[] = [];
    for (const projection of asyncProjections) digests.push(await digest(client, projection));
    return digests;
  } finally {
    await client.query('ROLLBACK');
  }
};

const steps = fc.array(fc.record({ delivery: fc.nat(3), action: fc.constantFrom(...DELIVERY_ACTIONS) }), {
  minLength: 1,
  maxLength: 30,
});
const lengths = fc.array(fc.integer({ min: 1, max: 25 }), { minLength: 1, maxLength: 8 });

describe('a batch', () => {
  it('makes of any history what its domain events make one by one', async () => {
    await fc.assert(
      fc.asyncProperty(steps, lengths, async (taken, cuts) => {
        const history = historyOf(taken);
        const singly = await digestAfter(cut(history, [1]));
        expect(await digestAfter(cut(history, cuts))).toStrictEqual(singly);
        expect(await digestAfter([history])).toStrictEqual(singly);
      }),
      { numRuns: 60 },
    );
  });

  it('may bring a whole life, from ingest over a dead letter and a cancellation to success', async () => {
    const actions = ['succeed', 'fail', 'give up', 'replay', 'cancel', 'replay', 'move', 'succeed'] as const;
    const history = historyOf(actions.map((action) => ({ delivery: 0, action })));
    await client.query('BEGIN');
    await applyTo(client, [history], asyncProjections.slice(0, 3));
    const attempts = await client.query('SELECT attempt_number, outcome FROM request_attempt ORDER BY attempt_number');
    const { rows } = await client.query('SELECT status, attempts FROM delivery');
    await client.query('ROLLBACK');
    expect(rows).toStrictEqual([{ status: 'succeeded', attempts: 4 }]);
    expect(attempts.rows.map((row) => row.outcome)).toStrictEqual(['failed', 'failed', 'cancelled', 'succeeded']);
  });
});
