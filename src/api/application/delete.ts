import type { Command, Decider, Event } from '@event-driven-io/emmett';
import type { FastifyRequest } from 'fastify';
import { applicationDecider } from '../../domain/application/decider.ts';
import { subscriptionDecider } from '../../domain/subscription/decider.ts';
import { unlessUndone, untilDone } from '../../eventstore/command-handler.ts';
import { GuardUndone } from '../../eventstore/flush.ts';
import { fold } from '../../eventstore/fold.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import type { RunQuery, StreamAppend } from '../../eventstore/types.ts';
import { countSubscriptions } from '../../projections/configuration/lists.ts';
import { projectConfiguration } from '../../projections/configuration/projections.ts';
import { listSubscriptions } from '../../projections/configuration/queries.ts';
import { PAGE_MAX, queryableWithin } from '../../projections/page.ts';
import type { ApiDeps } from '../deps.ts';
import { metadataOf } from '../scope.ts';

type Ids = { readonly applicationId: string; readonly organizationId: string };

/**
 * Deletes an application and its subscriptions in one append. Nobody makes a subscription while the head of its log partition is
 * locked: so one that was made since they were listed is seen there, and all begins anew.
 */
export const createDeleteApplication = ({ pool, log, reader, turns, partitions, now }: ApiDeps) => {
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

  const requireNoSubscription = async (run: RunQuery, applicationId: string): Promise<void> => {
    if ((await countSubscriptions(queryableWithin(run), applicationId, {}, 1)) > 0)
      throw new GuardUndone(applicationId);
  };

  /** True once it is deleted, undefined when something of it was changed or made meanwhile. */
  const attempt = async (request: FastifyRequest, { applicationId, organizationId }: Ids) => {
    const partition = partitionOf(applicationId, partitions);
    const streamId = `application:${applicationId}`;
    const subscriptionIds = await subscriptionIdsOf(applicationId);
    const names = [streamId, ...subscriptionIds.map((id) => `subscription:${id}`)];
    const history = Map.groupBy(
      await reader.readStreams(names.map((name) => ({ partition, streamId: name }))),
      (event) => event.streamId,
    );
    const metadata = { now: now() };
    /** What a command appends to its stream. */
    const decided = <State, C extends Command, E extends Event>(
      name: string,
      decider: Decider<State, C, E>,
      command: C,
    ): StreamAppend => {
      const { state, version } = fold(decider, history.get(name));
      return { streamId: name, partition, expectedVersion: version, events: [decider.decide(command, state)].flat() };
    };
    const streams = [
      decided(streamId, applicationDecider, { type: 'DeleteApplication', data: { applicationId }, metadata }),
      ...subscriptionIds.map((subscriptionId) =>
        decided(`subscription:${subscriptionId}`, subscriptionDecider, {
          type: 'DeleteSubscription',
          data: { subscriptionId, applicationId, organizationId },
          metadata,
        }),
      ),
    ].filter(({ events }) => events.length > 0);
    if (streams.length === 0) return true;
    const result = await unlessUndone(
      log.append({
        streams,
        metadata: metadataOf(request),
        movesConfiguration: true,
        project: async (events, run) => {
          await projectConfiguration(events, run);
          await requireNoSubscription(run, applicationId);
        },
      }),
    );
    return result?.kind === 'appended' ? true : undefined;
  };

  return async (request: FastifyRequest, ids: Ids): Promise<void> => {
    const streamId = `application:${ids.applicationId}`;
    await turns.take(streamId, () => untilDone(streamId, () => attempt(request, ids)));
  };
};
