import type { SubscriptionState } from '../../projections/configuration/queries.ts';
import { type Context, instantOf, type Seen } from './context.ts';
import { logPosition } from './position.ts';
import type { Fields } from './schema.ts';

type Subscription = Seen<SubscriptionState>;

/** What the settings hold under the same name. */
const setting = (name: keyof SubscriptionState['settings']) => [name, ({ settings }: Subscription) => settings[name]];

export const subscriptionFields: Fields = {
  Subscription: {
    ...Object.fromEntries(
      (
        [
          'description',
          'isEnabled',
          'eventTypes',
          'labels',
          'metadata',
          'target',
          'retrySchedule',
          'concurrencyMax',
          'signEd25519',
        ] as const
      ).map(setting),
    ),
    id: ({ subscriptionId }: Subscription) => subscriptionId,
    disabledReason: ({ settings, disabledReason }: Subscription) => (settings.isEnabled ? null : disabledReason),
    previousSecretValidUntil: (subscription: Subscription, _args: unknown, { at }: Context) => {
      const { previousValidUntil } = subscription;
      const isValid = previousValidUntil !== null && previousValidUntil > instantOf(subscription, at);
      return isValid ? previousValidUntil : null;
    },
    position: (place: Subscription) => logPosition(place),
  },
};
