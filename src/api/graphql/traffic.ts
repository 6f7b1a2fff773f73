import { notFound } from '../../domain/refusals.ts';
import type { ApplicationRecord } from '../../projections/configuration/queries.ts';
import type { TrafficSpan } from '../../projections/traffic/queries.ts';
import { invalidField } from '../problems.ts';
import { lastMinutes, trafficSpan } from '../traffic/span.ts';
import { allow, type Context, type Seen, see } from './context.ts';
import type { Fields } from './schema.ts';

type Subscription = Seen<{ readonly applicationId: string; readonly subscriptionId: string }>;

const BUCKETS = 60;
const STRIP = { minutes: 60, minutesMin: 5, minutesMax: 10_080, buckets: 30 } as const;

export const trafficFields: Fields = {
  Application: {
    traffic: async (
      { applicationId, moment }: Seen<ApplicationRecord>,
      args: Pick<TrafficSpan, 'from' | 'to'> & { buckets?: number | null; subscriptionId?: string | null },
      context: Context,
    ) => {
      allow(context, 'application:get', { applicationId });
      const span = trafficSpan({ from: args.from, to: args.to, buckets: args.buckets ?? BUCKETS });
      const subscriptionId = args.subscriptionId ?? undefined;
      const { subscriptions, ...traffic } = await moment.reads.traffic(applicationId, { ...span, subscriptionId });
      return { ...traffic, subscriptions: subscriptions.map((one) => see(moment, { ...one, applicationId })) };
    },
  },
  SubscriptionTraffic: {
    subscription: async ({ applicationId, subscriptionId, moment }: Subscription, _args: unknown, context: Context) => {
      allow(context, 'subscription:get', { applicationId, subscriptionId });
      const found = await moment.loaders.subscription(subscriptionId);
      if (!found) throw notFound('subscription', subscriptionId);
      return see(moment, found);
    },
  },
  Subscription: {
    traffic: async (
      { applicationId, subscriptionId, moment }: Subscription,
      args: { minutes?: number | null; buckets?: number | null },
      { at }: Context,
    ) => {
      const minutes = args.minutes ?? STRIP.minutes;
      if (minutes < STRIP.minutesMin || minutes > STRIP.minutesMax)
        throw invalidField('minutes', 'out-of-range', `must be ${STRIP.minutesMin} to ${STRIP.minutesMax}`, {
          min: STRIP.minutesMin,
          max: STRIP.minutesMax,
        });
      const span = trafficSpan(lastMinutes(minutes, moment.cut?.instant ?? at, args.buckets ?? STRIP.buckets));
      return moment.loaders.traffic({ applicationId, subscriptionId, span });
    },
  },
};
