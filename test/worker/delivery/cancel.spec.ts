import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { answer, type Behaviour, gate, hang, type Receiver, startReceiver } from '../../support/receivers/index.ts';
import { type Cluster, type Member, openCluster, type Tenant, until } from './support.ts';

const CANCELLED_WITHIN_MS = 5_000;

const behaviours: Record<string, Behaviour> = {};
const releases: (() => void)[] = [];
let receiver: Receiver;
let cluster: Cluster;
let member: Member;
let tenant: Tenant;
beforeAll(async () => {
  receiver = await startReceiver({ behaviours });
  cluster = await openCluster({ POSTHORN_RETRY_SCHEDULE: '1h' });
  member = await cluster.start();
  tenant = await cluster.tenant();
});
afterAll(async () => {
  await receiver.close(); // First, so that nothing hangs any more.
  await cluster.stop();
});
afterEach(() => {
  for (const release of releases.splice(0)) release();
});

const held = (then: Behaviour): { behaviour: Behaviour; release: () => void } => {
  const made = gate(then);
  releases.push(made.release);
  return made;
};

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
    disable: () => cluster.replace(subscription, { is_enabled: false }),
    enable: () => cluster.replace(subscription, { is_enabled: true }),
    remove: () => cluster.call('DELETE', `/subscriptions/${subscription.subscription_id}`),
  };
};
const types = async (eventId: string): Promise<string[]> => (await cluster.history(eventId)).map(({ type }) => type);
const cancelled = async (eventId: string, reason: string): Promise<void> => {
  await until(async () => {
    const last = (await cluster.history(eventId)).at(-1);
    expect(last).toMatchObject({ type: 'DeliveryCancelled', data: { reason } });
  }, CANCELLED_WITHIN_MS);
};
const failedOnce = (eventId: string): Promise<void> =>
  until(async () => expect(await types(eventId)).toEqual(['AttemptScheduled', 'AttemptFailed', 'AttemptScheduled']));

describe.each([
  ['disabling', 'subscription_disabled'],
  ['deleting', 'subscription_deleted'],
] as const)('%s a subscription', (what, reason) => {
  it('cancels what waits for its retry', async () => {
    const { ingest, disable, remove, requests } = await subscribeTo(answer(500));
    const eventIds = await Promise.all(Array.from({ length: 3 }, ingest));
    await Promise.all(eventIds.map(failedOnce));
    await (what === 'disabling' ? disable() : remove());
    await Promise.all(eventIds.map((eventId) => cancelled(eventId, reason)));
    expect(requests()).toHaveLength(3);
  });

  it('cancels what is queued behind a receiver that hangs', async () => {
    const { ingest, disable, remove, requests } = await subscribeTo(hang(), { concurrency_max: 1 });
    const [first = '', ...others] = await Promise.all(Array.from({ length: 300 }, ingest));
    await until(() => expect(requests()).toHaveLength(1));
    const inFlight = requests()[0]?.headers['x-event-id'];
    await (what === 'disabling' ? disable() : remove());
    const queued = [first, ...others].filter((eventId) => eventId !== inFlight);
    await until(async () => {
      const history = await cluster.history();
      const over = new Set(history.filter(({ type }) => type === 'DeliveryCancelled').map(({ data }) => data.eventId));
      expect(queued.filter((eventId) => !over.has(eventId))).toEqual([]);
    }, CANCELLED_WITHIN_MS);
    expect(requests()).toHaveLength(1);
  });

  it('records a success that was under way', async () => {
    const { behaviour, release } = held(answer(200));
    const { ingest, disable, remove, requests } = await subscribeTo(behaviour);
    const eventId = await ingest();
    await until(() => expect(requests()).toHaveLength(1));
    await (what === 'disabling' ? disable() : remove());
    release();
    await until(async () => expect(await types(eventId)).toEqual(['AttemptScheduled', 'AttemptSucceeded']));
  });

  it('lets a failure that was under way be the end', async () => {
    const { behaviour, release } = held(answer(500));
    const { ingest, disable, remove, requests, subscription } = await subscribeTo(behaviour);
    const eventId = await ingest();
    await until(() => expect(requests()).toHaveLength(1));
    await (what === 'disabling' ? disable() : remove());
    const { configuration } = member.node.core;
    await until(async () => {
      const known = await configuration.subscription(subscription.subscription_id);
      expect(known?.disabledPosition).toBeGreaterThan(0);
    });
    release();
    await cancelled(eventId, reason);
    expect(await types(eventId)).toEqual(['AttemptScheduled', 'AttemptFailed', 'DeliveryCancelled']);
  });
});

describe('enabling a subscription again', () => {
  it('does not bring back what was cancelled, even at once, and new events go', async () => {
    const { behaviour, release } = held(answer(200));
    const { ingest, disable, enable, requests } = await subscribeTo(behaviour, { concurrency_max: 1 });
    const before = await Promise.all(Array.from({ length: 20 }, ingest));
    await until(() => expect(requests()).toHaveLength(1));
    const inFlight = requests()[0]?.headers['x-event-id'];
    await disable();
    await enable();
    const after = await Promise.all(Array.from({ length: 5 }, ingest));
    release();
    for (const eventId of before)
      if (eventId === inFlight)
        await until(async () => expect(await types(eventId)).toEqual(['AttemptScheduled', 'AttemptSucceeded']));
      else await cancelled(eventId, 'subscription_disabled');
    for (const eventId of after)
      await until(async () => expect(await types(eventId)).toEqual(['AttemptScheduled', 'AttemptSucceeded']));
    expect(requests()).toHaveLength(6);
  });

  it('leaves a delivery that was disabled meanwhile cancelled when it fails', async () => {
    const { behaviour, release } = held(answer(500));
    const { ingest, disable, enable, requests } = await subscribeTo(behaviour);
    const eventId = await ingest();
    await until(() => expect(requests()).toHaveLength(1));
    await disable();
    await enable();
    release();
    await cancelled(eventId, 'subscription_disabled');
  });
});
