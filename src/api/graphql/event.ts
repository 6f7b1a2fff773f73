import { notFound } from '../../domain/refusals.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import type { EventRecord } from '../../projections/event/queries.ts';
import { type Context, type Seen, see } from './context.ts';
import { logPosition } from './position.ts';
import type { Fields } from './schema.ts';

type Event = Seen<EventRecord>;

/** An event that something else names, so that it must be there. */
export const eventSeen = async (source: Seen<{ readonly applicationId: string; readonly eventId: string }>) => {
  const { applicationId, eventId, moment } = source;
  const found = await moment.loaders.event({ applicationId, eventId });
  if (!found) throw notFound('event', eventId);
  return see(moment, found);
};

export const eventFields: Fields = {
  Event: {
    id: ({ eventId }: Event) => eventId,
    occurredAt: ({ occurredAt, receivedAt }: Event) => occurredAt ?? receivedAt,
    deliveryCount: ({ deliveries }: Event) => deliveries,
    payload: async (event: Event) => (await event.moment.loaders.payload(event))?.toString('base64') ?? null,
    position: ({ applicationId, position }: Event, _args: unknown, { deps }: Context) =>
      logPosition(partitionOf(applicationId, deps.partitions), position),
    deliveries: async (event: Event) => {
      const found = await event.moment.loaders.deliveriesOfEvent(event);
      return (found ?? []).map((delivery) => see(event.moment, delivery));
    },
  },
};
