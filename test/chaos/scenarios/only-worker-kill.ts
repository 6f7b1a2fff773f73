import { setTimeout as sleep } from 'node:timers/promises';
import { type Exposed, resentAfterMs } from '../exposure.ts';
import { LEASE_MS, replying } from '../rig.ts';
import type { Scenario } from './scenario.ts';

const DEAD_MS = 4_000;
/** From its return to the first of what it had in flight when it was killed. */
const FLOW_MS = 3_000;

/** Nobody is left to take over: what piles up must flow again once a worker is back. */
export const onlyWorkerKill: Scenario = {
  name: 'only-worker-kill',
  title: 'kill -9 the only worker, and start it again some time later',
  isShort: false,
  subscriptions: 4,
  origins: 2,
  run: async (rig) => {
    const kills = 3;
    rig.receiver.behave(replying(100, 300, rig.random));
    await rig.start('api', 'api,projector');
    await rig.start('worker', 'worker');
    const clients = rig.load({ clients: 10, pauseMs: 250 });
    const crashes: { exposed: Exposed; backAtMs: number }[] = [];
    for (let kill = 0; kill < kills; kill += 1) {
      await sleep(2_000);
      const exposed = await rig.crash(rig.process('worker'));
      if (exposed.keys.size > 0) rig.tally.faults += 1;
      await sleep(DEAD_MS);
      await rig.start('worker', 'worker');
      crashes.push({ exposed, backAtMs: performance.now() });
    }
    await sleep(LEASE_MS);
    await clients.stop();
    await rig.settle();
    rig.tally.faultsMin = kills;
    const flows = crashes.map(
      ({ exposed, backAtMs }) => exposed.atMs + resentAfterMs(exposed, rig.receiver).first - backAtMs,
    );
    rig.tally.takeOverMs = Math.max(0, ...flows);
    if (rig.tally.takeOverMs > FLOW_MS) rig.fail(`after its return it took ${flows.map(Math.round).join(', ')} ms`);
  },
};
