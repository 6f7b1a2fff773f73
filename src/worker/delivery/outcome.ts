import { hash } from 'node:crypto';
import { afterFailure, afterSuccess } from '../../domain/delivery/decider.ts';
import type {
  AttemptResult,
  AttemptTimings,
  CancelReason,
  DeliveryEvent,
  FailureReason,
  RetryPlan,
} from '../../domain/delivery/events.ts';
import { parseRetryAfter } from '../../domain/delivery/retry-after.ts';
import { uuidv7 } from '../../domain/event/ids.ts';
import type { Append, Guard, Write } from '../../eventstore/types.ts';
import type { SealBody } from '../../vault/vault.ts';
import { type PendingDelivery, postponePending, settlePending } from '../../worklist/pending-delivery.ts';
import { addResponse } from '../../worklist/response.ts';
import type { SendOutcome } from '../send/send.ts';

const STATUS_OK_MIN = 200;
const STATUS_OK_MAX = 299;
const STATUS_GONE = 410;
/** Statuses whose `Retry-After` is honoured (RFC 9110, 10.2.3; RFC 6585, 4). */
const HONOURED = new Set([429, 503]);
const MESSAGE_LENGTH_MAX = 500;

export type Verdict =
  | { readonly kind: 'succeeded' }
  | {
      readonly kind: 'failed';
      readonly reason: FailureReason;
      readonly message: string | null;
      readonly retryAfterMs: number | null;
    };

/** What a request came to, by its class of status: 2xx succeeded, 3xx is not followed, 410 is for ever. */
export const verdictOf = (outcome: SendOutcome, now: Date): Verdict => {
  if (outcome.kind === 'failure')
    return {
      kind: 'failed',
      reason: outcome.reason,
      message: outcome.message.slice(0, MESSAGE_LENGTH_MAX),
      retryAfterMs: null,
    };
  const { status } = outcome;
  if (status >= STATUS_OK_MIN && status <= STATUS_OK_MAX) return { kind: 'succeeded' };
  const retryAfterMs = HONOURED.has(status) ? parseRetryAfter(outcome.retryAfter, now) : null;
  const failed = (reason: FailureReason): Verdict => ({
    kind: 'failed',
    reason,
    message: `The receiver answered ${status}.`,
    retryAfterMs,
  });
  if (status === STATUS_GONE) return failed('gone');
  return failed(status >= 300 && status <= 399 ? 'redirect' : 'status');
};

const resultOf = (outcome: SendOutcome, startedAt: string, finishedAt: string): AttemptResult => ({
  startedAt,
  finishedAt,
  httpStatus: outcome.kind === 'response' ? outcome.status : null,
  response:
    outcome.kind === 'response'
      ? {
          bodySha256: hash('sha256', outcome.body, 'hex'),
          bodyBytes: outcome.body.length,
          truncated: outcome.truncated,
        }
      : null,
  timings: rounded(outcome.timings),
});

/** To hundredths of a millisecond: what lies beyond is noise that every log entry would carry for ever. */
const rounded = (timings: AttemptTimings): AttemptTimings =>
  Object.fromEntries(
    Object.entries(timings).map(([phase, ms]) => [phase, ms === null ? null : Math.round(ms * 100) / 100]),
  ) as AttemptTimings;

type Context = {
  readonly pending: PendingDelivery;
  readonly epoch: number;
};

/** For everything that follows from one ingested event, its id is what correlates. */
const appendOf = (
  { pending, epoch }: Context,
  events: readonly DeliveryEvent[],
  guard: Guard,
  writes: readonly Write[],
): Append => ({
  streams: [
    {
      streamId: `delivery:${pending.deliveryId}`,
      partition: pending.partition,
      expectedVersion: 'guarded',
      events: [...events],
    },
  ],
  metadata: {
    actor: 'system:worker',
    causationId: `delivery:${pending.deliveryId}@${pending.streamVersion}`,
    correlationId: pending.eventId,
  },
  fence: { partition: pending.partition, epoch },
  guard,
  writes,
});

const idsOf = ({
  deliveryId,
  applicationId,
  organizationId,
  eventId,
  subscriptionId,
  attemptId,
  attemptNumber,
}: PendingDelivery) => ({
  deliveryId,
  applicationId,
  organizationId,
  eventId,
  subscriptionId,
  attemptId,
  attemptNumber,
});

export type Recorded = {
  readonly append: Append;
  readonly outcome: 'succeeded' | 'failed' | 'dead_lettered' | 'cancelled';
  /** The delivery as it waits for its next attempt; undefined when there is none. */
  readonly next?: PendingDelivery;
};

/**
 * The append that records one request attempt and, in the same breath, what becomes of the delivery: over, dead letter, or
 * its next attempt. `nowMs` is the database's time, by which retries become due.
 */
export const recordAttempt = async (
  context: Context & { readonly seal: SealBody; readonly applicationPartition: number },
  outcome: SendOutcome,
  times: { readonly startedMs: number; readonly nowMs: number },
  plan: RetryPlan,
  /** Set when the subscription has gone away meanwhile: then a failure is the end of it. */
  cancelled: CancelReason | undefined,
): Promise<Recorded> => {
  const { pending } = context;
  const now = new Date(times.nowMs);
  const verdict = verdictOf(outcome, now);
  const result = resultOf(outcome, new Date(times.startedMs).toISOString(), now.toISOString());
  const writes =
    outcome.kind === 'response'
      ? [
          await addResponse(
            context.seal,
            {
              partition: pending.partition,
              applicationId: pending.applicationId,
              attemptId: pending.attemptId,
              finishedAt: result.finishedAt,
              payload: {
                partition: context.applicationPartition,
                applicationId: pending.applicationId,
                eventId: pending.eventId,
                receivedAt: pending.receivedAt,
              },
            },
            outcome,
          ),
        ]
      : [];
  const settle = settlePending(pending);
  if (verdict.kind === 'succeeded') {
    const events = afterSuccess({ ...idsOf(pending), ...result });
    return { append: appendOf(context, events, settle, writes), outcome: 'succeeded' };
  }
  const { reason, message, retryAfterMs } = verdict;
  const events = afterFailure(
    pending,
    {
      ...idsOf(pending),
      ...result,
      reason,
      message,
      plan,
      retryAfterMs,
      nextAttemptId: uuidv7(times.nowMs),
      random: Math.random(),
    },
    now,
  );
  const next = events[1];
  if (cancelled && next?.type === 'AttemptScheduled' && events[0]) {
    const cancel = cancelledEvent(pending, cancelled, now);
    return { append: appendOf(context, [events[0], cancel], settle, writes), outcome: 'cancelled' };
  }
  if (next?.type !== 'AttemptScheduled')
    return { append: appendOf(context, events, settle, writes), outcome: 'dead_lettered' };
  const { attemptId, attemptNumber, retryCount, dueAt } = next.data;
  const step = { attemptId, attemptNumber, retryCount, dueAt };
  const guard = postponePending({ ...pending, next: step, added: events.length });
  const streamVersion = pending.streamVersion + events.length;
  return {
    append: appendOf(context, events, guard, writes),
    outcome: 'failed',
    next: { ...pending, ...step, streamVersion },
  };
};

const cancelledEvent = (pending: PendingDelivery, reason: CancelReason, now: Date): DeliveryEvent => {
  const { attemptId: _attemptId, attemptNumber: _attemptNumber, ...ids } = idsOf(pending);
  return { type: 'DeliveryCancelled', data: { ...ids, reason, cancelledAt: now.toISOString() } };
};

/** The append that ends a delivery before its next attempt. */
export const recordCancellation = (context: Context, reason: CancelReason, nowMs: number): Append =>
  appendOf(context, [cancelledEvent(context.pending, reason, new Date(nowMs))], settlePending(context.pending), []);

/** For a delivery whose request could not even be built; `message` says why. */
export const localFailure = (reason: FailureReason, message: string): SendOutcome => ({
  kind: 'failure',
  reason,
  message,
  timings: { dnsMs: null, connectMs: null, tlsMs: null, firstByteMs: null, bodyMs: null, totalMs: 0 },
});
