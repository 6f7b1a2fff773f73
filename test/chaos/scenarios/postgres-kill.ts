import { setTimeout as sleep } from 'node:timers/promises';
import { replying } from '../rig.ts';
import type { Scenario } from './scenario.ts';

/** From the kill to the next accepted event, recovery of Postgres included. */
const BACK_MS = 10_000;

/** Every process loses every connection, and what Postgres had not written; none of them may have to be started again. */
export const postgresKill: Scenario = {
  name: 'postgres-kill',
  title: 'kill -9 Postgres under load',
  isShort: true,
  subscriptions: 4,
  origins: 2,
  run: async (rig, { short }) => {
    const kills = short ? 1 : 4;
    rig.receiver.behave(replying(50, 300, rig.random));
    await rig.start('api', 'api,projector');
    await rig.start('worker-a', 'worker');
    await rig.start('worker-b', 'worker');
    const clients = rig.load({ clients: 20, pauseMs: 300 });
    const outages: number[] = [];
    for (let kill = 0; kill < kills; kill += 1) {
      await sleep(2_500);
      const before = rig.ledger.answered(201);
      const [refused, killedAt, pid] = [rig.ledger.answered(503), performance.now(), rig.server.postmasterPid()];
      process.kill(pid, 'SIGKILL');
      rig.say(`Postgres (${pid}) killed`);
      await sleep(250); // Its last backends end, and with them what was about to be accepted.
      const accepted = rig.ledger.answered(201);
      await rig.waitFor('the next accepted event', BACK_MS, () => rig.ledger.answered(201) > accepted);
      outages.push(performance.now() - killedAt);
      if (rig.server.postmasterPid() !== pid && before > 0 && rig.ledger.answered(503) > refused) rig.tally.faults += 1;
      // Who lost a lease in the meantime could not record its results: they may come again.
      rig.tally.duplicatesMax += (await rig.exposed()).keys.size;
    }
    await sleep(2_000);
    await clients.stop();
    rig.tally.faultsMin = kills;
    rig.tally.takeOverMs = Math.max(...outages);
  },
};
