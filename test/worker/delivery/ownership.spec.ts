import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { answer, type Behaviour, gate, type Receiver, startReceiver } from '../../support/receivers/index.ts';
import { type Cluster, countsByEvent, type Member, openCluster, PARTITIONS, type Tenant, until } from './support.ts';

const LEASE_MS = 1_500;
const CONCURRENCY = 4;
const WORKER = { POSTHORN_ROLES: 'worker' };
const API = { POSTHORN_ROLES: 'api' };

/** What the receiver does at the moment. */
let behaviour: Behaviour;
let receiver: Receiver;
let cluster: Cluster;
beforeEach(async () => {
  behaviour = answer(200);
  receiver = await startReceiver({ behaviour: (call) => behaviour(call) });
  cluster = await openCluster({
    POSTHORN_LEASE: `${LEASE_MS}ms`,
    POSTHORN_RETRY_SCHEDULE: '1h',
    POSTHORN_SUBSCRIPTION_CONCURRENCY: String(CONCURRENCY),
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await receiver.close(); // First, so that nothing hangs any more.
  await cluster.stop();
});

const held = ({ node }: Member): number => node.worker?.leases.held().length ?? 0;
const shared = (...members: Member[]): Promise<void> =>
  until(() => expect(members.map(held)).toEqual(members.map(() => PARTITIONS / members.length)));

/** Subscriptions over all log partitions. */
/** By the number in the path of their target. */
let subscriptions: string[] = [];
const subscribe = async (count = 8): Promise<Tenant> => {
  const tenant = await cluster.tenant();
  subscriptions = [];
  for (let index = 0; index < count; index += 1) {
    const { subscription_id } = await cluster.subscribe(tenant, `${receiver.url}/${index}`);
    subscriptions.push(String(subscription_id));
  }
  return tenant;
};
const ingestMany = (tenant: Tenant, count: number): Promise<string[]> =>
  Promise.all(Array.from({ length: count }, () => cluster.ingest(tenant)));
const succeeded = async (): Promise<number> =>
  (await cluster.history()).filter(({ type }) => type === 'AttemptSucceeded').length;

/** As `kill -9` would: nothing that it has to say reaches the database any more. */
const vanish = async ({ node }: Member): Promise<void> => {
  node.worker?.follower.stop();
  await Promise.all([node.core.appendPool.end(), node.core.queryPool.end(), node.core.leasePool.end()]);
};

describe('workers that share a database', () => {
  it('share the log partitions and deliver everything exactly once', async () => {
    await cluster.start(API);
    // So many that neither worker can be left without any, whichever partitions their ids fall into.
    const tenant = await subscribe(24);
    const workers = [await cluster.start(WORKER), await cluster.start(WORKER)];
    await shared(...workers);
    const eventIds = await ingestMany(tenant, 20);
    await cluster.settled();
    const counts = countsByEvent(receiver.requests);
    expect(eventIds.filter((eventId) => counts.get(eventId) !== 24)).toEqual([]);
    expect(receiver.requests).toHaveLength(24 * 20);
    expect(await succeeded()).toBe(24 * 20);
    for (const { node } of workers) {
      const attempts = await node.metrics.deliveries.get();
      expect(attempts.values.reduce((sum, { value }) => sum + value, 0)).toBeGreaterThan(0);
    }
    expect(await Promise.all(workers.map(({ late }) => late()))).toEqual([0, 0]);
  });

  it('find what an API without a worker has accepted, before and after they came', async () => {
    await cluster.start(API);
    const tenant = await subscribe(4);
    await ingestMany(tenant, 20);
    expect(receiver.requests).toHaveLength(0);
    await cluster.start(WORKER);
    await receiver.waitFor(80);
    await ingestMany(tenant, 20);
    await receiver.waitFor(160);
    await cluster.settled();
    expect(receiver.requests).toHaveLength(160);
  });

  it('hand over in order: what is in flight ends where it began, what waits goes on elsewhere', async () => {
    const { behaviour: holding, release } = gate();
    behaviour = holding;
    await cluster.start(API);
    const tenant = await subscribe();
    const leaving = await cluster.start(WORKER);
    await ingestMany(tenant, 50);
    await receiver.waitFor(8 * CONCURRENCY);
    await cluster.start(WORKER);
    const stopped = leaving.stop();
    release();
    await stopped;
    await cluster.settled();
    expect(receiver.requests).toHaveLength(8 * 50);
    expect(await succeeded()).toBe(8 * 50);
    expect(await leaving.late()).toBe(0);
    expect(leaving.errors).toEqual([]);
  });

  it('wait for what is in flight before they hand over a share, and keep the rest meanwhile', async () => {
    const { behaviour: holding, release } = gate();
    behaviour = holding;
    await cluster.start(API);
    const tenant = await subscribe();
    const first = await cluster.start(WORKER);
    await ingestMany(tenant, 2);
    await receiver.waitFor(16);
    const partitionOf = first.node.worker?.engine.partitionOf;
    const busy = new Set(
      receiver.requests.map(({ path }) => partitionOf?.(subscriptions[Number(path.slice(1))] ?? '')),
    );
    const leasesOfBusy = () => first.node.worker?.leases.held().filter(({ partition }) => busy.has(partition));
    const leases = leasesOfBusy();
    expect(leases).toHaveLength(busy.size);
    const second = await cluster.start(WORKER);
    await new Promise((resolve) => setTimeout(resolve, 2 * LEASE_MS)); // The requests outlast their leases.
    expect(leasesOfBusy()).toEqual(leases);
    release();
    await cluster.settled();
    await shared(first, second);
    expect(receiver.requests).toHaveLength(16);
    expect(await first.late()).toBe(0);
  });

  it('deliver everything exactly once while others come and go', async () => {
    behaviour = (call) => void setTimeout(answer(200), 20, call);
    await cluster.start(API);
    const tenant = await subscribe();
    const first = await cluster.start(WORKER);
    const ingested = (async () => {
      for (let round = 0; round < 20; round += 1) await ingestMany(tenant, 5);
    })();
    const second = await cluster.start(WORKER);
    await shared(first, second);
    await first.stop();
    const third = await cluster.start(WORKER);
    await shared(second, third);
    await second.stop();
    await ingested;
    await cluster.settled();
    expect(receiver.requests).toHaveLength(8 * 100);
    expect(await succeeded()).toBe(8 * 100);
  });
});

describe('a worker that takes log partitions', () => {
  it('and does not hear that it has them leaves them to run out, and takes them again', async () => {
    await cluster.start(API);
    const worker = await cluster.start(WORKER);
    const tenant = await subscribe(4);
    // What the database holds when the answer to the commit of a take-over is lost.
    await cluster.owner.query(
      `UPDATE processor_lease SET owner = $1, epoch = epoch + 1, until = clock_timestamp() + interval '1.5 s'
       WHERE processor = 'delivery'`,
      [worker.node.worker?.leases.owner],
    );
    await until(() => expect(held(worker)).toBe(0));
    await cluster.ingest(tenant);
    await cluster.settled(5 * LEASE_MS);
    expect(receiver.requests).toHaveLength(4);
  });

  it('and cannot begin with them at once takes them again', async () => {
    await cluster.start(API);
    const worker = await cluster.start(WORKER);
    const tenant = await subscribe(4);
    const heads = vi.spyOn(worker.node.core.workReader, 'heads').mockRejectedValue(new Error('away'));
    await cluster.owner.query(
      `UPDATE processor_lease SET until = '-infinity', owner = NULL WHERE processor = 'delivery'`,
    );
    const owners = async (): Promise<unknown[]> =>
      (await cluster.owner.query(`SELECT DISTINCT owner FROM processor_lease WHERE processor = 'delivery'`)).rows;
    await until(async () => {
      expect(await owners()).toEqual([{ owner: worker.node.worker?.leases.owner }]);
      expect(held(worker)).toBe(0);
    });
    heads.mockRestore();
    await cluster.ingest(tenant);
    await cluster.settled(5 * LEASE_MS);
    expect(receiver.requests).toHaveLength(4);
  });
});

describe('a worker that vanishes', () => {
  it('is replaced within two leases, and everything it owed is sent', async () => {
    const { behaviour: holding, release } = gate();
    behaviour = holding;
    await cluster.start(API);
    const tenant = await subscribe();
    const vanishing = await cluster.start(WORKER);
    await until(() => expect(held(vanishing)).toBe(PARTITIONS));
    const eventIds = await ingestMany(tenant, 10);
    await receiver.waitFor(8 * CONCURRENCY);
    const heir = await cluster.start(WORKER);
    behaviour = answer(200);
    await vanish(vanishing);
    const vanishedAt = performance.now();
    const inFlight = receiver.requests.length;
    await cluster.settled();
    expect(performance.now() - vanishedAt).toBeLessThan(2 * LEASE_MS + 1_500);
    release();
    const counts = countsByEvent(receiver.requests);
    expect(eventIds.filter((eventId) => (counts.get(eventId) ?? 0) < 8)).toEqual([]);
    expect(receiver.requests.length).toBeLessThanOrEqual(inFlight + 8 * 10);
    expect(await succeeded()).toBe(80);
    expect(await heir.late()).toBe(0);
  });

  it('and comes back too late changes nothing, and is counted', async () => {
    const { behaviour: holding, release } = gate();
    behaviour = holding;
    const member = await cluster.start();
    const tenant = await subscribe(1);
    await cluster.ingest(tenant);
    await receiver.waitFor(1);
    behaviour = answer(500);
    // Another worker has taken over without this one having noticed, and holds on for a while.
    await cluster.owner.query(`
      WITH taken AS (
        UPDATE processor_lease
        SET owner = gen_random_uuid(), epoch = epoch + 1, until = clock_timestamp() + interval '1.5 s'
        WHERE processor = 'delivery' RETURNING partition_no, epoch)
      UPDATE log_head SET delivery_epoch = epoch FROM taken WHERE log_head.partition_no = taken.partition_no`);
    release();
    await until(async () => expect(await member.late()).toBe(1));
    expect(await succeeded()).toBe(0);
    // The partition comes back, and with it the delivery, to which this time the receiver says no.
    await receiver.waitFor(2);
    await until(async () =>
      expect((await cluster.history()).map(({ type }) => type)).toEqual([
        'AttemptScheduled',
        'AttemptFailed',
        'AttemptScheduled',
      ]),
    );
    expect(await member.late()).toBe(1);
  });
});
