import type { DomainCommand, DomainEvent } from '../metadata.ts';

/** The classes of failure; public, so the list is closed. `status` is any answer that is not 2xx. */
export type FailureReason =
  | 'status'
  | 'redirect'
  | 'gone'
  | 'timeout'
  | 'dns'
  | 'connect'
  | 'tls'
  | 'connection_reset'
  | 'invalid_response'
  | 'blocked_target'
  | 'invalid_target'
  | 'payload_missing';

export type DeadLetterReason = 'retries_exhausted' | 'gone' | 'blocked_target' | 'payload_missing';
export type CancelReason = 'subscription_disabled' | 'subscription_deleted' | 'request';

/** Durations of one request in milliseconds with fractions; null where the phase did not take place (a reused socket). */
export type AttemptTimings = {
  readonly dnsMs: number | null;
  readonly connectMs: number | null;
  readonly tlsMs: number | null;
  readonly firstByteMs: number | null;
  readonly bodyMs: number | null;
  readonly totalMs: number;
};

type Ids = {
  readonly deliveryId: string;
  readonly applicationId: string;
  readonly organizationId: string;
  readonly eventId: string;
  readonly subscriptionId: string;
};
type AttemptIds = Ids & {
  readonly attemptId: string;
  /** 1 for the first request of the delivery, and so on over all replays. */
  readonly attemptNumber: number;
};

export type Scheduled = AttemptIds & {
  readonly eventType: string;
  /** Failures since the delivery was (re)started: 0 for a first attempt. The retry schedule is read with it. */
  readonly retryCount: number;
  readonly scheduledAt: string;
  /** Never sent before this instant. */
  readonly dueAt: string;
  readonly trigger: 'ingest' | 'retry' | 'replay';
};

/** What came back, if anything did; body and headers lie beside the log. */
export type AttemptResult = {
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly httpStatus: number | null;
  /** Null when nothing of a response was kept. */
  readonly response: { readonly bodySha256: string; readonly bodyBytes: number; readonly truncated: boolean } | null;
  readonly timings: AttemptTimings;
};

/** Stream `delivery:<delivery id>`, in the log partition of the subscription id. */
export type DeliveryEvent =
  | DomainEvent<'AttemptScheduled', Scheduled>
  /** The attempt that was waiting is due earlier than planned: somebody asked for it now. */
  | DomainEvent<'AttemptRescheduled', AttemptIds & { dueAt: string; rescheduledAt: string }>
  | DomainEvent<'AttemptSucceeded', AttemptIds & AttemptResult>
  | DomainEvent<'AttemptFailed', AttemptIds & AttemptResult & { reason: FailureReason; message: string | null }>
  | DomainEvent<'DeliveryDeadLettered', Ids & { reason: DeadLetterReason; attempts: number; deadLetteredAt: string }>
  | DomainEvent<'DeliveryCancelled', Ids & { reason: CancelReason; cancelledAt: string }>;

/** What the retry policy needs to know; parsed once per schedule text, see retry-schedule.ts. */
export type RetryPlan = {
  /** Delay in milliseconds before each retry, in order; its length is how many retries there are. */
  readonly delaysMs: readonly number[];
};

export type DeliveryCommand =
  /** First attempt. `eventType` and `attemptId` go into the attempt; due at once. */
  | DomainCommand<'ScheduleDelivery', Ids & { eventType: string; attemptId: string; trigger: 'ingest' | 'replay' }>
  | DomainCommand<'RecordSuccess', AttemptIds & AttemptResult>
  /**
   * A failed attempt. Answers with AttemptFailed and then either the next AttemptScheduled (`nextAttemptId`, due after the
   * plan's delay or `retryAfterMs`, whichever is later, plus jitter) or DeliveryDeadLettered.
   */
  | DomainCommand<
      'RecordFailure',
      AttemptIds &
        AttemptResult & {
          reason: FailureReason;
          message: string | null;
          plan: RetryPlan;
          /** What the receiver asked for; null when it did not. Capped by the policy. */
          retryAfterMs: number | null;
          nextAttemptId: string;
          /** A uniform random number in [0, 1), so that deciding stays pure. */
          random: number;
        }
    >
  | DomainCommand<'RetryNow', { deliveryId: string }>
  /** Starts again, from a dead letter or after success or cancellation, under the same delivery id; a waiting one becomes due now. */
  | DomainCommand<'ReplayDelivery', Ids & { eventType: string; attemptId: string }>
  | DomainCommand<'CancelDelivery', { deliveryId: string; reason: CancelReason }>;
