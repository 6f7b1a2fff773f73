import type { DeliveryEvent } from '../domain/delivery/events.ts';
import type { EventEvent } from '../domain/event/events.ts';
import type { RecordedEvent } from '../eventstore/types.ts';
import type { LiveFilter, LiveKind } from './topic.ts';

export type AttemptItemStatus = 'pending' | 'waiting' | 'succeeded' | 'failed' | 'timeout' | 'cancelled';
export type DeliveryItemStatus = 'pending' | 'succeeded' | 'dead_lettered' | 'cancelled';

/** What a domain event about a delivery may leave unsaid. */
export type DeliveryFacts = {
  readonly eventType: string;
  readonly lastAttemptId: string;
  readonly attempts: number;
};
/** Facts by delivery id, as of the domain event at hand. */
export type FactsOf = (deliveryId: string) => DeliveryFacts | undefined;

type Place = {
  readonly partition: number;
  readonly position: number;
  /** When the domain event was recorded. */
  readonly at: Date;
};

export type AttemptItem = Place & {
  readonly id: string;
  readonly deliveryId: string;
  readonly eventId: string;
  readonly eventType: string | null;
  readonly subscriptionId: string;
  readonly attemptNumber: number;
  readonly status: AttemptItemStatus;
  readonly reason: string | null;
  readonly httpStatus: number | null;
  readonly durationMs: number | null;
  readonly dueAt: string | null;
};
export type DeliveryItem = Place & {
  readonly id: string;
  readonly eventId: string;
  readonly eventType: string | null;
  readonly subscriptionId: string;
  readonly status: DeliveryItemStatus;
  readonly reason: string | null;
  readonly attemptCount: number | null;
  readonly dueAt: string | null;
};
export type EventItem = Place & {
  readonly id: string;
  readonly eventType: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly payloadBytes: number;
  readonly deliveryCount: number;
};
export type DeadLetterItem = Place & {
  readonly deliveryId: string;
  readonly eventId: string;
  readonly subscriptionId: string;
  readonly reason: string;
  readonly attemptCount: number;
};
export type DomainEventItem = Place &
  Pick<RecordedEvent, 'streamId' | 'type' | 'schemaVersion' | 'data' | 'metadata'> & {
    readonly version: number;
  };
export type LiveItem = AttemptItem | DeliveryItem | EventItem | DeadLetterItem | DomainEventItem;

type Of<E> = E & Pick<RecordedEvent, 'partition' | 'position' | 'recordedAtMs'>;
type Recorded = Of<DeliveryEvent> | Of<EventEvent>;

const placeOf = ({ partition, position, recordedAtMs }: RecordedEvent | Recorded): Place => ({
  partition,
  position,
  at: new Date(recordedAtMs),
});

const attemptItem = (event: Of<DeliveryEvent>, factsOf: FactsOf): AttemptItem | undefined => {
  const { deliveryId, eventId, subscriptionId } = event.data;
  const facts = factsOf(deliveryId);
  const base = { ...placeOf(event), deliveryId, eventId, subscriptionId, eventType: facts?.eventType ?? null };
  const unsent = { reason: null, httpStatus: null, durationMs: null, dueAt: null };
  switch (event.type) {
    case 'AttemptScheduled':
    case 'AttemptRescheduled': {
      const { attemptId: id, attemptNumber, dueAt } = event.data;
      const status = Date.parse(dueAt) > event.recordedAtMs ? 'waiting' : 'pending';
      return { ...base, ...unsent, id, attemptNumber, status, dueAt };
    }
    case 'AttemptSucceeded':
    case 'AttemptFailed': {
      const { attemptId: id, attemptNumber, httpStatus, timings } = event.data;
      const reason = event.type === 'AttemptFailed' ? event.data.reason : null;
      const status = event.type === 'AttemptSucceeded' ? 'succeeded' : reason === 'timeout' ? 'timeout' : 'failed';
      return { ...base, id, attemptNumber, status, reason, httpStatus, durationMs: timings.totalMs, dueAt: null };
    }
    case 'DeliveryCancelled':
      // Which attempt was waiting is for the delivery's earlier domain events to say.
      return facts
        ? {
            ...base,
            ...unsent,
            id: facts.lastAttemptId,
            attemptNumber: facts.attempts,
            status: 'cancelled',
            reason: event.data.reason,
          }
        : undefined;
    case 'DeliveryDeadLettered':
      return undefined;
  }
};

const deliveryItem = (event: Of<DeliveryEvent>, factsOf: FactsOf): DeliveryItem | undefined => {
  const { deliveryId: id, eventId, subscriptionId } = event.data;
  const facts = factsOf(id);
  const base = { ...placeOf(event), id, eventId, subscriptionId, eventType: facts?.eventType ?? null };
  const attemptCount = facts?.attempts ?? null;
  switch (event.type) {
    case 'AttemptScheduled':
    case 'AttemptRescheduled':
      return {
        ...base,
        status: 'pending',
        reason: null,
        attemptCount: event.data.attemptNumber,
        dueAt: event.data.dueAt,
      };
    case 'AttemptSucceeded':
      return { ...base, status: 'succeeded', reason: null, attemptCount: event.data.attemptNumber, dueAt: null };
    case 'DeliveryDeadLettered':
      return {
        ...base,
        status: 'dead_lettered',
        reason: event.data.reason,
        attemptCount: event.data.attempts,
        dueAt: null,
      };
    case 'DeliveryCancelled':
      return { ...base, status: 'cancelled', reason: event.data.reason, attemptCount, dueAt: null };
    case 'AttemptFailed':
      return undefined; // What follows from it is its own domain event.
  }
};

const deadLetterItem = (event: Of<DeliveryEvent>): DeadLetterItem | undefined => {
  if (event.type !== 'DeliveryDeadLettered') return undefined;
  const { deliveryId, eventId, subscriptionId, reason, attempts } = event.data;
  return { ...placeOf(event), deliveryId, eventId, subscriptionId, reason, attemptCount: attempts };
};

const eventItem = (event: Of<Extract<EventEvent, { type: 'EventIngested' }>>): EventItem => {
  const { eventId: id, eventType, labels, payloadBytes, deliveries } = event.data;
  return { ...placeOf(event), id, eventType, labels, payloadBytes, deliveryCount: deliveries };
};

const domainEventItem = (event: RecordedEvent): DomainEventItem => {
  const { streamId, streamVersion: version, type, schemaVersion, data, metadata } = event;
  return { ...placeOf(event), streamId, version, type, schemaVersion, data, metadata };
};

export const isAboutDelivery = ({ streamId }: Pick<RecordedEvent, 'streamId'>): boolean =>
  streamId.startsWith('delivery:');

const oneOf = <T>(wanted: readonly T[] | undefined, value: T | null): boolean =>
  wanted === undefined || (value !== null && wanted.includes(value));
const equals = (wanted: string | undefined, value: string): boolean => wanted === undefined || wanted === value;

/** What a domain event is to those who watch a kind of item through a filter; undefined when it is nothing to them. */
export type ToItem = (event: RecordedEvent, factsOf: FactsOf) => LiveItem | undefined;

/** Streams tell what their domain events are: only the aggregate of that name writes to them. */
const deliveryEvent = (event: RecordedEvent): Of<DeliveryEvent> | undefined =>
  isAboutDelivery(event) ? (event as unknown as Of<DeliveryEvent>) : undefined;
const ingested = (event: RecordedEvent): Of<EventEvent> | undefined =>
  event.type === 'EventIngested' ? (event as unknown as Of<EventEvent>) : undefined;

/** What costs nothing to compare comes before an item is made: most domain events are not for most readers. */
export const toItem = (kind: Exclude<LiveKind, 'traffic'>, filter: LiveFilter): ToItem => {
  const { subscriptionId, eventId, eventTypes, attemptStatuses, deliveryStatuses, labels, types, streamId } = filter;
  const isWanted = ({ data }: Of<DeliveryEvent>): boolean =>
    equals(subscriptionId, data.subscriptionId) && equals(eventId, data.eventId);
  switch (kind) {
    case 'requestAttempts':
      return (recorded, factsOf) => {
        const event = deliveryEvent(recorded);
        const item = event && isWanted(event) ? attemptItem(event, factsOf) : undefined;
        return item && oneOf(eventTypes, item.eventType) && oneOf(attemptStatuses, item.status) ? item : undefined;
      };
    case 'deliveries':
      return (recorded, factsOf) => {
        const event = deliveryEvent(recorded);
        const item = event && isWanted(event) ? deliveryItem(event, factsOf) : undefined;
        return item && oneOf(eventTypes, item.eventType) && oneOf(deliveryStatuses, item.status) ? item : undefined;
      };
    case 'deadLetters':
      return (recorded) => {
        const event = deliveryEvent(recorded);
        return event && isWanted(event) ? deadLetterItem(event) : undefined;
      };
    case 'events': {
      const wanted = Object.entries(labels ?? {});
      return (recorded) => {
        const event = ingested(recorded);
        if (event?.type !== 'EventIngested') return undefined;
        const { data } = event;
        const matches =
          equals(eventId, data.eventId) &&
          oneOf(eventTypes, data.eventType) &&
          wanted.every(([name, value]) => Object.hasOwn(data.labels, name) && data.labels[name] === value);
        return matches ? eventItem(event) : undefined;
      };
    }
    case 'domainEvents':
      return (event) =>
        oneOf(types, event.type) && equals(streamId, event.streamId) ? domainEventItem(event) : undefined;
  }
};
