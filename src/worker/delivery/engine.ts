import type { CancelReason } from '../../domain/delivery/events.ts';
import type { GroupCommit } from '../../eventstore/group-commit.ts';
import type { LeaseKeeper } from '../../eventstore/leases.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import type { SubscriptionConfiguration } from '../../projections/configuration/application-configuration.ts';
import type { ConfigurationCache } from '../../projections/configuration/cache.ts';
import type { BodyChanged, Vault } from '../../vault/vault.ts';
import type { PendingDelivery } from '../../worklist/pending-delivery.ts';
import type { Sender } from '../send/send.ts';
import { type Attempted, createAttempts } from './attempt.ts';
import {
  FairQueue,
  type FairQueueOptions,
  forgetOldBody,
  type SubscriptionQueue,
  type WorkItem,
} from './fair-queue.ts';
import { KnownDeliveries } from './known.ts';
import type { WorkerMetrics } from './metrics.ts';
import type { BuildRequest } from './request.ts';

/** Payload bytes kept in memory with queued deliveries; past it they are loaded when their turn comes. */
const BUFFERED_BYTES_MAX = 64 * 1024 * 1024;
/** One that was handed over so long ago is loaded all the same: it may have been erased through another process. */
const HANDED_OVER_MS = 2_000;
/** Before a delivery is tried again that our own fault, not the receiver's, kept from being sent or recorded. */
const FAULT_RETRY_MS = 1_000;

export type EngineDeps = {
  readonly log: GroupCommit;
  readonly leases: Pick<LeaseKeeper, 'isHeld' | 'databaseNow'>;
  readonly configuration: ConfigurationCache;
  readonly sender: Sender;
  readonly buildRequest: BuildRequest;
  readonly vault: Pick<Vault, 'bodySealer'>;
  readonly loadPayload: (pending: PendingDelivery) => Promise<Buffer | BodyChanged | undefined>;
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
  /** The same in a while, once however often it is asked for: a fault that lasts must not be met in a tight loop. */
  lookAgainSoon(of: QueueKey): void;
  /** Takes a delivery out of the queue that somebody else has ended; its request, once under way, goes on. */
  withdraw(subscriptionId: string, deliveryId: string): void;
  /** Lets go of an erased payload that was handed over. */
  forgetPayload(of: { readonly applicationId: string; readonly eventId: string }): void;
  /** Ends a delivery that is not to be sent; a no-op when it is over already, or its request under way. */
  cancel(pending: PendingDelivery, reason: CancelReason): Promise<void>;
  inFlight(): number;
  /** The log partition of a subscription's deliveries. */
  partitionOf(subscriptionId: string): number;
};

const ROOM_BELOW = 256;

/** Takes deliveries from the fair queue, sends them and records what happened; the heart of the worker. */
export const createEngine = (deps: EngineDeps): Engine => {
  const { leases, configuration, onError } = deps;
  const queue = new FairQueue(deps.limits);
  const known = new KnownDeliveries();
  /** Epoch of each owned partition, and how many of its deliveries are in flight. */
  const owned = new Map<number, number>();
  const busy = new Map<number, number>();
  const idle = new Map<number, (() => void)[]>();
  const postponed: ((next: PendingDelivery) => void)[] = [];
  const room: ((queue: SubscriptionQueue) => void)[] = [];
  /** Queues that send one at a time until their own cap is known. */
  const uncapped = new WeakSet<SubscriptionQueue>();
  const reminders = new Set<string>();
  let bufferedBytes = 0;
  let pumping = false;
  const attempts = createAttempts({ ...deps, epochOf: (partition) => owned.get(partition) });

  /** What was found of a delivery while it was here was passed over: without another look nobody would find it again. */
  const leaveMemory = (pending: PendingDelivery, { kind }: Attempted): void => {
    if (kind === 'recorded' || kind === 'refused') known.settle(pending.deliveryId, pending.attemptNumber);
    else known.drop(pending.deliveryId);
    if (kind === 'refused' || kind === 'left') lookAgainSoon(pending);
  };

  const finish = (item: WorkItem, taken: SubscriptionQueue, attempted: Attempted): void => {
    const { partition } = item.pending;
    leaveMemory(item.pending, attempted);
    queue.release(taken);
    const left = (busy.get(partition) ?? 1) - 1;
    if (left > 0) busy.set(partition, left);
    else {
      busy.delete(partition);
      for (const resolve of idle.get(partition) ?? []) resolve();
      idle.delete(partition);
    }
    if (attempted.kind === 'recorded' && attempted.next) for (const listener of postponed) listener(attempted.next);
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
    unbuffer(item);
    forgetOldBody(item, leases.databaseNow());
    // A lease in doubt starts nothing: whoever holds it by now finds the delivery in the work list, be it us again.
    const run: Promise<Attempted> =
      epoch !== undefined && leases.isHeld(pending.partition)
        ? attempts.attempt(item, epoch)
        : Promise.resolve({ kind: 'left' });
    run.then(
      (attempted) => finish(item, taken, attempted),
      (error: unknown) => {
        onError(error, { deliveryId: pending.deliveryId, subscriptionId: pending.subscriptionId });
        finish(item, taken, { kind: 'left' });
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

  const lookAgainSoon = ({ subscriptionId, applicationId, partition }: QueueKey): void => {
    if (reminders.has(subscriptionId)) return;
    reminders.add(subscriptionId);
    setTimeout(() => {
      reminders.delete(subscriptionId);
      lookAgain({ subscriptionId, applicationId, partition });
    }, FAULT_RETRY_MS).unref();
  };

  const setCap = (target: SubscriptionQueue, subscription: SubscriptionConfiguration | undefined): void => {
    uncapped.delete(target);
    queue.setCap(target, subscription?.settings.concurrencyMax ?? null);
    schedulePump();
  };

  /** Asks until it is answered, unless a change of the subscription tells it first. */
  const learnCap = (target: SubscriptionQueue): void => {
    if (!uncapped.has(target) || queue.find(target.subscriptionId) !== target) return;
    configuration.subscription(target.subscriptionId).then(
      (subscription) => {
        if (uncapped.has(target)) setCap(target, subscription);
      },
      (error: unknown) => {
        onError(error, { subscriptionId: target.subscriptionId });
        setTimeout(learnCap, FAULT_RETRY_MS, target).unref();
      },
    );
  };

  const queueOf = (pending: QueueKey): SubscriptionQueue => {
    const existing = queue.find(pending.subscriptionId);
    if (existing) return existing;
    const made = queue.queueOf(pending);
    made.cap = 1;
    uncapped.add(made);
    learnCap(made);
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

  const unbuffer = ({ body }: WorkItem): void => {
    if (body) bufferedBytes -= body.length;
  };

  const offer = (pending: PendingDelivery, body?: Buffer): boolean => {
    if (!owned.has(pending.partition)) return false;
    const here = known.attemptOf(pending.deliveryId);
    if (here !== undefined) {
      // A later attempt, after a cancellation and a replay for instance, has to wait until the one that is here is over.
      if (here < pending.attemptNumber) lookAgainSoon(pending);
      return true;
    }
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
    queue.push(
      keep ? { pending, body, bodyUntilMs: leases.databaseNow() + HANDED_OVER_MS } : { pending, body: undefined },
    );
    schedulePump();
    return true;
  };

  /** Here until it is recorded, so that no reading of the work list takes it up meanwhile. */
  const cancel = async (pending: PendingDelivery, reason: CancelReason): Promise<void> => {
    const { deliveryId, attemptNumber, subscriptionId, partition } = pending;
    const epoch = owned.get(partition);
    if (epoch === undefined) return;
    if (known.has(deliveryId)) {
      const queued = queue.withdraw(subscriptionId, deliveryId);
      if (!queued) return; // Its request is under way, and what comes of it decides.
      unbuffer(queued);
    } else if (!known.add(deliveryId, attemptNumber)) return;
    let attempted: Attempted = { kind: 'left' };
    try {
      attempted = await attempts.cancel(pending, epoch, reason);
    } finally {
      leaveMemory(pending, attempted);
    }
  };

  configuration.onSubscriptionChanged((subscription) => {
    const target = queue.find(subscription.subscriptionId);
    if (target) setCap(target, subscription);
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
    lookAgainSoon,
    disown: async (partition) => {
      owned.delete(partition);
      for (const item of queue.dropPartition(partition)) {
        unbuffer(item);
        known.drop(item.pending.deliveryId);
      }
      if (!busy.has(partition)) return;
      await new Promise<void>((resolve) => {
        idle.set(partition, [...(idle.get(partition) ?? []), resolve]);
      });
    },
    onPostponed: (listener) => postponed.push(listener),
    onRoom: (listener) => room.push(listener),
    withdraw: (subscriptionId, deliveryId) => {
      const queued = queue.withdraw(subscriptionId, deliveryId);
      if (!queued) return;
      unbuffer(queued);
      known.drop(deliveryId);
    },
    forgetPayload: (of) => {
      bufferedBytes -= queue.forgetBody(of);
    },
    cancel,
    inFlight: () => queue.inFlight,
    partitionOf: (subscriptionId) => partitionOf(subscriptionId, deps.partitions),
  };
};
