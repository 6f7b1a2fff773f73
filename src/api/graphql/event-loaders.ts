import { partitionOf } from '../../eventstore/partition.ts';
import { DELIVERIES_SHOWN_MAX, describeDelivery } from '../../history/causation.ts';
import { type CausationNode, causationNodesOf } from '../../history/causation-nodes.ts';
import { explain, type RoutingReason, reasonOf } from '../../history/routing.ts';
import { foldSubscription } from '../../projections/configuration/fold.ts';
import { subscriptionsOfApplications } from '../../projections/configuration/lists.ts';
import type { SubscriptionState } from '../../projections/configuration/queries.ts';
import type { DeliveryRecord } from '../../projections/delivery/queries.ts';
import type { EventRecord } from '../../projections/event/queries.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../problems.ts';
import type { Moment } from './context.ts';
import { readHistories, WHOLE } from './histories.ts';
import type { Reads } from './reads.ts';

/** Replays of one event that are told with what it caused; the oldest. */
const REPLAYS_SHOWN_MAX = 100;
/** Decisions about all the events of one operation. */
const DECISIONS_MAX = 20_000;

/** Why a subscription got an event or why not. */
export type Decision = {
  readonly subscriptionId: string;
  /** As they were when the event was routed; null of one that was not there yet. */
  readonly description: string | null;
  readonly targetUrl: string | null;
  readonly isMatch: boolean;
  readonly reason: string;
  readonly explanation: string;
};

const keyOf = ({ applicationId, eventId }: Pick<EventRecord, 'applicationId' | 'eventId'>): string =>
  `${applicationId}:${eventId}`;

/** The schema's own words, where they differ from those of REST. */
const REASONS: Partial<Record<RoutingReason['outcome'], string>> = { label: 'labels', not_created: 'not_yet_created' };

const decide = (event: EventRecord, subscriptionId: string, was: SubscriptionState | undefined): Decision => {
  const reason = reasonOf(event, was);
  return {
    subscriptionId,
    description: was?.settings.description ?? null,
    targetUrl: was?.settings.target.url ?? null,
    isMatch: reason.outcome === 'matched' || reason.outcome === 'test',
    reason: REASONS[reason.outcome] ?? reason.outcome,
    explanation: explain(reason, event),
  };
};

/**
 * For each event what its routing made of every subscription that its application has had up to the moment, oldest first, in
 * two statements: the rows, and the streams of those that have changed since. Throws GraphqlLimit.
 */
export const loadRouting =
  ({ pool }: ApiDeps, reads: Reads, cut: Moment['cut']) =>
  async (events: readonly EventRecord[]): Promise<Map<string, readonly Decision[]>> => {
    const byApplication = Map.groupBy(events, ({ applicationId }) => applicationId);
    const rows = await subscriptionsOfApplications(pool, [...byApplication.keys()], { withDeleted: true });
    const decisions = events.reduce((sum, { applicationId }) => sum + (rows.get(applicationId)?.length ?? 0), 0);
    if (decisions > DECISIONS_MAX)
      throw new Problem(
        'GraphqlLimit',
        `The routing of these events is ${decisions} decisions, more than ${DECISIONS_MAX}; ask for fewer events.`,
      );
    const changed = [...byApplication].flatMap(([applicationId, own]) => {
      const oldest = Math.min(...own.map(({ configurationPosition }) => configurationPosition));
      return (rows.get(applicationId) ?? []).filter(({ position }) => position > oldest);
    });
    const streams = await readHistories(
      reads,
      changed.map(({ partition, subscriptionId }) => ({ partition, streamId: streamOf(subscriptionId) })),
      WHOLE,
    );
    const hasBegun = ({ subscriptionId, partition, position }: SubscriptionState): boolean =>
      cut === null || position <= (cut.positions.get(partition) ?? 0) || streams.has(streamOf(subscriptionId));
    return new Map(
      events.map((event) => [
        keyOf(event),
        (rows.get(event.applicationId) ?? []).filter(hasBegun).map((row) => {
          const { subscriptionId, position } = row;
          const { configurationPosition } = event;
          if (position <= configurationPosition) return decide(event, subscriptionId, row);
          const stream = streams.get(streamOf(subscriptionId)) ?? [];
          const then = stream.filter((changedAt) => changedAt.position <= configurationPosition);
          return decide(event, subscriptionId, foldSubscription(then));
        }),
      ]),
    );
  };

const streamOf = (subscriptionId: string): string => `subscription:${subscriptionId}`;

/**
 * For each event the steps that it caused, with the deliveries to its {@link DELIVERIES_SHOWN_MAX} oldest subscriptions, in
 * three statements for all of them. Throws GraphqlLimit.
 */
export const loadCausation =
  (
    { partitions }: ApiDeps,
    reads: Reads,
    deliveriesOf: (event: EventRecord) => Promise<readonly DeliveryRecord[] | undefined>,
  ) =>
  async (events: readonly EventRecord[]): Promise<Map<string, readonly CausationNode[]>> => {
    const [ofEvents, owed] = await Promise.all([
      readHistories(
        reads,
        events.map((event) => ({
          streamId: `event:${keyOf(event)}`,
          partition: partitionOf(event.applicationId, partitions),
        })),
        1 + REPLAYS_SHOWN_MAX,
      ),
      Promise.all(events.map(async (event) => ((await deliveriesOf(event)) ?? []).slice(0, DELIVERIES_SHOWN_MAX))),
    ]);
    const ofDeliveries = await readHistories(
      reads,
      owed.flat().map(({ partition, deliveryId }) => ({ partition, streamId: `delivery:${deliveryId}` })),
      WHOLE,
    );
    return new Map(
      events.map((event, index) => {
        const deliveries = (owed[index] ?? []).flatMap(
          ({ deliveryId }) => describeDelivery(ofDeliveries.get(`delivery:${deliveryId}`) ?? []) ?? [],
        );
        return [keyOf(event), causationNodesOf(ofEvents.get(`event:${keyOf(event)}`) ?? [], deliveries)];
      }),
    );
  };
