import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLeaseKeeper, expireAllLeases, type Lease, type LeaseKeeper } from '#src/eventstore/leases.ts';
import { eventually } from '../support/eventually.ts';
import { openTestLog, type TestLog } from '../support/log.ts';

const LEASE_MS = 600;
const PARTITIONS = 4;

let test: TestLog;
let keepers: LeaseKeeper[] = [];
beforeEach(async () => {
  test = await openTestLog(PARTITIONS);
});
afterEach(async () => {
  await Promise.all(keepers.map((keeper) => keeper.stop()));
  keepers = [];
  await test.close();
});

type Seen = { taken: Lease[]; lost: Lease[]; released: Lease[] };

const startKeeper = async (): Promise<{ keeper: LeaseKeeper; seen: Seen }> => {
  const seen: Seen = { taken: [], lost: [], released: [] };
  const keeper = createLeaseKeeper({
    pool: test.pool,
    processor: 'delivery',
    partitions: PARTITIONS,
    leaseMs: LEASE_MS,
    fencesLog: true,
    events: {
      onTaken: (lease) => void seen.taken.push(lease),
      onLost: (lease) => void seen.lost.push(lease),
      onRelease: async (lease) => void seen.released.push(lease),
      onError: () => undefined, // One of the tests takes the table away.
    },
  });
  keepers.push(keeper);
  await keeper.start();
  return { keeper, seen };
};
const owned = (keeper: LeaseKeeper): number[] =>
  keeper
    .held()
    .map(({ partition }) => partition)
    .sort();

describe('leases of log partitions', () => {
  it('all go to the only member, and are fenced in the heads', async () => {
    const { keeper, seen } = await startKeeper();
    expect(owned(keeper)).toEqual([0, 1, 2, 3]);
    const { rows } = await test.pool.query('SELECT delivery_epoch::int AS epoch FROM log_head ORDER BY partition_no');
    expect(rows.map(({ epoch }) => epoch)).toEqual(seen.taken.map(({ epoch }) => epoch));
  });

  it('are shared when another member comes, and go back when it leaves', async () => {
    const first = await startKeeper();
    const second = await startKeeper();
    await eventually(() => expect([owned(first.keeper).length, owned(second.keeper).length]).toEqual([2, 2]), 5_000);
    expect([...owned(first.keeper), ...owned(second.keeper)].sort()).toEqual([0, 1, 2, 3]);
    expect(first.seen.released).toHaveLength(2);
    await second.keeper.stop();
    await eventually(() => expect(owned(first.keeper)).toEqual([0, 1, 2, 3]), 5_000);
  });

  it('are taken over with a higher epoch when their owner is gone, and the old owner sees that it lost them', async () => {
    const { keeper, seen } = await startKeeper();
    const before = keeper.held();
    // What a stopped process looks like from outside: its leases and its membership run out.
    await test.owner.query(
      `UPDATE processor_lease SET until = '-infinity', owner = gen_random_uuid(), epoch = epoch + 1`,
    );
    await eventually(() => expect(seen.lost).toHaveLength(PARTITIONS), 5_000);
    await eventually(() => expect(owned(keeper)).toEqual([0, 1, 2, 3]), 5_000);
    for (const { partition, epoch } of before)
      expect(keeper.held().find((lease) => lease.partition === partition)?.epoch).toBeGreaterThan(epoch + 1);
  });

  it('are held by nobody whose time has run out, whatever the database says', async () => {
    const { keeper } = await startKeeper();
    expect(keeper.isHeld(0)).toBe(true);
    await test.owner.query('ALTER TABLE processor_lease RENAME TO processor_lease_away');
    try {
      await eventually(() => expect(keeper.isHeld(0)).toBe(false), 5_000);
    } finally {
      await test.owner.query('ALTER TABLE processor_lease_away RENAME TO processor_lease');
    }
  });

  it('carry on the clock of the database', async () => {
    const { keeper } = await startKeeper();
    const { rows } = await test.pool.query<{ ms: number }>(
      'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms',
    );
    expect(Math.abs(keeper.databaseNow() - (rows[0]?.ms ?? 0))).toBeLessThan(250);
  });

  it('are free at once for a start that is known to be alone', async () => {
    await startKeeper();
    await expireAllLeases(test.pool);
    const { rows } = await test.pool.query(
      `SELECT count(*)::int AS held FROM processor_lease WHERE until > clock_timestamp()`,
    );
    expect(rows).toEqual([{ held: 0 }]);
  });
});
