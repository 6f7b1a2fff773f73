import { matchesEventType } from '../../domain/subscription/routing.ts';
import type { EventTypeRecord } from '../../projections/configuration/queries.ts';
import { allow, type Context, type Seen, see } from './context.ts';
import type { Fields } from './schema.ts';

export const eventTypeFields: Fields = {
  EventType: {
    subscriptions: async ({ applicationId, name, moment }: Seen<EventTypeRecord>, _args: unknown, context: Context) => {
      allow(context, 'subscription:list', { applicationId });
      const all = (await moment.loaders.subscriptions(applicationId)) ?? [];
      return all
        .filter(({ settings }) => settings.eventTypes.some((pattern) => matchesEventType(pattern, name)))
        .map((subscription) => see(moment, subscription));
    },
  },
};
