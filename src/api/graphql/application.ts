import { parseEventTypeName } from '../../domain/event-type/name.ts';
import { notFound } from '../../domain/refusals.ts';
import type {
  ApplicationRecord,
  ApplicationSecretRecord,
  SubscriptionState,
} from '../../projections/configuration/queries.ts';
import { connect, type PageArgs, pageOf } from './connection.ts';
import { allow, type Context, type Moment, orNone, type Seen, see } from './context.ts';
import {
  type DeadLetterFilterInput,
  type DeliveryFilterInput,
  deadLetterFilter,
  deliveryFilter,
  type EventFilterInput,
  eventFilter,
  type RequestAttemptFilterInput,
  requestAttemptFilter,
  type SubscriptionFilterInput,
  subscriptionFilter,
} from './filters.ts';
import type { Fields } from './schema.ts';

type Application = Seen<ApplicationRecord>;
type Filtered<Filter> = PageArgs & { readonly filter?: Filter | null };
type Id = { readonly id: string };

/** A subscription as configured, also a deleted one; null when it is not known, or belongs to another application. */
export const subscriptionSeen = async (
  moment: Moment,
  applicationId: string,
  subscriptionId: string,
): Promise<Seen<SubscriptionState> | null> => {
  const found = await moment.loaders.subscription(subscriptionId);
  return found?.applicationId === applicationId ? see(moment, found) : null;
};

/** What something else names by its ids. */
type OfSubscription = Seen<{ readonly applicationId: string; readonly subscriptionId: string }>;

/** The same below something else, for whoever may read the subscription itself. */
export const itsSubscription = (
  { applicationId, subscriptionId, moment }: OfSubscription,
  _args: unknown,
  context: Context,
) => {
  allow(context, 'subscription:get', { applicationId, subscriptionId });
  return subscriptionSeen(moment, applicationId, subscriptionId);
};

const lists: Fields['string'] = {
  events: async ({ applicationId, moment }: Application, args: Filtered<EventFilterInput>, context: Context) => {
    allow(context, 'event:list', { applicationId });
    const filter = eventFilter(args.filter);
    const page = await moment.reads.events(applicationId, { ...filter, ...pageOf(args) });
    return connect(
      page,
      (event) => see(moment, event),
      (upTo) => moment.reads.countEvents(applicationId, filter, upTo),
    );
  },
  deliveries: async ({ applicationId, moment }: Application, args: Filtered<DeliveryFilterInput>, context: Context) => {
    allow(context, 'delivery:list', { applicationId });
    const { eventId, ...given } = args.filter ?? {};
    const event = eventId ? await moment.loaders.event({ applicationId, eventId }) : undefined;
    if (eventId && !event) throw notFound('event', eventId);
    const filter = { ...deliveryFilter(given), event };
    const page = await moment.reads.deliveries(applicationId, { ...filter, ...pageOf(args) });
    return connect(
      page,
      (delivery) => see(moment, delivery),
      (upTo) => moment.reads.countDeliveries(applicationId, filter, upTo),
    );
  },
  requestAttempts: async (
    { applicationId, moment }: Application,
    args: Filtered<RequestAttemptFilterInput>,
    context: Context,
  ) => {
    allow(context, 'request_attempt:list', { applicationId });
    const filter = requestAttemptFilter(args.filter);
    const page = await moment.reads.requestAttempts(applicationId, { ...filter, ...pageOf(args) });
    return connect(
      page,
      (attempt) => see(moment, attempt),
      (upTo) => moment.reads.countRequestAttempts(applicationId, filter, upTo),
    );
  },
  deadLetters: async (
    { applicationId, moment }: Application,
    args: Filtered<DeadLetterFilterInput>,
    context: Context,
  ) => {
    allow(context, 'dead_letter:list', { applicationId });
    const filter = deadLetterFilter(args.filter);
    const page = await moment.reads.deadLetters(applicationId, { ...filter, ...pageOf(args) });
    return connect(
      page,
      (letter) => see(moment, letter),
      (upTo) => moment.reads.countDeadLetters(applicationId, filter, upTo),
    );
  },
  deadLetterGroups: async (
    { applicationId, moment }: Application,
    args: { filter?: DeadLetterFilterInput | null },
    context: Context,
  ) => {
    allow(context, 'dead_letter:list', { applicationId });
    const groups = await moment.reads.deadLetterGroups(applicationId, deadLetterFilter(args.filter));
    return groups.map((group) => see(moment, group));
  },
  subscriptions: async (
    { applicationId, moment }: Application,
    args: Filtered<SubscriptionFilterInput>,
    context: Context,
  ) => {
    allow(context, 'subscription:list', { applicationId });
    const filter = subscriptionFilter(args.filter);
    const page = await moment.reads.subscriptions(applicationId, { ...filter, ...pageOf(args) });
    return connect(
      page,
      (subscription) => see(moment, subscription),
      (upTo) => moment.reads.countSubscriptions(applicationId, filter, upTo),
    );
  },
  eventTypes: async ({ applicationId, moment }: Application, args: PageArgs, context: Context) => {
    allow(context, 'event_type:list', { applicationId });
    const page = await moment.reads.eventTypes(applicationId, pageOf(args));
    return connect(
      page,
      (eventType) => see(moment, eventType),
      (upTo) => moment.reads.countEventTypes(applicationId, upTo),
    );
  },
  secrets: async ({ applicationId, moment }: Application, _args: unknown, context: Context) => {
    allow(context, 'application_secret:list', { applicationId });
    return moment.reads.secrets(applicationId);
  },
};

const singles: Fields['string'] = {
  event: async ({ applicationId, moment }: Application, { id }: Id, context: Context) => {
    allow(context, 'event:get', { applicationId });
    const found = await moment.loaders.event({ applicationId, eventId: id });
    return found ? see(moment, found) : null;
  },
  delivery: async ({ applicationId, moment }: Application, { id }: Id, context: Context) => {
    allow(context, 'delivery:get', { applicationId });
    const found = await orNone(() => moment.reads.findDelivery(id));
    return found?.delivery.applicationId === applicationId ? see(moment, found.delivery) : null;
  },
  requestAttempt: async ({ applicationId, moment }: Application, { id }: Id, context: Context) => {
    allow(context, 'request_attempt:get', { applicationId });
    const found = await moment.reads.findRequestAttempt(applicationId, id);
    return found ? see(moment, found) : null;
  },
  subscription: async ({ applicationId, moment }: Application, { id }: Id, context: Context) => {
    allow(context, 'subscription:get', { applicationId });
    const found = await subscriptionSeen(moment, applicationId, id);
    return found?.deletedAt === null ? found : null;
  },
  eventType: async ({ applicationId, moment }: Application, { name }: { name: string }, context: Context) => {
    allow(context, 'event_type:get', { applicationId });
    const found = parseEventTypeName(name) && (await moment.reads.findEventType(applicationId, name));
    return found?.isActive ? see(moment, found) : null;
  },
};

export const applicationFields: Fields = {
  Application: {
    id: ({ applicationId }: Application) => applicationId,
    asOf: ({ moment: { cut } }: Application) => cut && { instant: cut.instant, text: cut.asOf },
    counts: ({ applicationId, moment }: Application) => moment.reads.counts(applicationId),
    // Its name; what else there is to know of it asks for the right to it.
    organization: async ({ organizationId, moment }: Application) => {
      const found = await moment.loaders.organization(organizationId);
      if (!found) throw notFound('organization', organizationId);
      return see(moment, found);
    },
    ...lists,
    ...singles,
  },
  ApplicationSecret: { id: ({ secretId }: ApplicationSecretRecord) => secretId },
};
