import type { CancelReason, RetryPlan } from '../../domain/delivery/events.ts';
import { parseRetrySchedule } from '../../domain/delivery/retry-schedule.ts';
import type { GroupCommit } from '../../eventstore/group-commit.ts';
import type { LeaseKeeper } from '../../eventstore/leases.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import { type Append, StoreUnavailable } from '../../eventstore/types.ts';
import type { SubscriptionConfiguration } from '../../projections/configuration/application-configuration.ts';
import type { ConfigurationCache } from '../../projections/configuration/cache.ts';
import type { PendingDelivery } from '../../worklist/pending-delivery.ts';
import type { Sender, SendOutcome } from '../send/send.ts';
import { FairQueue, type FairQueueOptions, type SubscriptionQueue, type WorkItem } from './fair-queue.ts';
import { KnownDeliveries } from './known.ts';
import type { WorkerMetrics } from './metrics.ts';
import { localFailure, type Recorded, recordAttempt, recordCancellation } from './outcome.ts';
import { type BuildRequest, SecretMissing } from './request.ts';

/** Payload bytes kept in memory with queued deliveries; past it they are loaded when their turn comes. */
const BUFFERED_BYTES_MAX = 64 * 1024 * 1024;
const RECORD_RETRY_MS = 200;
/** Before a delivery is tried again that our own fault, not the receiver's, kept from being sent or recorded. */
const FAULT_RETRY_MS = 1_000;

export type EngineDeps = {
  readonly log: GroupCommit;
  readonly leases: Pick<LeaseKeeper, 'isHeld' | 'databaseNow'>;
  readonly configuration: ConfigurationCache;
  readonly sender: Sender;
  readonly buildRequest: BuildRequest;
  readonly loadPayload: (pending: PendingDelivery) => Promise<Buffer | undefined>;
  /** Disables a subscription whose receiver said that it is gone for good. */
  readonly disableSubscription: (subscription: SubscriptionConfiguration) => Promise<void>;
  readonly retrySchedule: string;
  readonly partitions: number;
  readonly limits: FairQueueOptions;
  readonly metrics: WorkerMetrics;
  readonly onError: (error: unknown, context: Record<string, unknown>) => void;
};

type QueueKey = Pick<PendingDelivery, 'subscriptionId' | 'applicationId' | 'partition'>;

export type Engine = {
  readonly queue: FairQueue;
  readonly known: KnownDeliveries;
  /** Queues a delivery unless it is here already; false when its subscription has enough in memory. */
  offer(pending: PendingDelivery, body?: Buffer): boolean;
  /** Starts whatever may be started. */
  pump(): void;
  own(partition: number, epoch: number): void;
  /** Nothing of that partition is started any more; resolves when what is in flight is recorded. */
  disown(partition: number): Promise<void>;
  /** Called with a delivery that has left memory to wait for its next attempt. */
  onPostponed(listener: (next: PendingDelivery) => void): void;
  /** Called when a subscription has room in memory and more in the work list. */
  onRoom(listener: (queue: SubscriptionQueue) => void): void;
  /** Has the work list read again for a subscription that may have more due than is in memory. */
  lookAgain(of: QueueKey): void;
  /** Ends a delivery that is not to be sent; a no-op when it is over already. */
  cancel(pending: PendingDelivery, reason: CancelReason): Promise<void>;
  inFlight(): number;
  /** The log partition of a subscription's deliveries. */
  partitionOf(subscriptionId: string): number;
};

/** Why what was routed before may not be sent any more; undefined when it may. */
export const cancelReasonFor = (
  pending: Pick<PendingDelivery, 'configurationPosition'>,
  subscription: SubscriptionConfiguration | undefined,
): CancelReason | undefined => {
  if (!subscription || subscription.isDeleted) return 'subscription_deleted';
  if (!subscription.settings.isEnabled || pending.configurationPosition < subscription.disabledPosition)
    return 'subscription_disabled';
  return undefined;
};

const ROOM_BELOW = 64;

/** `isSettled` is false when nothing was sent or recorded, so that the work list still has it as it was. */
type Attempted = { readonly isSettled: boolean; readonly next: PendingDelivery | undefined };
const NOT_SENT: Attempted = { isSettled: false, next: undefined };

/** Takes deliveries from the fair queue, sends them and records what happened; the heart of the worker. */
export const createEngine = (deps: EngineDeps): Engine => {
  const { log, leases, configuration, sender, buildRequest, loadPayload, metrics, onError } = deps;
  const queue = new FairQueue(deps.limits);
  const known = new KnownDeliveries();
  /** Epoch of each owned partition, and how many of its deliveries are in flight. */
  const owned = new Map<number, number>();
  const busy = new Map<number, number>();
  const idle = new Map<number, (() => void)[]>();
  const plans = new Map<string, RetryPlan>();
  const postponed: ((next: PendingDelivery) => void)[] = [];
  const room: ((queue: SubscriptionQueue) => void)[] = [];
  let bufferedBytes = 0;
  let pumping = false;

  const planOf = (subscription: SubscriptionConfiguration | undefined): RetryPlan => {
    const text = subscription?.settings.retrySchedule ?? deps.retrySchedule;
    const plan = plans.get(text) ?? parseRetrySchedule(text);
    if (plans.size > 1_000) plans.clear();
    plans.set(text, plan);
    return plan;
  };

  /** Appends until it is settled or the lease is gone: a result in hand is worth keeping through an outage. */
  const appendFenced = async (append: Append, partition: number): Promise<boolean> => {
    for (;;) {
      try {
        const result = await log.append(append);
        if (result.kind === 'appended') return true;
        metrics.late();
        return false;
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
        if (!leases.isHeld(partition)) {
          metrics.late();
          return false;
        }
        await new Promise((resolve) => setTimeout(resolve, RECORD_RETRY_MS));
      }
    }
  };

  const record = async (recorded: Recorded, pending: PendingDelivery, totalMs: number): Promise<Attempted> => {
    // Refused means over, or somebody else's: either way there is nothing left to do here.
    if (await appendFenced(recorded.append, pending.partition)) {
      metrics.recorded(recorded.outcome, totalMs);
      return { isSettled: true, next: recorded.next };
    }
    return { isSettled: true, next: undefined };
  };

  const send = async (item: WorkItem, subscription: SubscriptionConfiguration): Promise<SendOutcome> => {
    const { pending } = item;
    const body = item.body ?? (await loadPayload(pending));
    if (!body) return localFailure('payload_missing', `The payload of event ${pending.eventId} is no longer kept.`);
    try {
      const request = await buildRequest(pending, subscription, body, leases.databaseNow());
      return await sender.send(request);
    } catch (error) {
      if (error instanceof SecretMissing) return localFailure('invalid_target', error.message);
      throw error;
    }
  };

  const attempt = async (item: WorkItem, epoch: number): Promise<Attempted> => {
    const { pending } = item;
    const subscription = await configuration.subscription(pending.subscriptionId);
    const before = cancelReasonFor(pending, subscription);
    if (before !== undefined || !subscription) {
      const reason = before ?? 'subscription_deleted';
      const append = recordCancellation({ pending, epoch }, reason, leases.databaseNow());
      return record({ append, outcome: 'cancelled' }, pending, 0);
    }
    if (!leases.isHeld(pending.partition)) return NOT_SENT;
    const startedMs = leases.databaseNow();
    const outcome = await send(item, subscription);
    const times = { startedMs, nowMs: leases.databaseNow() };
    if (outcome.kind === 'response' && outcome.status === 410) await deps.disableSubscription(subscription);
    const after = cancelReasonFor(pending, await configuration.subscription(pending.subscriptionId));
    const recorded = recordAttempt({ pending, epoch }, outcome, times, planOf(subscription), after);
    return record(recorded, pending, outcome.timings.totalMs);
  };

  const finish = (item: WorkItem, taken: SubscriptionQueue, { isSettled, next }: Attempted): void => {
    const { deliveryId, attemptNumber, partition } = item.pending;
    if (isSettled) known.settle(deliveryId, attemptNumber);
    else known.drop(deliveryId);
    queue.release(taken);
    const left = (busy.get(partition) ?? 1) - 1;
    if (left > 0) busy.set(partition, left);
    else {
      busy.delete(partition);
      for (const resolve of idle.get(partition) ?? []) resolve();
      idle.delete(partition);
    }
    if (next) for (const listener of postponed) listener(next);
    announceRoom(taken);
    schedulePump();
  };

  const announceRoom = (taken: SubscriptionQueue): void => {
    if (taken.hasBacklog && !taken.isLoading && taken.length < ROOM_BELOW) for (const listener of room) listener(taken);
  };

  const start = (item: WorkItem, taken: SubscriptionQueue): void => {
    const { pending } = item;
    const epoch = owned.get(pending.partition);
    busy.set(pending.partition, (busy.get(pending.partition) ?? 0) + 1);
    if (item.body) bufferedBytes -= item.body.length;
    // A lease in doubt starts nothing: whoever holds it by now finds the delivery in the work list.
    const run =
      epoch !== undefined && leases.isHeld(pending.partition) ? attempt(item, epoch) : Promise.resolve(NOT_SENT);
    run.then(
      (attempted) => finish(item, taken, attempted),
      (error: unknown) => {
        onError(error, { deliveryId: pending.deliveryId, subscriptionId: pending.subscriptionId });
        finish(item, taken, NOT_SENT);
        setTimeout(lookAgain, FAULT_RETRY_MS, pending).unref();
      },
    );
  };

  /** The work list still has it: its subscription is read again. */
  const lookAgain = (pending: QueueKey): void => {
    if (!owned.has(pending.partition)) return;
    const target = queueOf(pending);
    target.hasBacklog = true;
    announceRoom(target);
  };

  /** A new queue sends one at a time until the subscription's own cap is known. */
  const queueOf = (pending: QueueKey): SubscriptionQueue => {
    const existing = queue.find(pending.subscriptionId);
    if (existing) return existing;
    const made = queue.queueOf(pending);
    made.cap = 1;
    configuration.subscription(pending.subscriptionId).then(
      (subscription) => {
        queue.setCap(made, subscription?.settings.concurrencyMax ?? null);
        schedulePump();
      },
      (error: unknown) => {
        onError(error, { subscriptionId: pending.subscriptionId });
        queue.setCap(made, null);
      },
    );
    return made;
  };

  const pump = (): void => {
    pumping = false;
    for (let next = queue.next(); next; next = queue.next()) start(next.item, next.queue);
  };

  const schedulePump = (): void => {
    if (pumping) return;
    pumping = true;
    setImmediate(pump);
  };

  const offer = (pending: PendingDelivery, body?: Buffer): boolean => {
    if (!owned.has(pending.partition)) return false;
    if (known.has(pending.deliveryId)) return true;
    const target = queueOf(pending);
    if (target.isFull) {
      target.hasBacklog = true;
      return false;
    }
    if (!known.add(pending.deliveryId, pending.attemptNumber)) {
      queue.forgetIfIdle(target);
      return true;
    }
    const keep = body !== undefined && bufferedBytes + body.length <= BUFFERED_BYTES_MAX;
    if (keep) bufferedBytes += body.length;
    queue.push({ pending, body: keep ? body : undefined });
    schedulePump();
    return true;
  };

  configuration.onSubscriptionChanged((subscription) => {
    const target = queue.find(subscription.subscriptionId);
    if (target) queue.setCap(target, subscription.settings.concurrencyMax);
    schedulePump();
  });

  return {
    queue,
    known,
    offer,
    pump: schedulePump,
    own: (partition, epoch) => {
      owned.set(partition, epoch);
    },
    lookAgain,
    disown: async (partition) => {
      owned.delete(partition);
      for (const item of queue.dropPartition(partition)) {
        if (item.body) bufferedBytes -= item.body.length;
        known.drop(item.pending.deliveryId);
      }
      if (!busy.has(partition)) return;
      await new Promise<void>((resolve) => {
        idle.set(partition, [...(idle.get(partition) ?? []), resolve]);
      });
    },
    onPostponed: (listener) => postponed.push(listener),
    onRoom: (listener) => room.push(listener),
    cancel: async (pending, reason) => {
      const epoch = owned.get(pending.partition);
      if (epoch === undefined || known.has(pending.deliveryId)) return; // In memory: its turn comes, and ends it.
      const append = recordCancellation({ pending, epoch }, reason, leases.databaseNow());
      await record({ append, outcome: 'cancelled' }, pending, 0);
    },
    inFlight: () => queue.inFlight,
    partitionOf: (subscriptionId) => partitionOf(subscriptionId, deps.partitions),
  };
};
