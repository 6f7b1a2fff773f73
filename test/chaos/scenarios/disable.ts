import { setTimeout as sleep } from 'node:timers/promises';
import { fateOf, replying } from '../rig.ts';
import type { Scenario } from './scenario.ts';

/** G8: what was routed before is cancelled within this time. */
const CANCELLED_MS = 5_000;
/** The other processes hear of it by NOTIFY, or look twice a second. */
const NOTICED_MS = 1_000;

/** A subscription goes away while some of its deliveries wait for a retry and others are in flight. */
export const disable: Scenario = {
  name: 'disable',
  title: 'disable a subscription while its deliveries wait and are in flight',
  isShort: false,
  subscriptions: 3,
  env: { POSTHORN_RETRY_SCHEDULE: '3s,3s,3s' },
  run: async (rig) => {
    const [gone] = rig.tenant.subscriptions;
    if (!gone) throw new Error('The tenant has no subscription.');
    const disabled = { fromMs: Number.POSITIVE_INFINITY, untilMs: Number.POSITIVE_INFINITY };
    const replyToOthers = replying(50, 200, rig.random);
    rig.receiver.behave((request) =>
      request.path === gone.path ? { status: request.attempt === 1 ? 503 : 200, holdMs: 500 } : replyToOthers(request),
    );
    rig.mayEnd = (eventId, subscriptionId) => {
      if (subscriptionId === gone.subscriptionId) {
        const { sentAtMs = 0, acknowledgedAtMs = Number.POSITIVE_INFINITY } = rig.ledger.entries.get(eventId) ?? {};
        if (sentAtMs > disabled.untilMs) return ['none'];
        return acknowledgedAtMs < disabled.fromMs ? ['cancelled', 'succeeded'] : ['cancelled', 'succeeded', 'none'];
      }
      return fateOf(eventId) === 'dead' ? ['dead_lettered'] : ['succeeded'];
    };
    await rig.start('api', 'api,projector');
    await rig.start('worker-a', 'worker');
    await rig.start('worker-b', 'worker');
    const clients = rig.load({ clients: 12, pauseMs: 150 });
    await sleep(2_500);
    const owed = await rig.query<{ waiting: number; pending: number }>(
      `SELECT count(*) FILTER (WHERE attempt_number > 1)::int AS waiting, count(*)::int AS pending
       FROM pending_delivery WHERE subscription_id = $1`,
      [gone.subscriptionId],
    );
    const [inFlight, waiting] = [(owed[0]?.pending ?? 0) - (owed[0]?.waiting ?? 0), owed[0]?.waiting ?? 0];
    disabled.fromMs = performance.now();
    await rig.tenant.disable(gone.subscriptionId);
    const disabledAt = performance.now();
    disabled.untilMs = disabledAt;
    rig.say(`disabled with ${waiting} waiting and ${inFlight} in flight or about to be`);
    if (waiting > 0 && inFlight > 0) rig.tally.faults += 1;
    await rig.waitFor('the end of its deliveries', CANCELLED_MS, async () => {
      const left = await rig.query('SELECT 1 FROM pending_delivery WHERE subscription_id = $1 LIMIT 1', [
        gone.subscriptionId,
      ]);
      return left.length === 0;
    });
    rig.tally.takeOverMs = performance.now() - disabledAt;
    await sleep(CANCELLED_MS - rig.tally.takeOverMs);
    await clients.stop();
    const late = rig.receiver.received.filter(({ path, atMs }) => path === gone.path && atMs > disabledAt + NOTICED_MS);
    if (late.length > 0) rig.fail(`${late.length} requests were sent to it after it was disabled`);
  },
};
