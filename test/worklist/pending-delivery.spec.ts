import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ANY_TIME,
  addPending,
  BEFORE_ALL,
  countPending,
  createWorkListQueries,
  type DueCursor,
  type PendingDelivery,
  postponePending,
  settlePending,
  type WorkListQueries,
} from '#src/worklist/pending-delivery.ts';
import { event, METADATA, openTestLog, type TestLog } from '../support/log.ts';
import { pendingDelivery } from '../worker/delivery/pending.ts';

const PARTITION = 1;

let test: TestLog;
let workList: WorkListQueries;
beforeAll(async () => {
  test = await openTestLog(2);
  workList = createWorkListQueries({ pool: test.pool });
});
afterAll(() => test.close());

const scheduled = (pending: PendingDelivery) => ({
  streamId: `delivery:${pending.deliveryId}`,
  partition: pending.partition,
  expectedVersion: 'new' as const,
  events: [event('AttemptScheduled', { deliveryId: pending.deliveryId })],
});
/** As ingest does: the domain event and the row in one append, all of them in one flush. */
const add = async (...rows: PendingDelivery[]): Promise<PendingDelivery[]> => {
  await Promise.all(
    rows.map((row) => test.log.append({ streams: [scheduled(row)], metadata: METADATA, writes: [addPending(row)] })),
  );
  return rows;
};
const settle = (row: PendingDelivery, attemptNumber = row.attemptNumber) =>
  test.log.append({
    streams: [{ ...scheduled(row), expectedVersion: 'guarded', events: [event('AttemptSucceeded')] }],
    metadata: METADATA,
    guard: settlePending({ ...row, attemptNumber }),
  });
const postpone = (row: PendingDelivery, next: Partial<PendingDelivery>) =>
  test.log.append({
    streams: [
      { ...scheduled(row), expectedVersion: 'guarded', events: [event('AttemptFailed'), event('AttemptScheduled')] },
    ],
    metadata: METADATA,
    guard: postponePending({ ...row, added: 2, next: { ...row, ...next } }),
  });
const row = (given: Partial<PendingDelivery> = {}): PendingDelivery =>
  pendingDelivery({ partition: PARTITION, dueAt: new Date().toISOString(), ...given });
const ids = (rows: readonly PendingDelivery[]): string[] => rows.map(({ deliveryId }) => deliveryId);
/** Page by page; fails rather than going on for ever. */
const pages = async (
  read: (after: DueCursor) => Promise<PendingDelivery[]>,
  limit: number,
): Promise<PendingDelivery[]> => {
  const all: PendingDelivery[] = [];
  for (let after = BEFORE_ALL, page = 0; page < 50; page += 1) {
    const rows = await read(after);
    all.push(...rows);
    const last = rows.at(-1);
    if (!last || rows.length < limit) return all;
    after = { dueAt: last.dueAt, deliveryId: last.deliveryId };
  }
  return expect.fail('The pages have no end.');
};

describe('a row of the work list', () => {
  it('comes back as it was added', async () => {
    const [added] = await add(row({ eventType: "it's.a\\type", retryCount: 3, attemptNumber: 4 }));
    expect(await workList.find(PARTITION, added?.deliveryId ?? '')).toEqual(added);
    expect(await workList.find(0, added?.deliveryId ?? '')).toBeUndefined();
  });

  it('is due at once by the clock of the database, in whole milliseconds', async () => {
    const ahead = new Date(Date.now() + 60_000).toISOString();
    const [added] = await add(row({ dueAt: ahead }));
    const { rows } = await test.owner.query(
      `SELECT due_at <= clock_timestamp() AS is_due, due_at = date_trunc('milliseconds', due_at) AS is_whole
       FROM pending_delivery WHERE delivery_id = $1`,
      [added?.deliveryId],
    );
    expect(rows).toEqual([{ is_due: true, is_whole: true }]);
  });

  it('is settled for the attempt that is pending, once', async () => {
    const [added = row()] = await add(row());
    expect(await settle(added, 2)).toMatchObject({ kind: 'guard-refused' });
    expect(await settle(added)).toMatchObject({ kind: 'appended' });
    expect(await settle(added)).toMatchObject({ kind: 'guard-refused' });
    expect(await workList.find(PARTITION, added.deliveryId)).toBeUndefined();
  });

  it('is moved to its next attempt, once', async () => {
    const [added = row()] = await add(row());
    const next = { attemptId: randomUUID(), attemptNumber: 2, retryCount: 1, dueAt: '2030-01-01T00:00:00.000Z' };
    expect(await postpone(added, next)).toMatchObject({ kind: 'appended' });
    expect(await postpone(added, next)).toMatchObject({ kind: 'guard-refused' });
    expect(await workList.find(PARTITION, added.deliveryId)).toEqual({ ...added, ...next, streamVersion: 3 });
    expect(await settle({ ...added, ...next })).toMatchObject({ kind: 'appended' });
  });
});

describe('reading the work list', () => {
  it('finds everything of a subscription page by page, also of one instant', async () => {
    const subscriptionId = randomUUID();
    // A producer whose clock runs ahead: then it is the database's that counts, and it counts microseconds.
    const dueAt = new Date(Date.now() + 60_000).toISOString();
    const added = await add(...Array.from({ length: 400 }, () => row({ subscriptionId, dueAt })));
    const read = (after: DueCursor) => workList.findOfSubscription(PARTITION, subscriptionId, after, ANY_TIME, 50);
    expect(ids(await pages(read, 50)).sort()).toEqual(ids(added).sort());
  });

  it('leaves out what is due later, of other subscriptions, and of other log partitions', async () => {
    const subscriptionId = randomUUID();
    const [now = row(), later = row()] = await add(row({ subscriptionId }), row({ subscriptionId }));
    await add(row(), row({ subscriptionId, partition: 0 }));
    await postpone(later, { attemptNumber: 2, dueAt: new Date(Date.now() + 60_000).toISOString() });
    const until = new Date(Date.now() + 5_000).toISOString();
    expect(ids(await workList.findOfSubscription(PARTITION, subscriptionId, BEFORE_ALL, until, 10))).toEqual([
      now.deliveryId,
    ]);
  });

  it('finds retries between two instants, for several log partitions at once', async () => {
    const from = Date.now() + 3_600_000;
    const at = (ms: number): string => new Date(from + ms).toISOString();
    const rows = await add(...[0, 1, 0, 1, 1].map((partition) => row({ partition })));
    for (const [index, added] of rows.entries()) await postpone(added, { attemptNumber: 2, dueAt: at(index) });
    const cursors = [0, 1].map((partition) => ({ partition, ...BEFORE_ALL, dueAt: at(-1) }));
    const found = await workList.findDueRetries(cursors, at(3), 2);
    expect(found.map(({ partition, dueAt }) => [partition, dueAt])).toEqual([
      [0, at(0)],
      [0, at(2)],
      [1, at(1)],
      [1, at(3)],
    ]);
    const rest = await workList.findDueRetries(
      [{ partition: 1, dueAt: at(3), deliveryId: rows[3]?.deliveryId ?? '' }],
      at(9),
      2,
    );
    expect(ids(rest)).toEqual([rows[4]?.deliveryId]);
  });

  it('finds of a stretch of the log what is still pending', async () => {
    const [head] = (await test.reader.heads()).filter(({ partition }) => partition === PARTITION);
    const after = head?.position ?? 0;
    const rows = await add(row(), row(), row());
    await settle(rows[1] as PendingDelivery);
    const found = await workList.findScheduled(PARTITION, after, after + 4);
    expect(ids(found).sort()).toEqual([rows[0]?.deliveryId, rows[2]?.deliveryId].sort());
    expect(await workList.findScheduled(PARTITION, after + 3, after + 4)).toEqual([]);
  });

  it('names every subscription of a log partition once, and counts', async () => {
    await test.owner.query('DELETE FROM pending_delivery');
    const [subscriptionId, other] = [randomUUID(), randomUUID()];
    await add(row({ subscriptionId }), row({ subscriptionId }), row({ subscriptionId: other }), row({ partition: 0 }));
    const subscriptions = await workList.findSubscriptions(PARTITION);
    expect(subscriptions.map((found) => found.subscriptionId).sort()).toEqual([subscriptionId, other].sort());
    expect(await countPending(test.pool)).toEqual({ pending: 4, waiting: 0 });
  });
});
