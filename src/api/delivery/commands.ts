import type { FastifyRequest } from 'fastify';
import { type Delivery, deliveryDecider } from '../../domain/delivery/decider.ts';
import type { DeliveryCommand, DeliveryEvent } from '../../domain/delivery/events.ts';
import type { IngestedEvent } from '../../domain/event/events.ts';
import { deliveryId as deliveryIdOf, uuidv7 } from '../../domain/event/ids.ts';
import type { Along } from '../../eventstore/command-handler.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import { findSubscription } from '../../projections/configuration/queries.ts';
import { addPending, postponePending, settlePending } from '../../worklist/pending-delivery.ts';
import type { ApiDeps } from '../deps.ts';
import { pendingOf } from '../ingest/ingest.ts';
import { Problem } from '../problems.ts';
import { metadataOf } from '../scope.ts';

type Ids = { readonly deliveryId: string; readonly subscriptionId: string; readonly eventId: string };

/** What people do to deliveries; the work list moves in the same append as the delivery's stream. */
export const createDeliveryCommands = ({ handle, reader, pool, partitions, now }: ApiDeps) => {
  const run = (
    request: FastifyRequest,
    { deliveryId, subscriptionId, eventId }: Ids,
    command: DeliveryCommand,
    along: (event: DeliveryEvent, state: Delivery, version: number, partition: number) => Along | Promise<Along>,
  ) => {
    const partition = partitionOf(subscriptionId, partitions);
    return handle<Delivery, DeliveryCommand, DeliveryEvent>(
      deliveryDecider,
      { streamId: `delivery:${deliveryId}`, partition },
      command,
      metadataOf(request, eventId),
      (events, state, version) => {
        const [event] = events;
        if (!event) throw new Error(`A command on delivery ${deliveryId} decided nothing and asked for company.`);
        return along(event, state, version, partition);
      },
    );
  };

  /** The attempt that waits becomes due; refused, and so decided anew, when it was settled meanwhile. */
  const rescheduled = (event: DeliveryEvent, state: Delivery, partition: number): Along => {
    if (event.type !== 'AttemptRescheduled' || state.status !== 'pending')
      throw new Error(`${event.type} moves no waiting attempt.`);
    const { deliveryId, attemptId, attemptNumber, dueAt } = event.data;
    const { retryCount } = state.attempt;
    const next = { attemptId, attemptNumber, retryCount, dueAt };
    return { guard: postponePending({ partition, deliveryId, attemptNumber, next, added: 1 }) };
  };

  /** Where the configuration stands, and that the subscription is active there; the append is refused once it moves. */
  const whileActive = async (applicationId: string, subscriptionId: string) => {
    const partition = partitionOf(applicationId, partitions);
    const head = (await reader.heads()).find((other) => other.partition === partition);
    const subscription = await findSubscription(pool, subscriptionId);
    if (subscription?.settings.isEnabled !== true)
      throw new Problem('SubscriptionInactive', `Subscription ${subscriptionId} is disabled or deleted.`);
    return { partition, configurationPosition: head?.configurationPosition ?? 0 };
  };

  /** Throws SubscriptionInactive. */
  const replay = async (request: FastifyRequest, event: IngestedEvent, subscriptionId: string): Promise<void> => {
    const { applicationId, organizationId, eventId, eventType, receivedAt } = event;
    const at = now();
    const deliveryId = deliveryIdOf({ applicationId, eventId, subscriptionId, receivedAt });
    await run(
      request,
      { deliveryId, subscriptionId, eventId },
      {
        type: 'ReplayDelivery',
        data: {
          deliveryId,
          applicationId,
          organizationId,
          eventId,
          subscriptionId,
          eventType,
          attemptId: uuidv7(at.getTime()),
        },
        metadata: { now: at },
      },
      async (decided, state, version, partition) => {
        const routedWith = await whileActive(applicationId, subscriptionId);
        if (decided.type !== 'AttemptScheduled') return { ...rescheduled(decided, state, partition), routedWith };
        const { configurationPosition } = routedWith;
        const pending = pendingOf(decided.data, {
          partition,
          streamVersion: version + 1,
          event: { ...event, configurationPosition },
        });
        return { routedWith, writes: [addPending(pending)] };
      },
    );
  };

  return {
    replay,
    /** False when the subscription is not active any more. */
    replayIfActive: async (request: FastifyRequest, event: IngestedEvent, subscriptionId: string): Promise<boolean> => {
      try {
        await replay(request, event, subscriptionId);
        return true;
      } catch (error) {
        if (error instanceof Problem && error.id === 'SubscriptionInactive') return false;
        throw error;
      }
    },
    retry: (request: FastifyRequest, ids: Ids) =>
      run(
        request,
        ids,
        { type: 'RetryNow', data: { deliveryId: ids.deliveryId }, metadata: { now: now() } },
        (event, state, _version, partition) => rescheduled(event, state, partition),
      ),
    cancel: (request: FastifyRequest, ids: Ids) =>
      run(
        request,
        ids,
        {
          type: 'CancelDelivery',
          data: { deliveryId: ids.deliveryId, reason: 'request' },
          metadata: { now: now() },
        },
        (_event, state, _version, partition) => {
          if (state.status !== 'pending') throw new Error(`Delivery ${ids.deliveryId} was cancelled though over.`);
          const { deliveryId, attemptNumber } = state.attempt;
          return { guard: settlePending({ partition, deliveryId, attemptNumber }) };
        },
      ),
  };
};
