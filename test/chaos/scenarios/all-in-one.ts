import { setTimeout as sleep } from 'node:timers/promises';
import { replying } from '../rig.ts';
import type { Scenario } from './scenario.ts';

const RESTART_MS = 3_000;

/** What `npm start` runs: all roles and Postgres under one process, which takes everything down with it. */
export const allInOne: Scenario = {
  name: 'all-in-one',
  title: 'kill -9 the one process that runs everything, its Postgres included, again and again',
  isShort: false,
  subscriptions: 3,
  isEmbedded: true,
  run: async (rig) => {
    const kills = 6;
    rig.receiver.behave(replying(50, 250, rig.random));
    await rig.start('api', 'api,worker,projector');
    const clients = rig.load({ clients: 12, pauseMs: 120 });
    const restarts: number[] = [];
    for (let kill = 0; kill < kills; kill += 1) {
      await sleep(rig.random.between(500, 1_500));
      await rig.waitFor('a request in flight', 5_000, () => rig.receiver.open() > 0 && clients.open() > 0);
      const { keys } = await rig.crash(rig.process('api'));
      if (keys.size > 0) rig.tally.faults += 1;
      restarts.push((await rig.start('api', 'api,worker,projector')).readyMs);
    }
    await sleep(1_000);
    await clients.stop();
    rig.tally.faultsMin = kills;
    rig.tally.takeOverMs = Math.max(...restarts);
    if (rig.tally.takeOverMs > RESTART_MS) rig.fail(`restarts took ${restarts.map(Math.round).join(', ')} ms`);
  },
};
