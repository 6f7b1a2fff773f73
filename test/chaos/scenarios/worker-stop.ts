import { setTimeout as sleep } from 'node:timers/promises';
import { resentAfterMs } from '../exposure.ts';
import { metricOf } from '../metrics.ts';
import { LEASE_MS, replying, takeOverMsMax } from '../rig.ts';
import type { Scenario } from './scenario.ts';

/** Window W10: a worker that slept through its lease wakes up with results in its hands, and everybody else has moved on. */
export const workerStop: Scenario = {
  name: 'worker-stop',
  title: 'SIGSTOP a worker for three leases while it holds requests, then SIGCONT',
  isShort: true,
  subscriptions: 4,
  origins: 2,
  run: async (rig, { short }) => {
    // Three leases: all is over when it wakes up. Half a lease too long: whoever took over has just sent it all again.
    const stops = short ? [3 * LEASE_MS] : [3 * LEASE_MS, 1.5 * LEASE_MS, 3 * LEASE_MS, 1.5 * LEASE_MS];
    await rig.start('api', 'api,projector');
    await rig.start('worker-a', 'worker,api');
    await rig.start('worker-b', 'worker,api');
    const clients = rig.load({ clients: 8, pauseMs: 300 });
    await sleep(1_000);
    const takeOvers: number[] = [];
    let late = 0;
    for (const [stop, ms] of stops.entries()) {
      const isLong = ms >= 3 * LEASE_MS;
      rig.receiver.behave(isLong ? replying(400, 900, rig.random) : replying(1_200, 1_600, rig.random));
      await sleep(2 * LEASE_MS);
      const sleeper = rig.process(stop % 2 === 0 ? 'worker-a' : 'worker-b');
      sleeper.signal('SIGSTOP');
      const exposed = await rig.exposed(sleeper);
      rig.tally.duplicatesMax += exposed.keys.size;
      if (exposed.keys.size > 0) rig.tally.faults += 1;
      rig.say(`${sleeper.name} stopped with ${exposed.keys.size} requests in flight`);
      await sleep(ms);
      sleeper.signal('SIGCONT');
      await sleep(LEASE_MS);
      takeOvers.push(resentAfterMs(exposed, rig.receiver).last);
      late += await metricOf(rig.urlOf(sleeper.name), 'posthorn_late_results_total');
    }
    await clients.stop();
    rig.tally.faultsMin = stops.length;
    rig.tally.takeOverMs = Math.max(...takeOvers);
    if (rig.tally.takeOverMs > takeOverMsMax(short))
      rig.fail(`taking over took ${takeOvers.map(Math.round).join(', ')} ms`);
    if (late === 0) rig.fail('no late result was counted');
  },
};
