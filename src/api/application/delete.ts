import type { FastifyRequest } from 'fastify';
import { applicationDecider } from '../../domain/application/decider.ts';
import type { ApplicationEvent } from '../../domain/application/events.ts';
import { subscriptionDecider } from '../../domain/subscription/decider.ts';
import type { SubscriptionEvent } from '../../domain/subscription/events.ts';
import { TooContended } from '../../eventstore/command-handler.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import type { RecordedEvent, StreamAppend } from '../../eventstore/types.ts';
import { projectConfiguration } from '../../projections/configuration/projections.ts';
import { listSubscriptions } from '../../projections/configuration/queries.ts';
import { PAGE_MAX } from '../../projections/page.ts';
import type { ApiDeps } from '../deps.ts';
import { metadataOf } from '../scope.ts';

const TRIES_MAX = 20;

type Ids = { readonly applicationId: string; readonly organizationId: string };

/**
 * Deletes an application and its subscriptions in one append. It is refused when the configuration has moved since the
 * subscriptions were listed, so that none that is created meanwhile is left behind.
 */
export const createDeleteApplication = ({ pool, log, reader, partitions, now }: ApiDeps) => {
  const subscriptionIdsOf = async (applicationId: string): Promise<string[]> => {
    const ids: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await listSubscriptions(pool, applicationId, { limit: PAGE_MAX, cursor });
      ids.push(...page.rows.map(({ subscriptionId }) => subscriptionId));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    return ids;
  };

  return async (request: FastifyRequest, { applicationId, organizationId }: Ids): Promise<void> => {
    const partition = partitionOf(applicationId, partitions);
    const streamId = `application:${applicationId}`;
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const head = (await reader.heads()).find((other) => other.partition === partition);
      const subscriptionIds = await subscriptionIdsOf(applicationId);
      const names = [streamId, ...subscriptionIds.map((id) => `subscription:${id}`)];
      const history = Map.groupBy(
        await reader.readStreams(names.map((name) => ({ partition, streamId: name }))),
        (event) => event.streamId,
      );
      const metadata = { now: now() };
      const deleteApplication = decideOn(history.get(streamId), (past) =>
        applicationDecider.decide(
          { type: 'DeleteApplication', data: { applicationId }, metadata },
          (past as unknown as ApplicationEvent[]).reduce(applicationDecider.evolve, applicationDecider.initialState()),
        ),
      );
      const deleteSubscription = (subscriptionId: string) => (past: readonly RecordedEvent[]) =>
        subscriptionDecider.decide(
          { type: 'DeleteSubscription', data: { subscriptionId, applicationId, organizationId }, metadata },
          (past as unknown as SubscriptionEvent[]).reduce(
            subscriptionDecider.evolve,
            subscriptionDecider.initialState(),
          ),
        );
      const streams: StreamAppend[] = [
        { streamId, partition, ...deleteApplication },
        ...subscriptionIds.map((id) => ({
          streamId: `subscription:${id}`,
          partition,
          ...decideOn(history.get(`subscription:${id}`), deleteSubscription(id)),
        })),
      ].filter(({ events }) => events.length > 0);
      if (streams.length === 0) return;
      const result = await log.append({
        streams,
        metadata: metadataOf(request),
        routedWith: { partition, configurationPosition: head?.configurationPosition ?? 0 },
        movesConfiguration: true,
        project: projectConfiguration,
      });
      if (result.kind === 'appended') return;
    }
    throw new TooContended(streamId);
  };
};

type Decided = { type: string; data: Record<string, unknown> };

const decideOn = (
  past: readonly RecordedEvent[] = [],
  decide: (past: readonly RecordedEvent[]) => Decided | Decided[],
): { expectedVersion: number; events: Decided[] } => ({
  expectedVersion: past.at(-1)?.streamVersion ?? 0,
  events: [decide(past)].flat(),
});
