import type { AttemptItemStatus, DeliveryItemStatus } from './items.ts';

export type LiveKind = 'requestAttempts' | 'deliveries' | 'events' | 'deadLetters' | 'domainEvents' | 'traffic';

/** All conditions must hold; one that is missing holds. */
export type LiveFilter = {
  readonly subscriptionId?: string | undefined;
  readonly eventId?: string | undefined;
  readonly eventTypes?: readonly string[] | undefined;
  readonly attemptStatuses?: readonly AttemptItemStatus[] | undefined;
  readonly deliveryStatuses?: readonly DeliveryItemStatus[] | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Types of domain events. */
  readonly types?: readonly string[] | undefined;
  readonly streamId?: string | undefined;
};

/** What somebody watches: readers of equal topics share the work. */
export type Topic = { readonly kind: LiveKind; readonly applicationId: string; readonly filter: LiveFilter };

const APPLICABLE: Readonly<Record<LiveKind, readonly (keyof LiveFilter)[]>> = {
  requestAttempts: ['subscriptionId', 'eventId', 'eventTypes', 'attemptStatuses'],
  deliveries: ['subscriptionId', 'eventId', 'eventTypes', 'deliveryStatuses'],
  events: ['eventId', 'eventTypes', 'labels'],
  deadLetters: ['subscriptionId', 'eventId'],
  domainEvents: ['types', 'streamId'],
  traffic: ['subscriptionId'],
};

/** Conditions that say nothing about this kind of item. */
export const inapplicable = ({ kind, filter }: Pick<Topic, 'kind' | 'filter'>): string[] =>
  (Object.keys(filter) as (keyof LiveFilter)[]).filter(
    (name) => filter[name] !== undefined && !APPLICABLE[kind].includes(name),
  );

/** Equal for topics that want the same. */
export const topicKey = ({ kind, applicationId, filter }: Topic): string => {
  const conditions = Object.entries(filter)
    .filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => [name, canonical(value)]);
  return JSON.stringify([kind, applicationId, conditions]);
};

const canonical = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
    : value;
