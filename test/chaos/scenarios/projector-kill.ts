import { setTimeout as sleep } from 'node:timers/promises';
import { replying } from '../rig.ts';
import type { Scenario } from './scenario.ts';

/** Window W9: rows and checkpoint move together, so that whoever goes on applies everything exactly once. */
export const projectorKill: Scenario = {
  name: 'projector-kill',
  title: 'kill -9 one of two projectors again and again',
  isShort: false,
  subscriptions: 3,
  run: async (rig) => {
    const kills = 12;
    rig.receiver.behave(replying(0, 50, rig.random));
    await rig.start('api', 'api');
    await rig.start('worker', 'worker');
    await rig.start('projector-a', 'projector');
    await rig.start('projector-b', 'projector');
    const clients = rig.load({ clients: 20, pauseMs: 100 });
    const position = async (): Promise<number> => {
      const rows = await rig.query<{ sum: number }>(
        'SELECT coalesce(sum(position), 0)::float8 AS sum FROM processor_checkpoint',
      );
      return rows[0]?.sum ?? 0;
    };
    for (let kill = 0; kill < kills; kill += 1) {
      const before = await position();
      await sleep(rig.random.between(300, 1_000));
      const victim = rig.process(rig.random.pick(['projector-a', 'projector-b']));
      await rig.crash(victim);
      if ((await position()) > before) rig.tally.faults += 1; // They were at work when it happened.
      await rig.start(victim.name, 'projector');
    }
    await clients.stop();
    rig.tally.faultsMin = Math.ceil(kills / 2);
  },
};
