import type { FailureReason } from './events.ts';

/** What is known of one request attempt, as the log tells it. At most one of the three ends is set. */
export type AttemptFacts = {
  readonly scheduledAt: string;
  readonly dueAt: string;
  /** When a worker took it up; null while it has not. */
  readonly startedAt: string | null;
  readonly succeededAt: string | null;
  readonly failed: { readonly at: string; readonly reason: FailureReason } | null;
  readonly cancelledAt: string | null;
};

/** The statuses shown to people. */
export type AttemptStatus =
  | { readonly status: 'pending'; readonly since: string }
  | { readonly status: 'waiting'; readonly since: string; readonly until: string }
  | { readonly status: 'in_progress'; readonly since: string }
  | { readonly status: 'succeeded'; readonly at: string }
  | { readonly status: 'failed'; readonly at: string; readonly reason: FailureReason }
  | { readonly status: 'timeout'; readonly at: string }
  | { readonly status: 'cancelled'; readonly at: string };

/** The same on the wire of Hook0's API, which knows neither timeouts nor cancellations: both are `failed` there. */
export type Hook0Status =
  | { readonly type: 'waiting'; readonly since: string; readonly until: string }
  | { readonly type: 'pending' | 'inprogress'; readonly since: string }
  | { readonly type: 'successful' | 'failed'; readonly at: string; readonly full_processing_ms: number };

/** An end beats everything, then having begun, then the clock. */
export const attemptStatus = (facts: AttemptFacts, now: Date): AttemptStatus => {
  const { scheduledAt, dueAt, startedAt, succeededAt, failed, cancelledAt } = facts;
  if (succeededAt !== null) return { status: 'succeeded', at: succeededAt };
  if (failed?.reason === 'timeout') return { status: 'timeout', at: failed.at };
  if (failed !== null) return { status: 'failed', at: failed.at, reason: failed.reason };
  if (cancelledAt !== null) return { status: 'cancelled', at: cancelledAt };
  if (startedAt !== null) return { status: 'in_progress', since: startedAt };
  if (Date.parse(dueAt) > now.getTime()) return { status: 'waiting', since: scheduledAt, until: dueAt };
  return { status: 'pending', since: readyAt(facts) };
};

/** `full_processing_ms` counts from when the attempt was made or due, whichever is later; 0 when it ended before that. */
export const hook0Status = (facts: AttemptFacts, now: Date): Hook0Status => {
  const status = attemptStatus(facts, now);
  switch (status.status) {
    case 'waiting':
      return { type: 'waiting', since: status.since, until: status.until };
    case 'pending':
      return { type: 'pending', since: status.since };
    case 'in_progress':
      return { type: 'inprogress', since: status.since };
    case 'succeeded':
      return { type: 'successful', at: status.at, full_processing_ms: processingMs(facts, status.at) };
    case 'failed':
    case 'timeout':
    case 'cancelled':
      return { type: 'failed', at: status.at, full_processing_ms: processingMs(facts, status.at) };
  }
};

const processingMs = (facts: AttemptFacts, at: string): number =>
  Math.max(0, Date.parse(at) - Date.parse(readyAt(facts)));

const readyAt = ({ scheduledAt, dueAt }: AttemptFacts): string =>
  Date.parse(dueAt) > Date.parse(scheduledAt) ? dueAt : scheduledAt;
