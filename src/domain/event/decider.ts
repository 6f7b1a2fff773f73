import type { Decider } from '@event-driven-io/emmett';
import { DomainError } from '../errors.ts';
import { notFound } from '../refusals.ts';
import { sameJson } from '../same-json.ts';
import type { EventCommand, EventEvent, IngestedEvent } from './events.ts';

/** What the producer said; where it came from and how it was routed are not part of it. */
export type EventContent = Pick<
  IngestedEvent,
  'eventType' | 'payloadContentType' | 'payloadSha256' | 'labels' | 'metadata' | 'occurredAt'
>;

export type IngestState =
  | { readonly status: 'unknown' }
  | { readonly status: 'ingested'; readonly content: EventContent; readonly isErased: boolean };

const decide = ({ type, data, metadata }: EventCommand, state: IngestState): EventEvent[] => {
  const at = metadata.now.toISOString();
  switch (type) {
    case 'IngestEvent':
      if (state.status === 'unknown') return [{ type: 'EventIngested', data: { ...data, receivedAt: at } }];
      if (isSameContent(state.content, data)) return []; // The producer retries; its first answer is given again.
      throw alreadyIngested(data.eventId);
    case 'ReplayEvent':
      if (state.status === 'unknown') throw notFound('event', data.eventId);
      return [{ type: 'EventReplayed', data: { ...data, replayedAt: at } }];
    case 'EraseEventPayload':
      if (state.status === 'unknown') throw notFound('event', data.eventId);
      return state.isErased ? [] : [{ type: 'EventPayloadErased', data: { ...data, erasedAt: at } }];
  }
};

/** Total: what is recorded has happened, so folding it never throws and never refuses. */
const evolve = (state: IngestState, event: EventEvent): IngestState => {
  switch (event.type) {
    case 'EventIngested':
      return { status: 'ingested', content: contentOf(event.data), isErased: false };
    case 'EventReplayed':
      return state;
    case 'EventPayloadErased':
      return state.status === 'ingested' ? { ...state, isErased: true } : state;
    default:
      event satisfies never;
      return state; // Written by a newer release during a rolling deploy.
  }
};

/** Whether a repeated event id carries what it carried the first time. */
export const isSameContent = (first: EventContent, again: EventContent): boolean =>
  first.payloadSha256 === again.payloadSha256 && sameJson(contentOf(first), contentOf(again));

const contentOf = (event: EventContent): EventContent => ({
  eventType: event.eventType,
  payloadContentType: event.payloadContentType,
  payloadSha256: event.payloadSha256,
  labels: event.labels,
  metadata: event.metadata,
  occurredAt: event.occurredAt,
});

const alreadyIngested = (eventId: string): DomainError =>
  new DomainError(
    'EventAlreadyIngested',
    `Event ${eventId} was already ingested with other content. Send this one under an id of its own.`,
  );

export const eventDecider: Decider<IngestState, EventCommand, EventEvent> = {
  decide,
  evolve,
  initialState: () => ({ status: 'unknown' }),
};
