import type { FastifyRequest } from 'fastify';
import { eventDecider } from '../../domain/event/decider.ts';
import type { IngestedEvent } from '../../domain/event/events.ts';
import { testedSubscriptionOf } from '../../domain/event/test-event.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import type { ApplicationConfiguration } from '../../projections/configuration/application-configuration.ts';
import { type EventFilter, type FoundEvent, listEventsToReplay } from '../../projections/event/queries.ts';
import type { Count } from '../../projections/page.ts';
import { findKeptPayloads } from '../../worklist/payload.ts';
import { createDeliveryCommands } from '../delivery/commands.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../problems.ts';
import { metadataOf } from '../scope.ts';
import { readIngested } from './view.ts';

/** Events that one request replays: it has to end within a client's patience. */
export const REPLAYED_EVENTS_MAX = 5_000;
/** Deliveries that one replay schedules at the same time. */
const REPLAYS_AT_ONCE = 50;
/** Events that are looked up and replayed together: their appends share commits. */
const EVENTS_AT_ONCE = 50;

/** What a replay did. */
export type Replayed = {
  /** Deliveries that were started again or anew. */
  readonly replayed: number;
  /** Those that could not be: their subscription was disabled or deleted meanwhile, or the payload is no longer kept. */
  readonly skipped: number;
};

/** What a replay would do. */
export type ReplayPreview = {
  readonly events: Count;
  readonly deliveries: number;
  /** Deliveries by subscription id, the most first. */
  readonly bySubscription: readonly { readonly subscriptionId: string; readonly deliveries: number }[];
};

/** Which events, and whether only one subscription gets them. */
export type ReplaySelection = { readonly filter: EventFilter; readonly subscriptionId: string | undefined };

/** Who gets an event were it replayed now: a test goes to the subscription that it was made for. */
const recipientsOf = (
  current: ApplicationConfiguration | undefined,
  event: Pick<IngestedEvent, 'eventType' | 'labels' | 'metadata'>,
  only: string | undefined,
): string[] => {
  const tested = testedSubscriptionOf(event);
  if (current && tested !== undefined)
    return current.enabledIds.has(tested) && (only ?? tested) === tested ? [tested] : [];
  const matched = current?.routes.match(event).map(({ subscriptionId }) => subscriptionId) ?? [];
  return only === undefined ? matched : matched.filter((id) => id === only);
};

const sumOf = (done: readonly Replayed[]): Replayed => ({
  replayed: done.reduce((sum, { replayed }) => sum + replayed, 0),
  skipped: done.reduce((sum, { skipped }) => sum + skipped, 0),
});

/** Sending events again, by hand. */
export const createReplays = (deps: ApiDeps) => {
  const { pool, configuration, partitions, handle, now } = deps;
  const deliveries = createDeliveryCommands(deps);

  const replayTo = async (
    request: FastifyRequest,
    event: IngestedEvent,
    current: ApplicationConfiguration | undefined,
    recipients: readonly string[],
  ): Promise<Replayed> => {
    const { applicationId, organizationId, eventId } = event;
    let replayed = 0;
    for (let at = 0; at < recipients.length; at += REPLAYS_AT_ONCE) {
      const done = await Promise.all(
        recipients
          .slice(at, at + REPLAYS_AT_ONCE)
          .map((subscriptionId) => deliveries.replayIfActive(request, event, subscriptionId)),
      );
      replayed += done.filter(Boolean).length;
    }
    // Last: it tells how many there are, and a replay that breaks off is asked for again.
    await handle(
      eventDecider,
      { streamId: `event:${applicationId}:${eventId}`, partition: partitionOf(applicationId, partitions) },
      {
        type: 'ReplayEvent',
        data: {
          applicationId,
          organizationId,
          eventId,
          configurationPosition: current?.configurationPosition ?? 0,
          deliveries: replayed,
        },
        metadata: { now: now() },
      },
      metadataOf(request, eventId),
    );
    return { replayed, skipped: recipients.length - replayed };
  };

  /** Oldest first, one more than a replay takes. */
  const find = (applicationId: string, { filter }: ReplaySelection) =>
    listEventsToReplay(pool, applicationId, filter, REPLAYED_EVENTS_MAX + 1);

  const countOf = ({ events, isComplete }: { events: readonly FoundEvent[]; isComplete: boolean }): Count => ({
    value: Math.min(events.length, REPLAYED_EVENTS_MAX),
    isExact: isComplete && events.length <= REPLAYED_EVENTS_MAX,
  });

  /** Of events that lie beside each other: their payloads are looked up together. */
  const replayBatch = async (
    request: FastifyRequest,
    applicationId: string,
    found: readonly FoundEvent[],
    current: ApplicationConfiguration | undefined,
    only: string | undefined,
  ): Promise<Replayed> => {
    const partition = partitionOf(applicationId, partitions);
    const [ingested, kept] = await Promise.all([
      readIngested(
        deps,
        found.map(({ eventId }) => ({ applicationId, eventId })),
      ),
      findKeptPayloads(
        pool,
        found.map(({ eventId, receivedAt }) => ({
          partition,
          applicationId,
          eventId,
          receivedAt: receivedAt.toISOString(),
        })),
      ),
    ]);
    const done = await Promise.all(
      found.map(async ({ eventId }): Promise<Replayed> => {
        const event = ingested.get(`${applicationId}:${eventId}`)?.event;
        if (!event) return { replayed: 0, skipped: 0 };
        const recipients = recipientsOf(current, event, only);
        return kept.has(`${applicationId}:${eventId}`)
          ? replayTo(request, event, current, recipients)
          : { replayed: 0, skipped: recipients.length };
      }),
    );
    return sumOf(done);
  };

  return {
    /** To everyone who would get it now; throws PayloadGone. */
    one: async (request: FastifyRequest, event: IngestedEvent): Promise<Replayed> => {
      const { applicationId, eventId, receivedAt } = event;
      const partition = partitionOf(applicationId, partitions);
      if ((await findKeptPayloads(pool, [{ partition, applicationId, eventId, receivedAt }])).size === 0)
        throw new Problem('PayloadGone', `The payload of event ${eventId} is no longer kept; ingest it anew.`);
      const current = await configuration.freshApplication(applicationId);
      return replayTo(request, event, current, recipientsOf(current, event, undefined));
    },

    /** What {@link many} would do now. */
    preview: async (applicationId: string, selection: ReplaySelection): Promise<ReplayPreview> => {
      const found = await find(applicationId, selection);
      const current = await configuration.freshApplication(applicationId);
      const shares = new Map<string, number>();
      for (const event of found.events.slice(0, REPLAYED_EVENTS_MAX))
        for (const id of recipientsOf(current, event, selection.subscriptionId))
          shares.set(id, (shares.get(id) ?? 0) + 1);
      const bySubscription = [...shares]
        .map(([subscriptionId, deliveries]) => ({ subscriptionId, deliveries }))
        .sort((a, b) => b.deliveries - a.deliveries || a.subscriptionId.localeCompare(b.subscriptionId));
      return {
        events: countOf(found),
        deliveries: bySubscription.reduce((sum, share) => sum + share.deliveries, 0),
        bySubscription,
      };
    },

    /** All that match, oldest first; throws ReplayCountDiffers unless they are as many as expected. */
    many: async (
      request: FastifyRequest,
      applicationId: string,
      selection: ReplaySelection,
      expected: number,
    ): Promise<Replayed & { readonly hasMore: boolean }> => {
      const found = await find(applicationId, selection);
      const { value, isExact } = countOf(found);
      if (value !== expected)
        throw new Problem(
          'ReplayCountDiffers',
          `${value} events match by now, not ${expected}; look at the preview again, then replay that many.`,
        );
      const current = await configuration.freshApplication(applicationId);
      const done: Replayed[] = [];
      for (let at = 0; at < value; at += EVENTS_AT_ONCE) {
        const batch = found.events.slice(at, Math.min(value, at + EVENTS_AT_ONCE));
        done.push(await replayBatch(request, applicationId, batch, current, selection.subscriptionId));
      }
      return { ...sumOf(done), hasMore: !isExact };
    },
  };
};

export type Replays = ReturnType<typeof createReplays>;
