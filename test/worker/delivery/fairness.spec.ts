import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answer, type Behaviour, gate, hang, type Receiver, startReceiver } from '../../support/receivers/index.ts';
import { type Cluster, countsByEvent, openCluster, type Tenant, until } from './support.ts';

const PROMPT_MS = 1_000;
const BACKLOG = 2_000;

const behaviours: Record<string, Behaviour> = {};
let receiver: Receiver;
let cluster: Cluster;
beforeAll(async () => {
  receiver = await startReceiver({ behaviours });
  // Of 16 requests at once, an application has 4 at most.
  cluster = await openCluster({ POSTHORN_RETRY_SCHEDULE: '1h', POSTHORN_CONCURRENCY: '16' });
  await cluster.start();
});
afterAll(async () => {
  await receiver.close(); // First, so that nothing hangs any more.
  await cluster.stop();
});

const at = (path: string) => receiver.requests.filter((request) => request.path === path);
/** As many events at once as a batch has room for. */
const ingestMany = async ({ applicationId }: Tenant, count: number, labels: Record<string, string>) => {
  const events = Array.from({ length: count }, () => ({
    application_id: applicationId,
    event_id: randomUUID(),
    event_type: 'order.paid',
    payload: '{}',
    payload_content_type: 'application/json',
    labels,
    occurred_at: new Date().toISOString(),
  }));
  for (let from = 0; from < count; from += 500)
    await cluster.call('POST', '/events', { events: events.slice(from, from + 500) });
  return events.map(({ event_id }) => event_id);
};

/** Counts the requests that are open at the same time, and answers each after a few turns of the event loop. */
const counting = (): { behaviour: Behaviour; most: () => number } => {
  let open = 0;
  let most = 0;
  return {
    most: () => most,
    behaviour: (call) => {
      open += 1;
      most = Math.max(most, open);
      setTimeout(() => {
        open -= 1;
        answer(200)(call);
      }, 5);
    },
  };
};

describe('the cap of a subscription', () => {
  it.each([1, 2])('of %i is never exceeded at the receiver, not in the first burst either', async (concurrency_max) => {
    const tenant = await cluster.tenant();
    const path = `/cap/${concurrency_max}`;
    const { behaviour, most } = counting();
    behaviours[path] = behaviour;
    await cluster.subscribe(tenant, `${receiver.url}${path}`, { concurrency_max });
    for (let burst = 0; burst < 3; burst += 1) {
      await ingestMany(tenant, 30, { all: 'yes' });
      await until(() => expect(at(path)).toHaveLength(30 * (burst + 1)));
    }
    expect(most()).toBe(concurrency_max);
  });

  it('is followed when it changes', async () => {
    const tenant = await cluster.tenant();
    const narrow = gate();
    behaviours['/cap/changed'] = narrow.behaviour;
    const subscription = await cluster.subscribe(tenant, `${receiver.url}/cap/changed`, { concurrency_max: 1 });
    await ingestMany(tenant, 6, { all: 'yes' });
    await until(() => expect(at('/cap/changed')).toHaveLength(1));
    await cluster.replace(subscription, { concurrency_max: 3 });
    await until(() => expect(at('/cap/changed')).toHaveLength(3));
    narrow.release();
    await until(() => expect(at('/cap/changed')).toHaveLength(6));
  });
});

describe('a long backlog', () => {
  it('drains completely and exactly once, and a fresh event of another subscription overtakes it', async () => {
    const tenant = await cluster.tenant();
    const backlog = gate();
    behaviours['/backlog'] = backlog.behaviour;
    behaviours['/fresh'] = answer(200);
    await cluster.subscribe(tenant, `${receiver.url}/backlog`, { labels: { to: 'backlog' }, concurrency_max: 3 });
    await cluster.subscribe(tenant, `${receiver.url}/fresh`, { labels: { to: 'fresh' } });
    const eventIds = await ingestMany(tenant, BACKLOG, { to: 'backlog' });
    await until(() => expect(at('/backlog')).toHaveLength(3));

    await ingestMany(tenant, 1, { to: 'fresh' });
    await until(() => expect(at('/fresh')).toHaveLength(1), PROMPT_MS);
    backlog.release();
    await until(() => expect(at('/backlog').length).toBeGreaterThan(BACKLOG / 10));
    await ingestMany(tenant, 1, { to: 'fresh' });
    await until(() => expect(at('/fresh')).toHaveLength(2), PROMPT_MS);
    expect(at('/backlog').length).toBeLessThan(BACKLOG);

    await cluster.settled();
    const counts = countsByEvent(at('/backlog'));
    expect(eventIds.filter((eventId) => counts.get(eventId) !== 1)).toEqual([]);
    expect(at('/backlog')).toHaveLength(BACKLOG);
  });
});

describe('a tenant whose receivers all hang', () => {
  it('does not hold up another tenant', async () => {
    const [hanging, healthy] = await Promise.all([cluster.tenant(), cluster.tenant()]);
    for (let index = 0; index < 20; index += 1) {
      behaviours[`/hang/${index}`] = hang();
      await cluster.subscribe(hanging, `${receiver.url}/hang/${index}`);
    }
    behaviours['/healthy'] = answer(200);
    await cluster.subscribe(healthy, `${receiver.url}/healthy`);
    await ingestMany(hanging, 50, { all: 'yes' });
    const hangs = () => receiver.requests.filter(({ path }) => path.startsWith('/hang/'));
    await until(() => expect(hangs()).toHaveLength(4));

    const tookMs: number[] = [];
    for (let sent = 1; sent <= 20; sent += 1) {
      const startedAt = performance.now();
      await ingestMany(healthy, 1, { all: 'yes' });
      await until(() => expect(at('/healthy')).toHaveLength(sent), PROMPT_MS);
      tookMs.push((at('/healthy')[sent - 1]?.time ?? 0) - startedAt);
    }
    expect(Math.max(...tookMs)).toBeLessThan(PROMPT_MS);
    expect(hangs()).toHaveLength(4);
    // One request per subscription at most: its subscriptions take turns, too.
    expect(new Set(hangs().map(({ path }) => path)).size).toBe(4);
  });
});
