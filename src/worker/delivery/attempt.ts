import type { CancelReason, RetryPlan } from '../../domain/delivery/events.ts';
import { parseRetrySchedule } from '../../domain/delivery/retry-schedule.ts';
import { DomainError } from '../../domain/errors.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import { type Append, StoreUnavailable } from '../../eventstore/types.ts';
import type { SubscriptionConfiguration } from '../../projections/configuration/application-configuration.ts';
import { BodyChanged } from '../../vault/vault.ts';
import type { PendingDelivery } from '../../worklist/pending-delivery.ts';
import type { SendOutcome } from '../send/send.ts';
import type { EngineDeps } from './engine.ts';
import type { WorkItem } from './fair-queue.ts';
import { localFailure, type Recorded, recordAttempt, recordCancellation } from './outcome.ts';
import { SecretMissing } from './request.ts';

const RECORD_RETRY_MS = 200;
const DISABLE_TRIES_MAX = 25;
const PLANS_MAX = 1_000;

/** Why what was routed before may not be sent any more; undefined when it may. */
export const cancelReasonFor = (
  pending: Pick<PendingDelivery, 'configurationPosition'>,
  subscription: SubscriptionConfiguration | undefined,
): CancelReason | undefined => {
  if (!subscription) return 'subscription_deleted';
  // It was enabled where the delivery was routed, so only what came after that counts. The present state would not do: one
  // that was disabled and enabled again may still be known as disabled for a moment.
  if (pending.configurationPosition >= subscription.disabledPosition) return undefined;
  return subscription.isDeleted ? 'subscription_deleted' : 'subscription_disabled';
};

/** What the work list says of a delivery that leaves memory. */
export type Attempted =
  /** Over, or at its next attempt. */
  | { readonly kind: 'recorded'; readonly next: PendingDelivery | undefined }
  /** Over by somebody else's doing, pending with a later attempt, or recorded by a commit whose answer was lost. */
  | { readonly kind: 'refused' }
  /** Somebody else's: there is nothing left to do here. */
  | { readonly kind: 'taken-over' }
  /** As it was: nothing was sent, or nothing recorded while there was time. */
  | { readonly kind: 'left' };
type Appended = 'recorded' | Exclude<Attempted['kind'], 'recorded'>;

export type Attempts = {
  /** Sends and records; rejects, with nothing sent, for faults of our own. */
  readonly attempt: (item: WorkItem, epoch: number) => Promise<Attempted>;
  /** Records that a delivery is not to be sent. */
  readonly cancel: (pending: PendingDelivery, epoch: number, reason: CancelReason) => Promise<Attempted>;
};

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Makes request attempts and records what came of them. `epochOf` is that of a log partition as long as it is owned. */
export const createAttempts = (
  deps: EngineDeps & { readonly epochOf: (partition: number) => number | undefined },
): Attempts => {
  const { log, leases, configuration, sender, buildRequest, loadPayload, vault, metrics, onError, epochOf } = deps;
  const plans = new Map<string, RetryPlan>();

  const planOf = ({ settings }: SubscriptionConfiguration): RetryPlan => {
    const text = settings.retrySchedule ?? deps.retrySchedule;
    const plan = plans.get(text) ?? parseRetrySchedule(text);
    if (plans.size > PLANS_MAX) plans.clear();
    plans.set(text, plan);
    return plan;
  };

  /**
   * Appends until it is settled or the lease is gone: a result in hand is worth keeping through an outage. A lease that was
   * lost and is ours again counts: the guard still tells whether anybody else has recorded this attempt.
   */
  const appendFenced = async (append: Append, partition: number): Promise<Appended> => {
    for (let asked = append; ; ) {
      try {
        const result = await log.append(asked);
        if (result.kind === 'appended') return 'recorded';
        if (result.kind !== 'fenced') return 'refused';
        const epoch = epochOf(partition);
        if (epoch === undefined || epoch === asked.fence?.epoch) return 'taken-over';
        asked = { ...asked, fence: { partition, epoch } };
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
        if (!leases.isHeld(partition)) return 'left';
        await sleep(RECORD_RETRY_MS);
      }
    }
  };

  const record = async (recorded: Recorded, { partition }: PendingDelivery, totalMs: number): Promise<Attempted> => {
    const kind = await appendFenced(recorded.append, partition);
    if (kind === 'recorded') {
      metrics.recorded(recorded.outcome, totalMs);
      return { kind, next: recorded.next };
    }
    metrics.late();
    return { kind };
  };

  const cancel: Attempts['cancel'] = (pending, epoch, reason) => {
    const append = recordCancellation({ pending, epoch }, reason, leases.databaseNow());
    return record({ append, outcome: 'cancelled' }, pending, 0);
  };

  /** The payload, or why there is none: what it was before it was changed cannot be told, but somebody has to know. */
  const load = async (pending: PendingDelivery): Promise<Buffer | string> => {
    const { eventId, deliveryId } = pending;
    const body = await loadPayload(pending);
    if (!body) return `The payload of event ${eventId} is no longer kept.`;
    if (!(body instanceof BodyChanged)) return body;
    onError(body, { deliveryId });
    return `The payload of event ${eventId} is not what was ingested: it was changed in the database.`;
  };

  /** Undefined when the lease ran out while the request was being prepared. */
  const send = async (item: WorkItem, subscription: SubscriptionConfiguration): Promise<SendOutcome | undefined> => {
    const { pending } = item;
    const body = item.body ?? (await load(pending));
    if (typeof body === 'string') return localFailure('payload_missing', body);
    try {
      const request = await buildRequest(pending, subscription, body, leases.databaseNow());
      return leases.isHeld(pending.partition) ? await sender.send(request) : undefined;
    } catch (error) {
      if (error instanceof SecretMissing) return localFailure('invalid_target', error.message);
      throw error;
    }
  };

  /** What the receiver said is recorded either way; one that is asked again says it again. */
  const disableGone = async (subscription: SubscriptionConfiguration, partition: number): Promise<void> => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await deps.disableSubscription(subscription);
      } catch (error) {
        if (error instanceof DomainError) return; // Deleted meanwhile.
        if (tries >= DISABLE_TRIES_MAX || !leases.isHeld(partition)) {
          onError(error, { subscriptionId: subscription.subscriptionId });
          return;
        }
        await sleep(RECORD_RETRY_MS);
      }
    }
  };

  const attempt: Attempts['attempt'] = async (item, epoch) => {
    const { pending } = item;
    const subscription = await configuration.subscription(pending.subscriptionId, pending.configurationPosition);
    const before = cancelReasonFor(pending, subscription);
    if (before !== undefined || !subscription) return cancel(pending, epoch, before ?? 'subscription_deleted');
    // Whatever may fail for want of the database fails before anything is sent.
    const seal = await vault.bodySealer(pending.organizationId);
    const startedMs = leases.databaseNow();
    const outcome = await send(item, subscription);
    if (!outcome) return { kind: 'left' };
    const times = { startedMs, nowMs: leases.databaseNow() };
    if (outcome.kind === 'response' && outcome.status === 410) await disableGone(subscription, pending.partition);
    // A result in hand is not given up because the configuration cannot be read.
    const latest = await configuration
      .subscription(pending.subscriptionId, pending.configurationPosition)
      .catch(() => subscription);
    const after = cancelReasonFor(pending, latest);
    const applicationPartition = partitionOf(pending.applicationId, deps.partitions);
    const context = { pending, epoch, seal, applicationPartition };
    const recorded = await recordAttempt(context, outcome, times, planOf(subscription), after);
    return record(recorded, pending, outcome.timings.totalMs);
  };

  return { attempt, cancel };
};
