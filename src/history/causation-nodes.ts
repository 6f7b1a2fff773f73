import type { EventEvent } from '../domain/event/events.ts';
import { testedSubscriptionOf } from '../domain/event/test-event.ts';
import type { RecordedEvent } from '../eventstore/types.ts';
import { type Cause, type CausedAttempt, type CausedDelivery, causeOf } from './causation.ts';

/** One step of what an event caused. */
export type CausationNode = {
  /** The same whenever it is asked for, and no other of the event has it. */
  readonly id: string;
  /** Null for the first. */
  readonly causeId: string | null;
  readonly kind: 'command' | 'routing' | 'replay' | 'delivery' | 'attempt';
  readonly summary: string;
  readonly at: Date;
  /** Null for what Posthorn does of itself. */
  readonly actor: string | null;
  /** How it ended; null for what has no end, or has not ended. */
  readonly outcome: string | null;
  /** Of its domain event; null where it has none. */
  readonly place: { readonly partition: number; readonly position: number } | null;
};

const subscriptions = (number: number): string => `${number} subscription${number === 1 ? '' : 's'}`;

/**
 * All steps as a flat list, a cause before what it caused; pure. `stream` is that of the event, or the beginning of it. An
 * attempt follows from its delivery, from the attempt that failed before it, or from the replay that asked for it.
 */
export const causationNodesOf = (
  stream: readonly RecordedEvent[],
  deliveries: readonly CausedDelivery[],
): CausationNode[] => {
  const [first, ...rest] = stream;
  const { type, data } = (first ?? {}) as unknown as EventEvent;
  if (!first || type !== 'EventIngested') return [];
  const command = causeOf(first);
  const replays = rest
    .filter((event) => event.type === 'EventReplayed')
    .map((replayed, index) => replayOf(replayed, `replay:${index + 1}`));
  /** The first: a request replays an event once. */
  const replayIds = new Map(replays.map(({ cause, node }) => [cause.causationId, node.id] as const).toReversed());
  return [
    {
      id: 'command',
      causeId: null,
      kind: 'command',
      summary: `Event ${data.eventType} sent`,
      at: command.at,
      actor: command.actor,
      outcome: null,
      place: null,
    },
    {
      id: 'routing',
      causeId: 'command',
      kind: 'routing',
      summary:
        testedSubscriptionOf(data) === undefined
          ? `Matched ${subscriptions(data.deliveries)}`
          : 'A test of one subscription',
      at: command.at,
      actor: null,
      outcome: null,
      place: placeOf(command),
    },
    ...replays.map(({ node }) => node),
    ...deliveries.flatMap((delivery) => nodesOfDelivery(delivery, replayIds)),
  ];
};

const placeOf = ({ partition, position }: Cause) => ({ partition, position });

const replayOf = (event: RecordedEvent, id: string): { cause: Cause; node: CausationNode } => {
  const cause = causeOf(event);
  const { type, data } = event as unknown as EventEvent;
  const number = type === 'EventReplayed' ? data.deliveries : 0;
  const summary = `Replayed to ${subscriptions(number)}`;
  const { at, actor } = cause;
  const place = placeOf(cause);
  return { cause, node: { id, causeId: 'command', kind: 'replay', summary, at, actor, outcome: null, place } };
};

const nodesOfDelivery = (
  { delivery, attempts, begun }: CausedDelivery,
  replayIds: ReadonlyMap<string, string>,
): CausationNode[] => {
  const id = `delivery:${delivery.deliveryId}`;
  const nodes: CausationNode[] = [
    {
      id,
      causeId: begun.trigger === 'replay' ? (replayIds.get(begun.cause.causationId) ?? 'routing') : 'routing',
      kind: 'delivery',
      summary: `Owed to subscription ${delivery.subscriptionId}`,
      at: delivery.createdAt,
      actor: null,
      outcome: delivery.status === 'pending' ? null : delivery.status,
      place: placeOf(begun.cause),
    },
  ];
  let before: string | undefined;
  for (const caused of attempts) {
    const { attempt, trigger, cause } = caused;
    const attemptId = `attempt:${attempt.requestAttemptId}`;
    let causeId = trigger === 'retry' ? (before ?? id) : id;
    // The delivery itself may have begun with the replay; a later one is the cause of its attempt.
    if (trigger === 'replay' && attempt.requestAttemptId !== begun.attemptId) {
      const replayId = replayIds.get(cause.causationId);
      causeId = replayId ?? `replay:${attempt.requestAttemptId}`;
      if (replayId === undefined)
        nodes.push({
          id: causeId,
          causeId: id,
          kind: 'replay',
          summary: 'Delivery replayed',
          at: cause.at,
          actor: cause.actor,
          outcome: null,
          place: null,
        });
    }
    nodes.push({
      id: attemptId,
      causeId,
      kind: 'attempt',
      summary: summaryOf(caused),
      at: cause.at,
      actor: cause.actor,
      outcome: attempt.outcome,
      place: placeOf(cause),
    });
    before = attemptId;
  }
  return nodes;
};

const summaryOf = ({ attempt }: CausedAttempt): string => {
  const { attemptNumber, outcome, httpStatus, reason, dueAt } = attempt;
  const why = httpStatus ?? reason?.replaceAll('_', ' ');
  if (outcome === null) return `Attempt ${attemptNumber}, due ${dueAt.toISOString()}`;
  return `Attempt ${attemptNumber} ${outcome === 'cancelled' ? 'was cancelled' : outcome}${why === undefined ? '' : `: ${why}`}`;
};
