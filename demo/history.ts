import { parseRetrySchedule } from '../src/domain/delivery/retry-schedule.ts';
import { partitionOf } from '../src/eventstore/partition.ts';
import type { RecordedEvent } from '../src/eventstore/types.ts';
import { behaviourOf } from '../src/worker/built-in-receiver/behaviours.ts';
import { recordAttempt } from '../src/worker/delivery/outcome.ts';
import type { SendOutcome } from '../src/worker/send/send.ts';
import type { PendingDelivery } from '../src/worklist/pending-delivery.ts';
import { openPastApi, type PastApi, type PastDeps } from './past-api.ts';
import { openPastClock } from './past-clock.ts';
import {
  BREAKS_MS,
  BROKEN,
  BROKEN_PATH,
  bodyOf,
  countOf,
  DISABLED,
  DISABLED_MS,
  EVENT_TYPES,
  eventOf,
  HISTORY_MS,
  RETRY_SCHEDULE,
  rateAt,
  SUBSCRIPTIONS,
} from './story.ts';

const TICK_MS = 1_000;
const PLAN = parseRetrySchedule(RETRY_SCHEDULE);

export type Shop = { readonly applicationId: string; readonly secret: string };

/** A request that was sent and ends at `endMs`. */
type Sent = { readonly pending: PendingDelivery; readonly startMs: number; readonly endMs: number };

/**
 * Writes the last hour of the shop up to the present, a second at a time: configuration and events through the API, outcomes
 * of requests as the worker records them. What would have been sent is answered here, as the built-in receiver answers it,
 * since nobody waits an hour; retries that are due later are left for the worker.
 */
export const writeHistory = async (
  options: PastDeps,
  {
    lastsMs = HISTORY_MS,
    breaksMs = BREAKS_MS,
    onProgress = () => undefined,
  }: { lastsMs?: number; breaksMs?: number; onProgress?: (done: number) => void } = {},
): Promise<Shop> => {
  const clock = await openPastClock(options.url);
  const endMs = Date.now();
  let nowMs = endMs - lastsMs;
  // Instants of a second follow each other; it is recorded at its end.
  let asked = 0;
  const now = (): Date => new Date(nowMs - TICK_MS + Math.min(TICK_MS, 9 * asked++));
  const api = await openPastApi(options, now);
  try {
    await clock.set(nowMs);
    const { shop, ids } = await openShop(api);
    const receiver = createReceiver(api, ids, options.partitions);
    const changes = [
      {
        atMs: endMs - DISABLED_MS,
        make: () => api.call('PATCH', `/subscriptions/${ids.get(DISABLED)}`, { is_enabled: false }),
      },
      { atMs: endMs - breaksMs, make: () => breakOne(api, shop, ids, receiver) },
    ].filter(({ atMs }) => atMs > nowMs);
    // Up to now, as it is by then: the service begins where the history ends.
    for (; nowMs + TICK_MS <= Date.now(); nowMs += TICK_MS) {
      await clock.set(nowMs);
      asked = 0;
      while (changes[0] && changes[0].atMs <= nowMs) await changes.shift()?.make();
      const count = countOf(rateAt(1 - (endMs - nowMs) / HISTORY_MS), Math.random);
      await Promise.all([
        ...Array.from({ length: count }, () =>
          api.call('POST', '/event', eventOf(shop.applicationId, Math.random, new Date(nowMs - TICK_MS))),
        ),
        receiver.answer(nowMs),
      ]);
      onProgress(Math.min(1, 1 - (endMs - nowMs) / lastsMs));
    }
    return shop;
  } finally {
    await api.close();
    await clock.close();
  }
};

const openShop = async ({ call }: PastApi): Promise<{ shop: Shop; ids: Map<string, string> }> => {
  const { organization_id } = await call<{ organization_id: string }>('POST', '/organizations', { name: 'Acme' });
  const application = { organization_id, name: 'Web shop' };
  const { application_id: applicationId } = await call<{ application_id: string }>(
    'POST',
    '/applications',
    application,
  );
  for (const name of EVENT_TYPES) await call('POST', '/event_types', { application_id: applicationId, name });
  const ids = new Map<string, string>();
  for (const subscription of SUBSCRIPTIONS) {
    const made = await call<{ subscription_id: string }>('POST', '/subscriptions', bodyOf(applicationId, subscription));
    ids.set(subscription.description, made.subscription_id);
  }
  const secrets = await call<{ token: string }[]>('GET', `/application_secrets?application_id=${applicationId}`);
  return { shop: { applicationId, secret: secrets[0]?.token ?? '' }, ids };
};

/** Somebody means well and points it at an address that answers 503 from then on. */
const breakOne = async (
  { call }: PastApi,
  { applicationId }: Shop,
  ids: ReadonlyMap<string, string>,
  receiver: Receiver,
): Promise<void> => {
  const [id = '', subscription] = [ids.get(BROKEN), SUBSCRIPTIONS.find(({ description }) => description === BROKEN)];
  if (!subscription) throw new Error(`There is no subscription ${BROKEN}.`);
  await call('PUT', `/subscriptions/${id}`, bodyOf(applicationId, { ...subscription, path: BROKEN_PATH }));
  receiver.move(id, BROKEN_PATH);
};

type Receiver = {
  /** Records the requests that have ended by now. */
  readonly answer: (nowMs: number) => Promise<unknown>;
  readonly move: (subscriptionId: string, path: string) => void;
};

const createReceiver = (
  { core: { log, vault } }: PastApi,
  ids: ReadonlyMap<string, string>,
  partitions: number,
): Receiver => {
  const paths = new Map(SUBSCRIPTIONS.map(({ description, path }) => [ids.get(description) ?? '', path]));
  let sent: Sent[] = [];

  const send = (pending: PendingDelivery): void => {
    const startMs = Date.parse(pending.dueAt) + 1;
    sent.push({ pending, startMs, endMs: startMs + tookMs(answerTo(pending).delayMs) });
  };
  const answerTo = ({ subscriptionId, deliveryId, attemptNumber }: PendingDelivery) =>
    behaviourOf(paths.get(subscriptionId) ?? '/', { deliveryId, attempt: String(attemptNumber) }) ?? {
      status: 404,
      delayMs: 0,
    };

  const end = async ({ pending, startMs, endMs }: Sent): Promise<void> => {
    const { status } = answerTo(pending);
    const outcome = outcomeOf(status, endMs - startMs);
    // Nobody holds a lease yet, so the epoch is the one of an empty log.
    const times = { startedMs: startMs, nowMs: endMs };
    const seal = await vault.bodySealer(pending.organizationId);
    const context = { pending, epoch: 0, seal, applicationPartition: partitionOf(pending.applicationId, partitions) };
    const recorded = await recordAttempt(context, outcome, times, PLAN, undefined);
    const result = await log.append(recorded.append);
    if (result.kind !== 'appended') throw new Error(`An attempt could not be recorded: ${result.kind}.`);
    if (recorded.next) send(recorded.next);
  };

  log.onCommit((events) => {
    for (const event of events) if (isFirstAttempt(event)) send(event.attachment.pending);
  });
  return {
    answer: (nowMs) => {
      const over = sent.filter(({ endMs }) => endMs <= nowMs);
      sent = sent.filter(({ endMs }) => endMs > nowMs);
      return Promise.all(over.map(end));
    },
    move: (subscriptionId, path) => void paths.set(subscriptionId, path),
  };
};

type Handed = RecordedEvent & { readonly attachment: { readonly pending: PendingDelivery } };
const isFirstAttempt = (event: RecordedEvent): event is Handed =>
  event.type === 'AttemptScheduled' && event.attachment !== undefined;

/** A little network before the receiver's own time, with a long tail. */
const tookMs = (delayMs: number): number => Math.ceil(delayMs + 2 + 3 * Math.exp(1.1 * normal()));
const normal = (): number => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());

const outcomeOf = (status: number, totalMs: number): SendOutcome => ({
  kind: 'response',
  status,
  headers: { 'content-type': 'application/json' },
  body: Buffer.from(JSON.stringify({ method: 'POST', status })),
  truncated: false,
  timings: { dnsMs: null, connectMs: null, tlsMs: null, firstByteMs: totalMs - 0.2, bodyMs: 0.2, totalMs },
});
