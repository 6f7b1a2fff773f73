import { z } from 'zod';
import type { DeliveryStatus } from '../../projections/delivery/projection.ts';
import type { RequestAttemptStatus } from '../../projections/request-attempt/queries.ts';
import { DeadLetterFilterFields, toDeadLetterFilter } from '../dead-letter/filter.ts';
import { entries, text } from '../http/strings.ts';
import { Problem } from '../problems.ts';

/** Conditions of lists as the schema's inputs give them, checked as REST checks them, in the words of the read models. */

/** What the schema leaves out may be null as well. */
export type Given<T> = { readonly [K in keyof T]?: T[K] | null };
export type Span = { from: Date; to: Date };

const EVENT_TYPES_MAX = 100;
const eventType = text(1, 200);
const Checked = z.object({
  eventType: eventType.optional(),
  eventTypes: z.array(eventType).max(EVENT_TYPES_MAX).optional(),
  labels: entries('labels', 0).optional(),
});

/** Throws InvalidDateRange. */
export const spanOf = ({ from, to }: Given<Span>): { from: Date | undefined; to: Date | undefined } => {
  if (from && to && from > to) throw new Problem('InvalidDateRange', '`from` is later than `to`.');
  return { from: from ?? undefined, to: to ?? undefined };
};

const lower = <T extends string>(status: string | null | undefined): T | undefined =>
  (status ?? undefined)?.toLowerCase() as T | undefined;

export type EventFilterInput = Given<
  Span & { eventType: string; labels: Readonly<Record<string, string>>; status: string }
>;
export const eventFilter = (given: EventFilterInput | null | undefined) => {
  const { eventType, labels, status, ...span } = given ?? {};
  return {
    ...Checked.parse({ eventType: eventType ?? undefined, labels: labels ?? undefined }),
    ...spanOf(span),
    status: lower<DeliveryStatus>(status),
  };
};

export type DeliveryFilterInput = Given<
  Span & { subscriptionId: string; eventId: string; eventType: string; status: string }
>;
/** Without the event: it is looked up first, since the time of its reception narrows the list down. */
export const deliveryFilter = (given: Omit<DeliveryFilterInput, 'eventId'>) => ({
  subscriptionId: given.subscriptionId ?? undefined,
  ...Checked.parse({ eventType: given.eventType ?? undefined }),
  status: lower<DeliveryStatus>(given.status),
  ...spanOf({ from: given.from ?? null, to: given.to ?? null }),
});

export type RequestAttemptFilterInput = Given<
  Span & { subscriptionId: string; eventId: string; eventTypes: readonly string[]; status: string }
>;
export const requestAttemptFilter = (given: RequestAttemptFilterInput | null | undefined) => {
  const { subscriptionId, eventId, eventTypes, status, ...span } = given ?? {};
  const { from, to } = spanOf(span);
  return {
    subscriptionId: subscriptionId ?? undefined,
    eventId: eventId ?? undefined,
    eventTypes: Checked.parse({ eventTypes: eventTypes ?? undefined }).eventTypes,
    status: lower<RequestAttemptStatus>(status),
    minCreatedAt: from,
    // The read model's bound is inclusive, the schema's is not.
    maxCreatedAt: to && new Date(to.getTime() - 1),
  };
};

export type DeadLetterFilterInput = Given<
  Span & { subscriptionId: string; eventType: string; reason: string; lastFailure: string }
>;
export const deadLetterFilter = (given: DeadLetterFilterInput | null | undefined) => {
  const { subscriptionId, eventType, reason, lastFailure, from, to } = given ?? {};
  return toDeadLetterFilter(
    DeadLetterFilterFields.parse({
      subscription_id: subscriptionId ?? undefined,
      event_type: eventType ?? undefined,
      reason: reason ?? undefined,
      last_failure: lastFailure ?? undefined,
      from: from?.toISOString(),
      to: to?.toISOString(),
    }),
  );
};

export type SubscriptionFilterInput = Given<{ isEnabled: boolean; labels: Readonly<Record<string, string>> }>;
export const subscriptionFilter = (given: SubscriptionFilterInput | null | undefined) => ({
  isEnabled: given?.isEnabled ?? undefined,
  labels: Checked.parse({ labels: given?.labels ?? undefined }).labels,
});
