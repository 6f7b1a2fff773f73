import { setTimeout as sleep } from 'node:timers/promises';
import { replying } from '../rig.ts';
import type { Scenario } from './scenario.ts';

const SHUTDOWN_MS = 5_000;
const IN_FLIGHT = 100;

/** Window W12: told to stop with its hands full, a worker finishes what it began and hands over the rest. */
export const shutdown: Scenario = {
  name: 'shutdown',
  title: 'SIGTERM a worker with 100 requests in flight',
  isShort: true,
  subscriptions: 4,
  origins: 4,
  env: { POSTHORN_SUBSCRIPTION_CONCURRENCY: '128', POSTHORN_SHUTDOWN_TIMEOUT: `${SHUTDOWN_MS}ms` },
  run: async (rig, { short }) => {
    const rounds = short ? 1 : 4;
    rig.receiver.behave(replying(900, 1_300, rig.random));
    await rig.start('api', 'api,projector');
    await rig.start('worker', 'worker');
    const clients = rig.load({ clients: 10, pauseMs: 300 });
    for (let round = 0; round < rounds; round += 1) {
      await rig.waitFor(`${IN_FLIGHT} requests in flight`, 15_000, () => rig.receiver.open() >= IN_FLIGHT);
      if (rig.receiver.open() >= IN_FLIGHT) rig.tally.faults += 1;
      const leaving = rig.process('worker');
      const startedAt = performance.now();
      const exit = await rig.stop(leaving, SHUTDOWN_MS);
      rig.say(`ended with ${exit?.code ?? exit?.signal} after ${Math.round(performance.now() - startedAt)} ms`);
      await rig.start('worker', 'worker');
    }
    await sleep(500);
    await clients.stop();
    rig.tally.faultsMin = rounds;
    rig.tally.duplicatesMax = 0;
  },
};
