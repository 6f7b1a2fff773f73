import { setTimeout as sleep } from 'node:timers/promises';
import { type Exposed, resentAfterMs } from '../exposure.ts';
import { LEASE_MS, type Rig, replying, takeOverMsMax } from '../rig.ts';
import type { Scenario } from './scenario.ts';

type Victim = { readonly name: string; readonly exposed: Exposed };

/** Kills whichever `pick` names once a second, each time starting it again at once. */
const killEverySecond = async (rig: Rig, kills: number, pick: () => string): Promise<Victim[]> => {
  const victims: Victim[] = [];
  for (let kill = 0; kill < kills; kill += 1) {
    await sleep(1_000);
    const name = pick();
    const exposed = await rig.crash(rig.process(name));
    if (exposed.keys.size > 0) victims.push({ name, exposed });
    await rig.start(name, 'worker');
  }
  rig.tally.faults += victims.length;
  return victims;
};

/** Windows W5 to W8: claimed, sent, answered or recorded when the process is gone. */
export const workerKill: Scenario = {
  name: 'worker-kill',
  title: 'kill -9 one of two workers every second while replies are held',
  isShort: true,
  subscriptions: 6,
  origins: 3,
  run: async (rig, { short }) => {
    const kills = short ? 2 : 7;
    rig.receiver.behave(replying(200, 500, rig.random));
    await rig.start('api', 'api,projector');
    await rig.start('worker-a', 'worker');
    await rig.start('worker-b', 'worker');
    const clients = rig.load({ clients: 8, pauseMs: 300 });
    await sleep(2 * LEASE_MS);
    // One of them is in a loop of crashes while the other is well: that one must get everything soon.
    const looping = await killEverySecond(rig, kills, () => 'worker-b');
    // Either of them: whoever takes over may be the next to die, so that no time can be promised.
    await killEverySecond(rig, kills, () => rig.random.pick(['worker-a', 'worker-b']));
    await sleep(2 * LEASE_MS);
    await clients.stop();
    await rig.settle();
    rig.tally.faultsMin = kills;
    const takeOvers = looping.map(({ exposed }) => resentAfterMs(exposed, rig.receiver).last);
    rig.tally.takeOverMs = Math.max(0, ...takeOvers);
    if (rig.tally.takeOverMs > takeOverMsMax(short))
      rig.fail(
        `from a worker that crashed to the last of its requests it took ${takeOvers.map(Math.round).join(', ')} ms`,
      );
  },
};
