import { deliveryId } from '../../domain/event/ids.ts';
import { notFound } from '../../domain/refusals.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import type { CausationNode } from '../../history/causation-nodes.ts';
import type { EventRecord } from '../../projections/event/queries.ts';
import { unchanged } from '../http/stored-body.ts';
import { allow, type Context, type Seen, see } from './context.ts';
import type { Decision } from './event-loaders.ts';
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

/** The same below something else, for whoever may read the event itself. */
export const itsEvent = (
  source: Seen<{ readonly applicationId: string; readonly eventId: string }>,
  _args: unknown,
  context: Context,
) => {
  allow(context, 'event:get', { applicationId: source.applicationId });
  return eventSeen(source);
};

export const eventFields: Fields = {
  Event: {
    id: ({ eventId }: Event) => eventId,
    occurredAt: ({ occurredAt, receivedAt }: Event) => occurredAt ?? receivedAt,
    deliveryCount: ({ deliveries }: Event) => deliveries,
    payload: async (event: Event, _args: unknown, context: Context) => {
      allow(context, 'event:get', { applicationId: event.applicationId });
      return unchanged(await event.moment.loaders.payload(event))?.toString('base64') ?? null;
    },
    position: ({ applicationId, position }: Event, _args: unknown, { deps }: Context) =>
      logPosition({ partition: partitionOf(applicationId, deps.partitions), position }),
    deliveries: async (event: Event, _args: unknown, context: Context) => {
      allow(context, 'delivery:list', { applicationId: event.applicationId });
      const found = await event.moment.loaders.deliveriesOfEvent(event);
      return (found ?? []).map((delivery) => see(event.moment, delivery));
    },
    routing: async (event: Event, _args: unknown, context: Context) => {
      const { applicationId } = event;
      allow(context, 'event:get', { applicationId });
      const decisions = (await event.moment.loaders.routing(event)) ?? [];
      return decisions.map((decision) => ({ ...decision, event }));
    },
    causation: async (event: Event, _args: unknown, context: Context) => {
      const { applicationId } = event;
      allow(context, 'event:get', { applicationId });
      return event.moment.loaders.causation(event);
    },
  },
  RoutingDecision: {
    targetUrl: (
      { targetUrl, subscriptionId, event: { applicationId } }: Decision & { readonly event: Event },
      _args: unknown,
      context: Context,
    ) => {
      allow(context, 'subscription:get', { applicationId, subscriptionId });
      return targetUrl;
    },
    delivery: async (
      { isMatch, subscriptionId, event }: Decision & { readonly event: Event },
      _args: unknown,
      context: Context,
    ) => {
      if (!isMatch) return null;
      const { applicationId, eventId, receivedAt, moment } = event;
      allow(context, 'delivery:get', { applicationId });
      const ids = { applicationId, eventId, subscriptionId, receivedAt: receivedAt.toISOString() };
      const found = await moment.loaders.delivery({ deliveryId: deliveryId(ids), subscriptionId });
      return found ? see(moment, found.delivery) : null;
    },
  },
  CausationNode: { position: ({ place }: CausationNode) => place && logPosition(place) },
};
