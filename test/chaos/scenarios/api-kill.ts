import { setTimeout as sleep } from 'node:timers/promises';
import type { Scenario } from './scenario.ts';

/** Windows W1 to W3: a request read, committed, or about to be answered when the process is gone. */
export const apiKill: Scenario = {
  name: 'api-kill',
  title: 'kill -9 the API again and again while clients send',
  isShort: true,
  run: async (rig, { short }) => {
    const kills = short ? 4 : 15;
    await rig.start('worker', 'worker,projector');
    let api = await rig.start('api', 'api');
    const clients = rig.load({ clients: 24, pauseMs: 60, abandonShare: 0.2 });
    for (let kill = 0; kill < kills; kill += 1) {
      await sleep(rig.random.between(200, 900));
      await rig.waitFor('a request to interrupt', 2_000, () => clients.open() > 0);
      if (clients.open() > 0) rig.tally.faults += 1;
      await rig.crash(api);
      api = await rig.start('api', 'api');
    }
    await sleep(300);
    await clients.stop();
    rig.tally.faultsMin = kills;
    if (rig.ledger.answered(0) === 0) rig.fail('no client ever lost its connection');
  },
};
