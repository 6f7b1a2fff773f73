import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Append, StoreUnavailable } from '#src/eventstore/types.ts';
import { answer, type Behaviour, gate, type Receiver, sequence, startReceiver } from '../../support/receivers/index.ts';
import { type Cluster, type Member, openCluster, type Tenant, until } from './support.ts';

/** Each test has a path of its own, and says what it answers. */
const behaviours: Record<string, Behaviour> = {};
let receiver: Receiver;
let cluster: Cluster;
let member: Member;
let tenant: Tenant;
beforeAll(async () => {
  receiver = await startReceiver({ behaviours });
  cluster = await openCluster({ POSTHORN_LEASE: '2s', POSTHORN_RETRY_SCHEDULE: '200ms,200ms' });
  member = await cluster.start();
  tenant = await cluster.tenant();
});
afterAll(async () => {
  await receiver.close(); // First, so that nothing hangs any more.
  await cluster.stop();
});
afterEach(() => vi.restoreAllMocks());

let paths = 0;
const subscribeTo = async (behaviour: Behaviour, changes: Record<string, unknown> = {}) => {
  paths += 1;
  const path = `/${paths}`;
  behaviours[path] = behaviour;
  const labels = { test: path };
  const subscription = await cluster.subscribe(tenant, `${receiver.url}${path}`, { labels, ...changes });
  return {
    subscription,
    requests: () => receiver.requests.filter((request) => request.path === path),
    ingest: () => cluster.ingest(tenant, { labels }),
  };
};
const types = async (eventId: string): Promise<string[]> => (await cluster.history(eventId)).map(({ type }) => type);
/** The appends that record what came of a delivery are the only ones with a fence. */
const isResult = ({ fence }: Append): boolean => fence !== undefined;

describe('a fault of our own before a request', () => {
  it('is got over even when the work list cannot be read at first', async () => {
    const { ingest, requests } = await subscribeTo(answer(200));
    const { vault, workList } = member.node.core;
    vi.spyOn(vault, 'open').mockRejectedValueOnce(new Error('no key for a moment'));
    const reading = vi.spyOn(workList, 'findOfSubscription').mockRejectedValueOnce(new Error('away'));
    const eventId = await ingest();
    await until(async () => expect(await types(eventId)).toEqual(['AttemptScheduled', 'AttemptSucceeded']));
    expect(requests()).toHaveLength(1);
    expect(reading).toHaveBeenCalled();
  });

  it('keeps deliveries from being sent while a lease is in doubt, and no longer', async () => {
    const { ingest, requests } = await subscribeTo(answer(200));
    const doubt = vi.spyOn(member.node.worker?.leases ?? expect.fail(), 'isHeld').mockReturnValue(false);
    const eventIds = await Promise.all(Array.from({ length: 40 }, ingest));
    await until(() => expect(doubt).toHaveBeenCalled());
    expect(requests()).toHaveLength(0);
    doubt.mockRestore();
    for (const eventId of eventIds)
      await until(async () => expect(await types(eventId)).toEqual(['AttemptScheduled', 'AttemptSucceeded']));
    expect(requests()).toHaveLength(40);
  });

  it('never opens a cap that is not known', async () => {
    const { behaviour, release } = gate();
    const { ingest, requests } = await subscribeTo(behaviour, { concurrency_max: 1 });
    const reading = vi.spyOn(member.node.core.configuration, 'subscription').mockRejectedValueOnce(new Error('away'));
    await Promise.all(Array.from({ length: 5 }, ingest));
    await until(() => expect(requests()).toHaveLength(1));
    await until(() => expect(reading.mock.calls.length).toBeGreaterThan(2), 3_000);
    await cluster.call('GET', '/instance');
    expect(requests()).toHaveLength(1);
    release();
    await until(() => expect(requests()).toHaveLength(5));
    await cluster.settled();
  });
});

describe('a result in hand', () => {
  it('is recorded although the configuration cannot be read', async () => {
    const { behaviour, release } = gate();
    const { ingest, requests } = await subscribeTo(behaviour);
    const eventId = await ingest();
    await until(() => expect(requests()).toHaveLength(1));
    vi.spyOn(member.node.core.configuration, 'subscription').mockRejectedValueOnce(new Error('away'));
    release();
    await until(async () => expect(await types(eventId)).toEqual(['AttemptScheduled', 'AttemptSucceeded']));
    await cluster.settled();
    expect(requests()).toHaveLength(1);
  });

  it('is recorded when the receiver is gone and its subscription deleted meanwhile', async () => {
    const { behaviour, release } = gate(answer(410));
    const { ingest, requests, subscription } = await subscribeTo(behaviour);
    const eventId = await ingest();
    await until(() => expect(requests()).toHaveLength(1));
    await cluster.call('DELETE', `/subscriptions/${subscription.subscription_id}`);
    release();
    await until(async () =>
      expect(await types(eventId)).toEqual(['AttemptScheduled', 'AttemptFailed', 'DeliveryDeadLettered']),
    );
    expect(requests()).toHaveLength(1);
  });

  it('is recorded when the receiver is gone and the log for a moment, too', async () => {
    const { ingest, requests, subscription } = await subscribeTo(answer(410));
    vi.spyOn(member.node.core, 'handle').mockRejectedValueOnce(new StoreUnavailable('away'));
    const eventId = await ingest();
    await until(async () =>
      expect(await types(eventId)).toEqual(['AttemptScheduled', 'AttemptFailed', 'DeliveryDeadLettered']),
    );
    expect(requests()).toHaveLength(1);
    const read = await cluster.call('GET', `/subscriptions/${subscription.subscription_id}`);
    expect(read).toMatchObject({ is_enabled: false, disabled_reason: 'gone' });
  });

  it('is recorded once when the answer to its commit is lost, and its retry is sent', async () => {
    const { ingest, requests } = await subscribeTo(sequence(answer(500), answer(200)));
    const { log } = member.node.core;
    const append = log.append;
    vi.spyOn(log, 'append').mockImplementation(async (asked) => {
      const result = await append(asked);
      if (!isResult(asked) || requests().length !== 1) return result;
      vi.restoreAllMocks();
      throw new StoreUnavailable('the answer was lost');
    });
    const eventId = await ingest();
    await until(async () =>
      expect(await types(eventId)).toEqual([
        'AttemptScheduled',
        'AttemptFailed',
        'AttemptScheduled',
        'AttemptSucceeded',
      ]),
    );
    expect(requests()).toHaveLength(2);
  });

  it('leaves a retry that became due while it was being recorded to nobody else', async () => {
    const { ingest, requests } = await subscribeTo(sequence(answer(500), answer(200)));
    const { log, workList } = member.node.core;
    const { append } = log;
    const { findDueRetries } = workList;
    const overtaken = Promise.withResolvers<void>();
    const recorded = Promise.withResolvers<void>();
    let dueAt = '';
    // A scan reads past the retry's time before the retry is committed, and ends after it.
    vi.spyOn(log, 'append').mockImplementation(async (asked) => {
      if (!isResult(asked) || dueAt !== '') return append(asked);
      dueAt = String(asked.streams[0]?.events[1]?.data.dueAt);
      await overtaken.promise;
      const result = await append(asked);
      setTimeout(recorded.resolve, 50);
      return result;
    });
    vi.spyOn(workList, 'findDueRetries').mockImplementation(async (cursors, upTo, limit) => {
      const rows = await findDueRetries(cursors, upTo, limit);
      if (dueAt === '' || upTo <= dueAt) return rows;
      overtaken.resolve();
      await recorded.promise;
      return rows;
    });
    const eventId = await ingest();
    await until(async () => expect((await types(eventId)).at(-1)).toBe('AttemptSucceeded'));
    expect(requests()).toHaveLength(2);
  });

  it('is recorded by whoever has the log partition again, and nothing is left behind', async () => {
    const { behaviour, release } = gate();
    const { ingest, requests } = await subscribeTo(behaviour, { concurrency_max: 1 });
    const eventIds = [];
    for (let index = 0; index < 4; index += 1) eventIds.push(await ingest());
    await until(() => expect(requests()).toHaveLength(1));
    const { workList } = member.node.core;
    const taking = vi.spyOn(workList, 'findSubscriptions');
    for (let partition = 0; partition < 4; partition += 1) taking.mockRejectedValueOnce(new Error('away'));
    // As if the lease had run out: it is lost, and taken again with a higher epoch.
    await cluster.owner.query(
      `UPDATE processor_lease SET until = '-infinity', owner = NULL WHERE processor = 'delivery'`,
    );
    await until(() => expect(taking.mock.calls.length).toBeGreaterThanOrEqual(4));
    release();
    for (const eventId of eventIds)
      await until(async () => expect(await types(eventId)).toEqual(['AttemptScheduled', 'AttemptSucceeded']));
    expect(requests()).toHaveLength(4);
  });
});

describe('a delivery that is cancelled', () => {
  it('and replayed while its request is under way is sent again', async () => {
    const first = gate();
    const { ingest, requests } = await subscribeTo(sequence(first.behaviour, answer(200)));
    const eventId = await ingest();
    await until(() => expect(requests()).toHaveLength(1));
    const [scheduled] = await cluster.history(eventId);
    const deliveryId = scheduled?.data.deliveryId;
    const path = `/deliveries/${deliveryId}`;
    await cluster.call('POST', `${path}/cancel`);
    const reading = vi.spyOn(member.node.worker?.engine ?? expect.fail(), 'offer');
    await cluster.call('POST', `${path}/replay`);
    // The replay is read, and found to be in memory with its earlier attempt.
    await until(() =>
      expect(reading.mock.calls.map(([of]) => of)).toContainEqual(
        expect.objectContaining({ deliveryId, attemptNumber: 2 }),
      ),
    );
    first.release();
    await until(async () =>
      expect(await types(eventId)).toEqual([
        'AttemptScheduled',
        'DeliveryCancelled',
        'AttemptScheduled',
        'AttemptSucceeded',
      ]),
    );
    expect(requests().map(({ headers }) => headers['x-posthorn-attempt'])).toEqual(['1', '2']);
  });

  it('because its subscription was disabled while a failure was being recorded does not wait for its retry', async () => {
    const { ingest, subscription } = await subscribeTo(answer(500), { retry_schedule: '1h' });
    const { log, workList } = member.node.core;
    const { append } = log;
    const disabled = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    vi.spyOn(log, 'append').mockImplementation(async (asked) => {
      if (isResult(asked) && asked.streams[0]?.events[0]?.type === 'AttemptFailed') {
        held.resolve();
        await disabled.promise;
      }
      return append(asked);
    });
    const cancelling = vi.spyOn(workList, 'findOfSubscription');
    const eventId = await ingest();
    await held.promise;
    await cluster.replace(subscription, { is_enabled: false });
    await until(() => expect(cancelling).toHaveBeenCalled());
    await Promise.all(cancelling.mock.results.map(({ value }) => value));
    disabled.resolve();
    await until(async () =>
      expect(await types(eventId)).toEqual([
        'AttemptScheduled',
        'AttemptFailed',
        'AttemptScheduled',
        'DeliveryCancelled',
      ]),
    );
  });

  it('is cancelled although the work list cannot be read at first', async () => {
    const { ingest, subscription } = await subscribeTo(answer(500), { retry_schedule: '1h' });
    const eventId = await ingest();
    await until(async () => expect(await types(eventId)).toHaveLength(3));
    vi.spyOn(member.node.core.workList, 'findOfSubscription').mockRejectedValueOnce(new Error('away'));
    await cluster.replace(subscription, { is_enabled: false });
    await until(async () => expect((await types(eventId)).at(-1)).toBe('DeliveryCancelled'), 5_000);
  });
});
