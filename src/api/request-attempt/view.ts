import { z } from 'zod';
import type { FailureReason } from '../../domain/delivery/events.ts';
import { attemptStatus, hook0Status } from '../../domain/delivery/status.ts';
import { attemptFactsOf, type RequestAttemptRecord } from '../../projections/request-attempt/queries.ts';

/** As Hook0 tells it: a cancelled attempt and a timeout are `failed` here, `state` says which. */
const Status = z.discriminatedUnion('type', [
  z.object({ type: z.literal('waiting'), since: z.string(), until: z.string() }),
  z.object({ type: z.literal('pending'), since: z.string() }),
  z.object({ type: z.literal('inprogress'), since: z.string() }),
  z.object({ type: z.literal('successful'), at: z.string(), full_processing_ms: z.int() }),
  z.object({ type: z.literal('failed'), at: z.string(), full_processing_ms: z.int() }),
]);

export const STATES = ['pending', 'waiting', 'in_progress', 'succeeded', 'failed', 'timeout', 'cancelled'] as const;

const Milliseconds = z.number().nullable();

export const RequestAttempt = z.object({
  request_attempt_id: z.string(),
  application_id: z.string(),
  delivery_id: z.string(),
  event_id: z.string(),
  event: z.object({ event_id: z.string(), event_type_name: z.string() }),
  subscription: z.object({ subscription_id: z.string(), description: z.string().nullable() }),
  created_at: z.string(),
  picked_at: z.string().nullable(),
  failed_at: z.string().nullable(),
  succeeded_at: z.string().nullable(),
  delay_until: z.string().nullable().describe('Not sent before.'),
  response_id: z.string().nullable().describe('For GET /responses/{response_id}, once it was sent.'),
  attempt_number: z.int().describe('1 for the first request of the delivery, and so on over all replays.'),
  retry_count: z.int().describe('Failures since the delivery was started or replayed.'),
  http_response_status: z.int().nullable(),
  status: Status,
  state: z.enum(STATES).describe('Finer than `status`.'),
  failure_reason: z.string().nullable(),
  error_message: z.string().nullable(),
  duration_ms: Milliseconds,
  timings: z
    .object({
      dns_ms: Milliseconds,
      connect_ms: Milliseconds,
      tls_ms: Milliseconds,
      first_byte_ms: Milliseconds,
      body_ms: Milliseconds,
      total_ms: z.number(),
    })
    .nullable()
    .describe('Null where a phase did not take place, as on a reused connection.'),
});

const iso = (instant: Date | null): string | null => instant?.toISOString() ?? null;

export const viewAttempt = (attempt: RequestAttemptRecord, now: Date): z.output<typeof RequestAttempt> => {
  const { requestAttemptId, eventId, eventType, outcome, createdAt, dueAt, timings } = attempt;
  const facts = attemptFactsOf(attempt);
  const finishedAt = iso(attempt.finishedAt);
  return {
    request_attempt_id: requestAttemptId,
    application_id: attempt.applicationId,
    delivery_id: attempt.deliveryId,
    event_id: eventId,
    event: { event_id: eventId, event_type_name: eventType },
    subscription: { subscription_id: attempt.subscriptionId, description: attempt.subscriptionDescription },
    created_at: createdAt.toISOString(),
    picked_at: iso(attempt.startedAt),
    failed_at: outcome === 'failed' || outcome === 'cancelled' ? finishedAt : null,
    succeeded_at: outcome === 'succeeded' ? finishedAt : null,
    delay_until: dueAt > createdAt ? dueAt.toISOString() : null,
    response_id: wasSent(attempt) ? requestAttemptId : null,
    attempt_number: attempt.attemptNumber,
    retry_count: attempt.retryCount,
    http_response_status: attempt.httpStatus,
    status: hook0Status(facts, now),
    state: attemptStatus(facts, now).status,
    failure_reason: attempt.reason,
    error_message: attempt.message,
    duration_ms: timings?.totalMs ?? null,
    timings: timings && {
      dns_ms: timings.dnsMs,
      connect_ms: timings.connectMs,
      tls_ms: timings.tlsMs,
      first_byte_ms: timings.firstByteMs,
      body_ms: timings.bodyMs,
      total_ms: timings.totalMs,
    },
  };
};

/** A response is told of every attempt that was made, also where no receiver answered. */
export const wasSent = ({ outcome }: RequestAttemptRecord): boolean => outcome === 'succeeded' || outcome === 'failed';

const ERROR_NAMES: Readonly<Record<FailureReason, string>> = {
  status: 'E_HTTP',
  redirect: 'E_HTTP',
  gone: 'E_HTTP',
  timeout: 'E_TIMEOUT',
  dns: 'E_DNS',
  connect: 'E_CONNECTION',
  tls: 'E_CONNECTION',
  connection_reset: 'E_CONNECTION',
  invalid_response: 'E_UNKNOWN',
  blocked_target: 'E_INVALID_TARGET',
  invalid_target: 'E_INVALID_TARGET',
  payload_missing: 'E_UNKNOWN',
};

/** The failure in Hook0's words; null when there is none. */
export const errorNameOf = ({ outcome, reason }: RequestAttemptRecord): string | null =>
  outcome === 'failed' ? (ERROR_NAMES[reason as FailureReason] ?? 'E_UNKNOWN') : null;
