import { setTimeout as sleep } from 'node:timers/promises';
import { resentAfterMs } from '../exposure.ts';
import { LEASE_MS, replying } from '../rig.ts';
import type { Scenario } from './scenario.ts';

/** The survivor takes over, and its connection breaks before it hears so: what it owns without knowing must not be lost. */
export const takeOverCut: Scenario = {
  name: 'take-over-cut',
  title: 'cut the COMMIT with which a worker takes over from a killed one',
  isShort: false,
  subscriptions: 6,
  origins: 2,
  run: async (rig) => {
    rig.receiver.behave(replying(200, 400, rig.random));
    await rig.start('api', 'api,projector');
    const proxy = await rig.proxy();
    await rig.start('survivor', 'worker', { proxy });
    await rig.start('victim', 'worker');
    const clients = rig.load({ clients: 8, pauseMs: 300 });
    await sleep(2 * LEASE_MS);
    const crash = await rig.crash(rig.process('victim'));
    await rig.waitFor('the cut of the take-over', 4 * LEASE_MS, async () => {
      // Only the commit of the lease: all commits are cut from just before it runs out until the leases have changed hands.
      const owners = await rig.query<{ count: number }>(
        `SELECT count(*)::int FROM processor_lease WHERE processor = 'delivery' AND until <= clock_timestamp() + interval '20 ms'`,
      );
      if ((owners[0]?.count ?? 0) > 0) proxy.cutCommits({ what: 'reply', share: 1 });
      return proxy.counters.cuts > 0 && owners[0]?.count === 0;
    });
    proxy.cutCommits(undefined);
    rig.tally.faults = proxy.counters.cuts;
    await sleep(4 * LEASE_MS);
    await clients.stop();
    rig.tally.takeOverMs = resentAfterMs(crash, rig.receiver).last;
  },
};
