import { setTimeout as sleep } from 'node:timers/promises';
import type { Ledger } from '../ledger.ts';
import { replying } from '../rig.ts';
import type { Scenario } from './scenario.ts';

const SHARE = 0.1;

/** Events that were refused at first and then accepted with this status. */
const refusedThen = (ledger: Ledger, status: number): number =>
  [...ledger.entries.values()].filter(({ answers }) => answers.includes(503) && answers.at(-1) === status).length;

/** Window W2: committed, and the process will never know. It must not say yes, it must not say no. */
export const commitCut: Scenario = {
  name: 'commit-cut',
  title: 'cut the connection right behind COMMIT, at the API and at the worker',
  isShort: true,
  subscriptions: 3,
  run: async (rig, { short }) => {
    const cuts = short ? 8 : 30;
    rig.receiver.behave(replying(0, 100, rig.random));
    const [toApi, toWorker] = [await rig.proxy(), await rig.proxy()];
    await rig.start('api', 'api', { proxy: toApi });
    await rig.start('worker', 'worker', { proxy: toWorker });
    await rig.start('projector', 'projector');
    const clients = rig.load({ clients: 20, pauseMs: 100 });
    await sleep(500);
    for (const what of ['reply', 'request'] as const) {
      const before = toApi.counters.cuts;
      for (const proxy of [toApi, toWorker]) proxy.cutCommits({ what, share: SHARE });
      await rig.waitFor(`cutting ${cuts} commits (${what})`, 20_000, () => toApi.counters.cuts - before >= cuts);
      for (const proxy of [toApi, toWorker]) proxy.cutCommits(undefined);
      await sleep(300);
      rig.say(`${toApi.counters.cuts} commits cut at the API, ${toWorker.counters.cuts} at the worker (${what})`);
    }
    await clients.stop();
    rig.tally.faults = toApi.counters.cuts;
    rig.tally.faultsMin = 2 * cuts;
    if (toWorker.counters.cuts === 0) rig.fail('no commit of the worker was cut');
    if (rig.ledger.answered(503) < toApi.counters.cuts) rig.fail('a cut commit was not answered with 503');
    if (refusedThen(rig.ledger, 200) < cuts) rig.fail('a commit without its reply was not found again by the retry');
    if (refusedThen(rig.ledger, 201) === 0) rig.fail('no lost commit was made up for by the retry');
  },
};
