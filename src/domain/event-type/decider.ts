import type { Decider } from '@event-driven-io/emmett';
import { notFound } from '../refusals.ts';
import type { EventTypeCommand, EventTypeEvent } from './events.ts';

export type EventType = { readonly status: 'unknown' | 'active' | 'deactivated' };

const decide = ({ type, data, metadata }: EventTypeCommand, { status }: EventType): EventTypeEvent[] => {
  const at = metadata.now.toISOString();
  switch (type) {
    case 'CreateEventType':
      if (status === 'active') return []; // Clients declare their event types each time they start.
      if (status === 'unknown') return [{ type: 'EventTypeCreated', data: { ...data, createdAt: at } }];
      return [{ type: 'EventTypeReactivated', data: { ...data, reactivatedAt: at } }];
    case 'DeactivateEventType':
      if (status === 'unknown') throw notFound('event type', data.name);
      if (status === 'deactivated') return [];
      return [{ type: 'EventTypeDeactivated', data: { ...data, deactivatedAt: at } }];
  }
};

/** Total: what is recorded has happened, so folding it never throws and never refuses. */
const evolve = (state: EventType, event: EventTypeEvent): EventType => {
  switch (event.type) {
    case 'EventTypeCreated':
    case 'EventTypeReactivated':
      return { status: 'active' };
    case 'EventTypeDeactivated':
      return { status: 'deactivated' };
    default:
      event satisfies never;
      return state; // Written by a newer release during a rolling deploy.
  }
};

export const eventTypeDecider: Decider<EventType, EventTypeCommand, EventTypeEvent> = {
  decide,
  evolve,
  initialState: () => ({ status: 'unknown' }),
};
