import { z } from 'zod';
import type { DeadLetterReason, FailureReason } from '../../domain/delivery/events.ts';
import type { DeadLetterFilter } from '../../projections/dead-letter/queries.ts';
import { instantQuery } from '../http/inputs.ts';
import { text, uuid } from '../http/strings.ts';
import { Problem } from '../problems.ts';

export const DEAD_LETTER_REASONS = [
  'retries_exhausted',
  'gone',
  'blocked_target',
  'payload_missing',
] as const satisfies DeadLetterReason[];
const FAILURES = [
  'status',
  'redirect',
  'gone',
  'timeout',
  'dns',
  'connect',
  'tls',
  'connection_reset',
  'invalid_response',
  'blocked_target',
  'invalid_target',
  'payload_missing',
] as const satisfies FailureReason[];

/** Conditions on dead letters, as they come over the wire. */
export const DeadLetterFilterFields = z.object({
  subscription_id: uuid().optional(),
  event_type: text(1, 200).optional(),
  reason: z.enum(DEAD_LETTER_REASONS).optional(),
  last_failure: z.enum(FAILURES).optional(),
  from: instantQuery().optional().describe('Given up then or later.'),
  to: instantQuery().optional().describe('Given up before.'),
});
/** Throws InvalidDateRange. */
export const toDeadLetterFilter = (filter: z.output<typeof DeadLetterFilterFields>): DeadLetterFilter => {
  if (filter.from && filter.to && filter.from > filter.to)
    throw new Problem('InvalidDateRange', '`from` is later than `to`.');
  return {
    subscriptionId: filter.subscription_id,
    eventType: filter.event_type,
    reason: filter.reason,
    lastFailure: filter.last_failure,
    from: filter.from,
    to: filter.to,
  };
};
