import { type Delivery, deliveryDecider } from '../../domain/delivery/decider.ts';
import type { AttemptResult, DeliveryEvent } from '../../domain/delivery/events.ts';
import { notFound } from '../../domain/refusals.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import type { LogReader } from '../../eventstore/read.ts';
import type { RecordedEvent } from '../../eventstore/types.ts';
import type { DeliveryRecord } from '../../projections/delivery/queries.ts';
import type { RequestAttemptRecord } from '../../projections/request-attempt/queries.ts';

export type DeliveryHistory = {
  readonly delivery: DeliveryRecord;
  /** Oldest first. */
  readonly attempts: readonly RequestAttemptRecord[];
};

/** A delivery and its attempts from its stream, which knows of a change the moment it is made; throws NotFound. */
export const readDelivery = async (reader: LogReader, deliveryId: string): Promise<DeliveryHistory> => {
  const found = historyOf(deliveryId, await reader.readStream(`delivery:${deliveryId}`));
  if (!found) throw notFound('delivery', deliveryId);
  return found;
};

/** The same for many deliveries in one statement, by id; unknown ones are missing. */
export const readDeliveries = async (
  { reader, partitions }: { readonly reader: LogReader; readonly partitions: number },
  keys: readonly { readonly deliveryId: string; readonly subscriptionId: string }[],
): Promise<Map<string, DeliveryHistory>> => {
  const recorded = await reader.readStreams(
    keys.map(({ deliveryId, subscriptionId }) => ({
      streamId: `delivery:${deliveryId}`,
      partition: partitionOf(subscriptionId, partitions),
    })),
  );
  const streams = Map.groupBy(recorded, ({ streamId }) => streamId);
  return new Map(
    keys.flatMap(({ deliveryId }) => {
      const history = historyOf(deliveryId, streams.get(`delivery:${deliveryId}`) ?? []);
      return history ? [[deliveryId, history] as const] : [];
    }),
  );
};

const historyOf = (deliveryId: string, recorded: readonly RecordedEvent[]): DeliveryHistory | undefined => {
  const [first] = recorded;
  const last = recorded.at(-1);
  const events = recorded as unknown as DeliveryEvent[];
  const scheduled = events[0];
  if (!first || !last || scheduled?.type !== 'AttemptScheduled') return undefined;
  const state = events.reduce(deliveryDecider.evolve, deliveryDecider.initialState());
  const attempts = events.reduce((folded, event) => fold(folded, event, first.partition), [] as RequestAttemptRecord[]);
  const { applicationId, organizationId, subscriptionId, eventId, eventType, scheduledAt } = scheduled.data;
  return {
    attempts,
    delivery: {
      deliveryId,
      applicationId,
      organizationId,
      subscriptionId,
      eventId,
      eventType,
      status: state.status === 'unknown' ? 'pending' : state.status,
      reason: reasonOf(events.at(-1)),
      attempts: attempts.length,
      lastAttemptId: attempts.at(-1)?.requestAttemptId ?? '',
      dueAt: dueAtOf(state),
      createdAt: new Date(scheduledAt),
      updatedAt: new Date(last.recordedAtMs),
      partition: first.partition,
      position: last.position,
    },
  };
};

const dueAtOf = (state: Delivery): Date | null => (state.status === 'pending' ? new Date(state.attempt.dueAt) : null);

const reasonOf = (last: DeliveryEvent | undefined): DeliveryRecord['reason'] =>
  last?.type === 'DeliveryDeadLettered' || last?.type === 'DeliveryCancelled' ? last.data.reason : null;

const fold = (attempts: RequestAttemptRecord[], event: DeliveryEvent, partition: number): RequestAttemptRecord[] => {
  const last = attempts.at(-1);
  if (event.type === 'AttemptScheduled') return [...attempts, scheduledAttempt(event.data, partition)];
  if (!last) return attempts;
  const change = changeOf(event);
  return change === undefined || last.outcome !== null ? attempts : [...attempts.slice(0, -1), { ...last, ...change }];
};

const scheduledAttempt = (
  data: Extract<DeliveryEvent, { type: 'AttemptScheduled' }>['data'],
  partition: number,
): RequestAttemptRecord => ({
  requestAttemptId: data.attemptId,
  deliveryId: data.deliveryId,
  applicationId: data.applicationId,
  organizationId: data.organizationId,
  eventId: data.eventId,
  eventType: data.eventType,
  subscriptionId: data.subscriptionId,
  subscriptionDescription: null,
  attemptNumber: data.attemptNumber,
  retryCount: data.retryCount,
  outcome: null,
  reason: null,
  message: null,
  httpStatus: null,
  response: null,
  timings: null,
  createdAt: new Date(data.scheduledAt),
  dueAt: new Date(data.dueAt),
  startedAt: null,
  finishedAt: null,
  partition,
});

/** What a domain event changes of the attempt that is not over. */
const changeOf = (event: DeliveryEvent): Partial<RequestAttemptRecord> | undefined => {
  switch (event.type) {
    case 'AttemptRescheduled':
      return { dueAt: new Date(event.data.dueAt) };
    case 'AttemptSucceeded':
      return { ...resultOf(event.data), outcome: 'succeeded' };
    case 'AttemptFailed':
      return { ...resultOf(event.data), outcome: 'failed', reason: event.data.reason, message: event.data.message };
    case 'DeliveryCancelled':
      return { outcome: 'cancelled', reason: event.data.reason, finishedAt: new Date(event.data.cancelledAt) };
    default:
      return undefined;
  }
};

const resultOf = (result: AttemptResult): Partial<RequestAttemptRecord> => ({
  httpStatus: result.httpStatus,
  response: result.response && { bodyBytes: result.response.bodyBytes, truncated: result.response.truncated },
  timings: result.timings,
  startedAt: new Date(result.startedAt),
  finishedAt: new Date(result.finishedAt),
});
