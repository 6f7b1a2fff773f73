import { randomBytes, randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { loadConfig } from '#src/config/load.ts';
import { initialise } from '#src/eventstore/initialise.ts';
import { createAppPool } from '#src/eventstore/pool.ts';
import { verifyLog } from '#src/eventstore/verify.ts';
import { writeHistory } from '../../demo/history.ts';
import { createTestDatabase } from '../support/database.ts';

const MINUTE_MS = 60_000;
const COUNTS = `
  SELECT type, count(*)::int AS count, min(recorded_at) AS first, max(recorded_at) AS last
  FROM domain_event GROUP BY type`;

it('the demo has a past that its log proves, and a database that has the real clock again', async () => {
  const database = await createTestDatabase();
  const { url } = database;
  const { partitions } = await initialise({ url, partitions: 4 });
  const secrets = {
    masterKey: randomUUID(),
    biscuitPrivateKeys: [{ id: 'test', key: randomBytes(32) }],
    encryptionKeys: [{ id: 'test', key: randomBytes(32) }],
  };
  const began = Date.now();
  const config = loadConfig({ DATABASE_URL: url });
  await writeHistory({ config, secrets, url, partitions }, { lastsMs: 7 * MINUTE_MS, breaksMs: 6 * MINUTE_MS });

  const pool = createAppPool({ url, max: 1, name: 'test' });
  try {
    const { rows } = await pool.query<{ type: string; count: number; first: Date; last: Date }>(COUNTS);
    const of = new Map(rows.map((row) => [row.type, row]));
    const count = (type: string): number => of.get(type)?.count ?? 0;
    expect(of.get('SubscriptionCreated')).toMatchObject({ count: 6 });
    expect(of.get('ApplicationCreated')?.first.getTime()).toBeLessThan(began - 6 * MINUTE_MS);
    expect(of.get('EventIngested')?.last.getTime()).toBeGreaterThan(began - MINUTE_MS / 2);
    expect(count('EventIngested')).toBeGreaterThan(400);
    expect(count('AttemptSucceeded')).toBeGreaterThan(count('EventIngested'));
    expect(count('DeliveryDeadLettered')).toBeGreaterThan(15);
    expect(of.get('DeliveryDeadLettered')?.first.getTime()).toBeGreaterThan(began - 6 * MINUTE_MS);
    // What is still open waits in the work list for the worker, as retries that come due.
    const open = await pool.query<{ waiting: number }>(
      'SELECT count(*)::int AS waiting FROM pending_delivery WHERE attempt_number > 1',
    );
    expect(open.rows[0]?.waiting).toBeGreaterThan(20);
    expect((await verifyLog(pool)).faults).toStrictEqual([]);
    const clock = await pool.query<{ now: Date; left: number }>(
      `SELECT clock_timestamp() AS now, (SELECT count(*)::int FROM pg_namespace WHERE nspname = 'demo_clock') AS left`,
    );
    expect(clock.rows[0]?.now.getTime()).toBeGreaterThanOrEqual(began);
    expect(clock.rows[0]?.left).toBe(0);
  } finally {
    await pool.end();
    await database.drop();
  }
});
