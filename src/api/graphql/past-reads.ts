import { partitionOf } from '../../eventstore/partition.ts';
import { listAudit } from '../../history/audit.ts';
import { positionIn } from '../../projections/as-of/cut.ts';
import type { Past } from '../../projections/as-of/past.ts';
import {
  countConfigurationAsOf,
  findEventTypeAsOf,
  listApplicationSecretsAsOf,
  listEventTypesAsOf,
} from '../../projections/configuration/as-of.ts';
import {
  findApplicationsAsOf,
  findOrganizationsAsOf,
  findSubscriptionStatesAsOf,
  listApplicationsOldestFirstAsOf,
  listOrganizationsOldestFirstAsOf,
  listSubscriptionsOldestFirstAsOf,
  subscriptionsOfApplicationsAsOf,
} from '../../projections/configuration/lists-as-of.ts';
import { findEventTypeSchemas, listEventTypeSchemas } from '../../projections/configuration/schemas.ts';
import { type Counts, countsAsOf } from '../../projections/counts/queries.ts';
import { groupDeadLettersAsOf, listDeadLettersAsOf } from '../../projections/dead-letter/as-of.ts';
import {
  foldDeliveriesAsOf,
  listDeliveriesAsOf,
  listDeliveriesOfEventsAsOf,
} from '../../projections/delivery/as-of.ts';
import { listEventsAsOf } from '../../projections/event/as-of.ts';
import { type Count, isAnySet, PAGE_MAX, type Page, type PageRequest } from '../../projections/page.ts';
import { findRequestAttemptAsOf, listRequestAttemptsAsOf } from '../../projections/request-attempt/as-of.ts';
import { trafficAsOf, trafficOfSubscriptions } from '../../projections/traffic/queries.ts';
import { readDelivery } from '../delivery/history.ts';
import type { ApiDeps } from '../deps.ts';
import { readEvents } from '../event/view.ts';
import { countUpTo, type Reads, shownCounts } from './reads.ts';

/** Rows that a filtered list of the past is counted to. */
const COUNTED_MAX = 2_000;
/** Pages, which may be short, that one count reads, and that all counts of a moment read together. */
const PAGES_MAX = 2 * (COUNTED_MAX / PAGE_MAX);
const PAGES_OF_ALL_MAX = 120;

/** Counts by reading pages: what a filter takes of the past is known only of rows that were read. */
const createPageCounter = () => {
  let left = PAGES_OF_ALL_MAX;
  return async (list: (page: PageRequest) => Promise<Page<unknown>>, upTo: number): Promise<Count> => {
    const most = Math.min(upTo, COUNTED_MAX);
    let [value, cursor]: [number, string | undefined] = [0, undefined];
    for (let read = 0; read < PAGES_MAX && left > 0; read += 1) {
      left -= 1;
      const page: Page<unknown> = await list({ limit: PAGE_MAX, cursor });
      value += page.rows.length;
      if (value > most) break;
      if (page.nextCursor === null) return { value, isExact: true };
      cursor = page.nextCursor;
    }
    return { value: Math.min(value, most), isExact: false };
  };
};

const sum = (parts: Readonly<Record<string, number>>): number =>
  Object.values(parts).reduce((all, part) => all + part, 0);
const isFiltered = (filter: object): boolean => isAnySet(...Object.values(filter));

/** The same as {@link createReads}, as it was at a cut. Lists throw ReadModelBehind when theirs is not there in time. */
export const createPastReads = (deps: ApiDeps, past: Past): Reads => {
  const { reader, partitions } = deps;
  const { db, cut } = past;

  const countPages = createPageCounter();
  const known = new Map<string, Promise<Counts>>();
  const countsOfApplication = (applicationId: string): Promise<Counts> => {
    const counts = known.get(applicationId) ?? countsAsOf(past, applicationId, partitionOf(applicationId, partitions));
    known.set(applicationId, counts);
    return counts;
  };

  const streams: Reads['streams'] = (keys, bounds) =>
    reader.readStreamsWithin(
      keys.map((key) => ({ ...key, upTo: positionIn(cut, key.partition) })),
      bounds,
    );
  const requestAttempts: Reads['requestAttempts'] = (applicationId, { status, ...filter }) =>
    listRequestAttemptsAsOf(past, applicationId, {
      ...filter,
      status: status && { is: status, now: cut.instant },
    });

  return {
    streams,
    audit: (applicationId, filter) => listAudit({ db, reader }, applicationId, filter, cut),

    organizations: (ids, page) => listOrganizationsOldestFirstAsOf(past, ids, page),
    countOrganizations: (ids, upTo) => countPages((page) => listOrganizationsOldestFirstAsOf(past, ids, page), upTo),
    findOrganizations: (ids) => findOrganizationsAsOf(past, ids),

    applications: (filter) => listApplicationsOldestFirstAsOf(past, filter),
    countApplications: (filter, upTo) =>
      countPages((page) => listApplicationsOldestFirstAsOf(past, { ...filter, ...page }), upTo),
    findApplications: (ids) => findApplicationsAsOf(past, ids),

    secrets: async (applicationId) => (await listApplicationSecretsAsOf(past, applicationId, { limit: PAGE_MAX })).rows,

    eventTypes: (applicationId, page) => listEventTypesAsOf(past, applicationId, page),
    countEventTypes: async (applicationId, upTo) =>
      countUpTo((await countConfigurationAsOf(past, applicationId)).eventTypes, upTo),
    findEventType: (applicationId, name) => findEventTypeAsOf(past, applicationId, name),
    eventTypeSchemas: (eventType, page) => listEventTypeSchemas(db, eventType, page, cut),
    findEventTypeSchemas: (keys) => findEventTypeSchemas(db, keys),

    subscriptions: (applicationId, filter) => listSubscriptionsOldestFirstAsOf(past, applicationId, filter),
    countSubscriptions: (applicationId, filter, upTo) =>
      countPages((page) => listSubscriptionsOldestFirstAsOf(past, applicationId, { ...filter, ...page }), upTo),
    findSubscriptions: (ids) => findSubscriptionStatesAsOf(past, ids),
    allSubscriptions: (applicationIds) => subscriptionsOfApplicationsAsOf(past, applicationIds),

    events: (applicationId, filter) => listEventsAsOf(past, applicationId, filter),
    countEvents: async (applicationId, filter, upTo) =>
      isFiltered(filter)
        ? countPages((page) => listEventsAsOf(past, applicationId, { ...filter, ...page }), upTo)
        : countUpTo((await countsOfApplication(applicationId)).events, upTo),
    findEvents: async (keys) => {
      const found = await readEvents(deps, keys);
      const isPast = ({ applicationId, position }: { applicationId: string; position: number }): boolean =>
        position <= positionIn(cut, partitionOf(applicationId, partitions));
      return new Map([...found].filter(([, event]) => isPast(event)));
    },

    deliveries: (applicationId, filter) => listDeliveriesAsOf(past, applicationId, filter),
    countDeliveries: async (applicationId, filter, upTo) =>
      isFiltered(filter)
        ? countPages((page) => listDeliveriesAsOf(past, applicationId, { ...filter, ...page }), upTo)
        : countUpTo(sum((await countsOfApplication(applicationId)).deliveries), upTo),
    deliveriesOfEvents: (events, limit) => listDeliveriesOfEventsAsOf(past, events, limit),
    findDelivery: (deliveryId) => readDelivery(reader, deliveryId, cut),
    findDeliveries: (keys) =>
      foldDeliveriesAsOf(
        past,
        keys.map(({ deliveryId, subscriptionId }) => ({
          deliveryId,
          partition: partitionOf(subscriptionId, partitions),
        })),
      ),

    counts: async (applicationId) => shownCounts(await countsOfApplication(applicationId)),

    requestAttempts,
    countRequestAttempts: async (applicationId, filter, upTo) =>
      isFiltered(filter)
        ? countPages((page) => requestAttempts(applicationId, { ...filter, ...page }), upTo)
        : countUpTo(sum((await countsOfApplication(applicationId)).requestAttempts), upTo),
    findRequestAttempt: (applicationId, id) => findRequestAttemptAsOf(past, applicationId, id),

    traffic: (applicationId, span) => trafficAsOf(past, applicationId, span),
    trafficOfSubscriptions: (subscriptions, span) => trafficOfSubscriptions(db, subscriptions, span, cut),

    deadLetters: (applicationId, filter) => listDeadLettersAsOf(past, applicationId, filter),
    countDeadLetters: async (applicationId, filter, upTo) =>
      isFiltered(filter)
        ? countPages((page) => listDeadLettersAsOf(past, applicationId, { ...filter, ...page }), upTo)
        : countUpTo((await countsOfApplication(applicationId)).deadLetters, upTo),
    deadLetterGroups: (applicationId, filter) => groupDeadLettersAsOf(past, applicationId, filter),
  };
};
