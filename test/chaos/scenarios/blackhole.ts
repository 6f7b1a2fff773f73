import { setTimeout as sleep } from 'node:timers/promises';
import { type Exposed, resentAfterMs } from '../exposure.ts';
import { metricOf } from '../metrics.ts';
import type { DatabaseProxy } from '../proxy.ts';
import { attemptKey } from '../receiver.ts';
import { LEASE_MS, type Rig, replying } from '../rig.ts';
import type { Scenario } from './scenario.ts';

/** From the return of the network to a worker that does its share again. */
const BACK_MS = 15_000;

/**
 * Lets nothing pass for a while. Until its lease runs out the worker may go on sending what it has in memory; it can record
 * nothing of it.
 */
const cutOff = async (rig: Rig, proxy: DatabaseProxy, name: string, ms: number): Promise<Exposed> => {
  const startedAt = performance.now();
  const before = await rig.exposed(rig.process(name));
  proxy.blackhole();
  await sleep(ms - (performance.now() - startedAt));
  const after = await rig.exposed(rig.process(name));
  const isItsOwn = ({ port }: { port: number }): boolean => (before.ports?.has(port) || after.ports?.has(port)) ?? true;
  const sent = rig.receiver.received.filter((request) => request.atMs > startedAt && isItsOwn(request));
  const keys = new Set([...before.keys, ...after.keys, ...sent.map(attemptKey)]);
  if (keys.size > 0) rig.tally.faults += 1;
  rig.tally.duplicatesMax += keys.size;
  rig.say(`${name} was cut off for ${ms} ms and could not record ${keys.size} requests`);
  return { ...before, keys };
};

const waitUntilBack = (rig: Rig, name: string): Promise<void> =>
  rig.waitFor(`the return of ${name} to work`, BACK_MS, async () => {
    await sleep(200);
    return (await metricOf(rig.urlOf(name), 'posthorn_partitions_held')) > 0;
  });

/** `keep`: whether connections from before work again afterwards, or are never heard of again. */
const cutOffOneOfTwo = async (rig: Rig, { rounds, keep }: { rounds: number; keep: boolean }): Promise<void> => {
  rig.receiver.behave(replying(100, 400, rig.random));
  const proxy = await rig.proxy();
  await rig.start('api', 'api,projector');
  await rig.start('worker-a', 'worker,api', { proxy });
  await rig.start('worker-b', 'worker');
  const clients = rig.load({ clients: 8, pauseMs: 300 });
  await sleep(2 * LEASE_MS);
  const takeOvers: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const exposed = await cutOff(rig, proxy, 'worker-a', 2 * LEASE_MS);
    proxy.heal({ keep });
    await waitUntilBack(rig, 'worker-a');
    await sleep(LEASE_MS);
    takeOvers.push(resentAfterMs(exposed, rig.receiver).last);
  }
  await rig.waitFor('a late result to be counted', BACK_MS, async () => {
    await sleep(200);
    return (await metricOf(rig.urlOf('worker-a'), 'posthorn_late_results_total')) > 0;
  });
  await clients.stop();
  rig.tally.faultsMin = rounds;
  rig.tally.takeOverMs = Math.max(...takeOvers);
  if (rig.tally.takeOverMs > 2 * LEASE_MS) rig.fail(`taking over took ${takeOvers.map(Math.round).join(', ')} ms`);
};

/** A worker is cut off from Postgres without a word, for longer than it may own anything. */
export const blackhole: Scenario = {
  name: 'blackhole',
  title: 'let nothing pass between a worker and Postgres for two leases',
  isShort: false,
  subscriptions: 6,
  origins: 2,
  run: (rig) => cutOffOneOfTwo(rig, { rounds: 2, keep: true }),
};

/** As a firewall does that has forgotten its connections: packets vanish, and no RST tells. */
export const deadConnections: Scenario = {
  name: 'dead-connections',
  title: 'the same, and the connections from before are never heard of again',
  isShort: false,
  subscriptions: 6,
  origins: 2,
  run: (rig) => cutOffOneOfTwo(rig, { rounds: 1, keep: false }),
};

/** It takes back what it has just lost, while its requests from before are still under way. */
export const loneBlackhole: Scenario = {
  name: 'lone-blackhole',
  title: 'cut the only worker off for little more than its lease while replies are held',
  isShort: false,
  subscriptions: 4,
  origins: 2,
  env: { POSTHORN_ATTEMPT_TIMEOUT: '8s' },
  run: async (rig) => {
    const rounds = 2;
    rig.receiver.behave(replying(3_500, 4_500, rig.random)); // They come when it has been at work again for some time.
    const proxy = await rig.proxy();
    await rig.start('api', 'api,projector');
    await rig.start('worker', 'worker,api', { proxy });
    const clients = rig.load({ clients: 6, pauseMs: 900 });
    for (let round = 0; round < rounds; round += 1) {
      await sleep(2 * LEASE_MS);
      await cutOff(rig, proxy, 'worker', LEASE_MS + 300);
      proxy.heal();
      await waitUntilBack(rig, 'worker');
    }
    await clients.stop();
    rig.tally.faultsMin = rounds;
  },
};
