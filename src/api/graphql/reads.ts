import type { RecordedEvent } from '../../eventstore/types.ts';
import { listAudit } from '../../history/audit.ts';
import type { SchemaKey } from '../../payload-schema/cache.ts';
import type { AuditFilter } from '../../projections/audit/queries.ts';
import {
  type ApplicationFilter,
  countApplicationsUpTo,
  countEventTypes,
  countOrganizations,
  countSubscriptions,
  findApplications,
  findOrganizations,
  findSubscriptionStates,
  listApplicationsOldestFirst,
  listOrganizationsOldestFirst,
  listSubscriptionsOldestFirst,
  type OrganizationSelection,
  type SubscriptionFilter,
  subscriptionsOfApplications,
} from '../../projections/configuration/lists.ts';
import {
  type ApplicationSecretRecord,
  findEventType,
  listApplicationSecrets,
  listEventTypes,
} from '../../projections/configuration/queries.ts';
import { findEventTypeSchemas, listEventTypeSchemas } from '../../projections/configuration/schemas.ts';
import { type Counts, countsOf } from '../../projections/counts/queries.ts';
import {
  countDeadLettersUpTo,
  type DeadLetterFilter,
  groupDeadLetters,
  listDeadLetters,
} from '../../projections/dead-letter/queries.ts';
import {
  countDeliveries,
  type DeliveryFilter,
  listDeliveries,
  listDeliveriesOfEvents,
} from '../../projections/delivery/queries.ts';
import { countEvents, type EventFilter, type EventRecord, listEvents } from '../../projections/event/queries.ts';
import { type Count, PAGE_MAX, type Page, type PageRequest } from '../../projections/page.ts';
import {
  countRequestAttempts,
  findRequestAttempt,
  listRequestAttempts,
  type RequestAttemptFilter,
} from '../../projections/request-attempt/queries.ts';
import { type TrafficSpan, trafficOf, trafficOfSubscriptions } from '../../projections/traffic/queries.ts';
import { readDeliveries, readDelivery } from '../delivery/history.ts';
import type { ApiDeps } from '../deps.ts';
import { readEvents } from '../event/view.ts';

export type StreamKey = { readonly partition: number; readonly streamId: string };
export type StreamBounds = Parameters<ApiDeps['reader']['readStreamsWithin']>[1];

/**
 * All that resolvers read of an installation, as it is now. Lists come from the read models; single events and deliveries
 * from their streams of the log, which have them the moment they are accepted. Another moment is another object of this type.
 */
export const createReads = (deps: ApiDeps, at: Date) => {
  const { pool, reader } = deps;
  return {
    /** Streams from their beginnings, one after the other, within bounds. */
    streams: (keys: readonly StreamKey[], bounds: StreamBounds): Promise<RecordedEvent[]> =>
      reader.readStreamsWithin(keys, bounds),
    audit: (applicationId: string, filter: AuditFilter & PageRequest) =>
      listAudit({ db: pool, reader }, applicationId, filter),

    organizations: (ids: OrganizationSelection, page: PageRequest) => listOrganizationsOldestFirst(pool, ids, page),
    countOrganizations: exactly((ids: OrganizationSelection, limit) => countOrganizations(pool, ids, limit)),
    findOrganizations: (ids: readonly string[]) => findOrganizations(pool, ids),

    applications: (filter: ApplicationFilter & PageRequest) => listApplicationsOldestFirst(pool, filter),
    countApplications: exactly((filter: ApplicationFilter, limit) => countApplicationsUpTo(pool, filter, limit)),
    findApplications: (ids: readonly string[]) => findApplications(pool, ids),

    secrets: async (applicationId: string): Promise<readonly ApplicationSecretRecord[]> =>
      (await listApplicationSecrets(pool, applicationId, { limit: PAGE_MAX })).rows,

    eventTypes: (applicationId: string, page: PageRequest) => listEventTypes(pool, applicationId, page),
    countEventTypes: exactly((applicationId: string, limit) => countEventTypes(pool, applicationId, limit)),
    findEventType: (applicationId: string, name: string) => findEventType(pool, applicationId, name),
    eventTypeSchemas: (eventType: { applicationId: string; name: string }, page: PageRequest) =>
      listEventTypeSchemas(pool, eventType, page),
    /** A version never changes: that of the past is that of now. */
    findEventTypeSchemas: (keys: readonly SchemaKey[]) => findEventTypeSchemas(pool, keys),

    subscriptions: (applicationId: string, filter: SubscriptionFilter & PageRequest) =>
      listSubscriptionsOldestFirst(pool, applicationId, filter),
    countSubscriptions: (applicationId: string, filter: SubscriptionFilter, upTo: number) =>
      exactly((of: SubscriptionFilter, limit) => countSubscriptions(pool, applicationId, of, limit))(filter, upTo),
    findSubscriptions: (ids: readonly string[]) => findSubscriptionStates(pool, ids),
    allSubscriptions: (applicationIds: readonly string[]) => subscriptionsOfApplications(pool, applicationIds),

    events: (applicationId: string, filter: EventFilter & PageRequest): Promise<Page<EventRecord>> =>
      listEvents(pool, applicationId, filter),
    countEvents: (applicationId: string, filter: EventFilter, limit: number) =>
      countEvents(pool, applicationId, filter, limit),
    findEvents: (keys: readonly { applicationId: string; eventId: string }[]) => readEvents(deps, keys),

    deliveries: (applicationId: string, filter: DeliveryFilter & PageRequest) =>
      listDeliveries(pool, applicationId, filter),
    countDeliveries: (applicationId: string, filter: DeliveryFilter, limit: number) =>
      countDeliveries(pool, applicationId, filter, limit),
    deliveriesOfEvents: (
      events: readonly { applicationId: string; eventId: string; receivedAt: Date }[],
      limit: number,
    ) => listDeliveriesOfEvents(pool, events, limit),
    findDelivery: (deliveryId: string) => readDelivery(reader, deliveryId),
    findDeliveries: (keys: readonly { deliveryId: string; subscriptionId: string }[]) => readDeliveries(deps, keys),

    counts: async (applicationId: string) => shownCounts(await countsOf(pool, applicationId, at)),

    traffic: (applicationId: string, span: TrafficSpan & { subscriptionId?: string | undefined }) =>
      trafficOf(pool, applicationId, span),
    trafficOfSubscriptions: (
      subscriptions: readonly { applicationId: string; subscriptionId: string }[],
      span: TrafficSpan,
    ) => trafficOfSubscriptions(pool, subscriptions, span),

    requestAttempts: (applicationId: string, filter: Omit<RequestAttemptFilter, 'status'> & Wanted & PageRequest) =>
      listRequestAttempts(pool, applicationId, withClock(filter, at)),
    countRequestAttempts: (
      applicationId: string,
      filter: Omit<RequestAttemptFilter, 'status'> & Wanted,
      limit: number,
    ) => countRequestAttempts(pool, applicationId, withClock(filter, at), limit),
    findRequestAttempt: (applicationId: string, id: string) => findRequestAttempt(pool, applicationId, id),

    deadLetters: (applicationId: string, filter: DeadLetterFilter & PageRequest) =>
      listDeadLetters(pool, applicationId, filter),
    countDeadLetters: (applicationId: string, filter: DeadLetterFilter, limit: number) =>
      countDeadLettersUpTo(pool, applicationId, filter, limit),
    deadLetterGroups: (applicationId: string, filter: DeadLetterFilter) =>
      groupDeadLetters(pool, applicationId, filter),
  };
};

export type Reads = ReturnType<typeof createReads>;

/** Counts as the schema has them: what failed includes what ran into the deadline. */
export const shownCounts = ({ deliveries, requestAttempts, events, subscriptions, eventTypes }: Counts) => ({
  ...deliveries,
  events,
  subscriptions,
  eventTypes,
  attemptsSucceeded: requestAttempts.succeeded,
  attemptsFailed: requestAttempts.failed + requestAttempts.timeout,
});

/** A count of what is cheap to count: its rows are few, and one more than the limit is counted. */
const exactly =
  <Of>(countTo: (of: Of, limit: number) => Promise<number>) =>
  async (of: Of, upTo: number): Promise<Count> =>
    countUpTo(await countTo(of, upTo + 1), upTo);

/** What is told of a number that is known when counting stops at a limit. */
export const countUpTo = (number: number, upTo: number): Count => ({
  value: Math.min(number, upTo),
  isExact: number <= upTo,
});

export type Wanted = { readonly status?: NonNullable<RequestAttemptFilter['status']>['is'] | undefined };

/** What waits and what is due are told apart by the clock. */
const withClock = <F extends Wanted>({ status, ...filter }: F, now: Date) => ({
  ...filter,
  status: status && { is: status, now },
});
