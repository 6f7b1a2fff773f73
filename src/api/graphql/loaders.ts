import { subscriptionDecider } from '../../domain/subscription/decider.ts';
import type { SubscriptionEvent, SubscriptionSettings } from '../../domain/subscription/events.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import { describeHistory, type HistoryEntry } from '../../history/describe.ts';
import { HISTORY_MAX } from '../../history/queries.ts';
import { schemaId } from '../../projections/configuration/schemas.ts';
import type { DeliveryRecord } from '../../projections/delivery/queries.ts';
import type { EventRecord } from '../../projections/event/queries.ts';
import type { TrafficBucket, TrafficSpan } from '../../projections/traffic/queries.ts';
import { findKeptPayloads, findPayloads, type PayloadKey } from '../../worklist/payload.ts';
import { findResponses, type ResponseKey } from '../../worklist/response.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../problems.ts';
import type { Moment } from './context.ts';
import { loadCausation, loadRouting } from './event-loaders.ts';
import { readHistories, WHOLE } from './histories.ts';
import { createLoader } from './loader.ts';
import type { Reads, StreamKey } from './reads.ts';

/** Deliveries of all the events of one operation: more would not be looked at by anybody, and cost memory. */
const DELIVERIES_OF_EVENTS_MAX = 10_000;

type EventKey = { readonly applicationId: string; readonly eventId: string };
type ReceivedEvent = EventKey & { readonly receivedAt: Date };
type SubscriptionKey = { readonly applicationId: string; readonly subscriptionId: string };
type TrafficKey = SubscriptionKey & { readonly span: TrafficSpan };

/** The settings of a subscription at each instant at which they changed, oldest first. */
export type SettingsHistory = readonly { readonly sinceMs: number; readonly settings: SubscriptionSettings }[];

const eventKey = ({ applicationId, eventId }: EventKey): string => `${applicationId}:${eventId}`;
const spanKey = ({ span: { from, to, buckets } }: TrafficKey): string => `${from.getTime()} ${to.getTime()} ${buckets}`;
const trafficKey = (key: TrafficKey): string => `${key.subscriptionId} ${spanKey(key)}`;
const itself = (id: string): string => id;

/** What resolvers below lists read, each kind in one statement for all of them. */
export const createLoaders = (deps: ApiDeps, reads: Reads, cut: Moment['cut']) => {
  const { pool, vault, partitions } = deps;
  const payloadKey = ({ applicationId, eventId, receivedAt }: ReceivedEvent): PayloadKey => ({
    partition: partitionOf(applicationId, partitions),
    applicationId,
    eventId,
    receivedAt: receivedAt.toISOString(),
  });

  const deliveriesOfEvents = async (events: readonly ReceivedEvent[]): Promise<Map<string, DeliveryRecord[]>> => {
    const found = await reads.deliveriesOfEvents(events, DELIVERIES_OF_EVENTS_MAX + 1);
    if (found.length > DELIVERIES_OF_EVENTS_MAX)
      throw new Problem(
        'GraphqlLimit',
        `The events of this query have more than ${DELIVERIES_OF_EVENTS_MAX} deliveries together; ask for fewer events.`,
      );
    const byEvent = new Map(events.map((event): [string, DeliveryRecord[]] => [eventKey(event), []]));
    for (const delivery of found) byEvent.get(eventKey(delivery))?.push(delivery);
    return byEvent;
  };

  const settingsHistories = async (keys: readonly SubscriptionKey[]): Promise<Map<string, SettingsHistory>> => {
    const streams = await readHistories(
      reads,
      keys.map(({ applicationId, subscriptionId }) => ({
        streamId: `subscription:${subscriptionId}`,
        partition: partitionOf(applicationId, partitions),
      })),
      WHOLE,
    );
    return new Map(
      [...streams].map(([id, events]) => {
        let state = subscriptionDecider.initialState();
        const history = events.flatMap((event) => {
          state = subscriptionDecider.evolve(state, event as unknown as SubscriptionEvent);
          return state.status === 'live' ? [{ sinceMs: event.recordedAtMs, settings: state.settings }] : [];
        });
        return [id.slice('subscription:'.length), history];
      }),
    );
  };

  /** A statement for each span that is asked for, which in a list is the same for all. */
  const traffic = async (keys: readonly TrafficKey[]): Promise<Map<string, readonly TrafficBucket[]>> => {
    const found = new Map<string, readonly TrafficBucket[]>();
    for (const asked of Map.groupBy(keys, spanKey).values()) {
      const buckets = await reads.trafficOfSubscriptions(asked, (asked[0] as TrafficKey).span);
      for (const key of asked) found.set(trafficKey(key), buckets.get(key.subscriptionId) ?? []);
    }
    return found;
  };

  const histories = async (keys: readonly StreamKey[]): Promise<Map<string, HistoryEntry[]>> => {
    const streams = await readHistories(reads, keys, HISTORY_MAX);
    return new Map([...streams].map(([streamId, stream]) => [streamId, describeHistory(stream)]));
  };

  const deliveriesOfEvent = createLoader(eventKey as (event: ReceivedEvent) => string, deliveriesOfEvents);

  return {
    /** The whole history of an object, oldest first: later pages are parts of it. */
    history: createLoader(({ streamId }: StreamKey) => streamId, histories),
    organization: createLoader(itself, reads.findOrganizations),
    application: createLoader(itself, reads.findApplications),
    subscription: createLoader(itself, reads.findSubscriptions),
    /** All that are not deleted, by application. */
    subscriptions: createLoader(itself, reads.allSubscriptions),
    traffic: createLoader(trafficKey, traffic),
    settings: createLoader(({ subscriptionId }: SubscriptionKey) => subscriptionId, settingsHistories),
    eventTypeSchema: createLoader(schemaId, reads.findEventTypeSchemas),
    event: createLoader(eventKey, reads.findEvents),
    /** With its attempts. */
    delivery: createLoader(
      ({ deliveryId }: { readonly deliveryId: string; readonly subscriptionId: string }) => deliveryId,
      reads.findDeliveries,
    ),
    deliveriesOfEvent,
    routing: createLoader(eventKey as (event: EventRecord) => string, loadRouting(deps, reads, cut)),
    causation: createLoader(eventKey as (event: EventRecord) => string, loadCausation(deps, reads, deliveriesOfEvent)),
    payload: createLoader(eventKey as (event: EventRecord) => string, (events) =>
      findPayloads(
        pool,
        vault,
        events.map((event) => ({ ...payloadKey(event), organizationId: event.organizationId })),
      ),
    ),
    isPayloadKept: createLoader(eventKey as (event: ReceivedEvent) => string, async (events) => {
      const kept = await findKeptPayloads(pool, events.map(payloadKey));
      return new Map([...kept].map((key) => [key, true]));
    }),
    response: createLoader(
      ({ attemptId }: ResponseKey) => attemptId,
      (keys) => findResponses(pool, vault, keys),
    ),
  };
};

export type Loaders = ReturnType<typeof createLoaders>;
