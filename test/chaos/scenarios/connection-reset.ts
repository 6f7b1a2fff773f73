import { setTimeout as sleep } from 'node:timers/promises';
import { replying } from '../rig.ts';
import type { Scenario } from './scenario.ts';

/** Every process loses all of its connections at once, again and again, each at its own time. */
export const connectionReset: Scenario = {
  name: 'connection-reset',
  title: 'reset all database connections of each process again and again',
  isShort: false,
  subscriptions: 4,
  run: async (rig) => {
    const rounds = 20;
    rig.receiver.behave(replying(20, 200, rig.random));
    const proxies = [await rig.proxy(), await rig.proxy(), await rig.proxy()] as const;
    await rig.start('api', 'api,projector', { proxy: proxies[0] });
    await rig.start('worker-a', 'worker', { proxy: proxies[1] });
    await rig.start('worker-b', 'worker', { proxy: proxies[2] });
    const clients = rig.load({ clients: 20, pauseMs: 150 });
    await sleep(1_000);
    for (let round = 0; round < rounds; round += 1) {
      await sleep(rig.random.between(200, 900));
      if (rig.random.pick(proxies).resetAll() > 0) rig.tally.faults += 1;
    }
    await sleep(500);
    await clients.stop();
    rig.tally.faultsMin = rounds;
    // No lease was ever lost, so every result in hand had to be recorded in the end.
    rig.tally.duplicatesMax = 0;
  },
};
