import type { AttemptResult, DeliveryEvent } from '../../domain/delivery/events.ts';
import type { RecordedEvent } from '../../eventstore/types.ts';
import type { RequestAttemptRecord } from '../request-attempt/queries.ts';
import type { DeliveryRecord } from './queries.ts';

export type DeliveryHistory = {
  readonly delivery: DeliveryRecord;
  /** Oldest first. Without descriptions of subscriptions, which are not in the stream. */
  readonly attempts: readonly RequestAttemptRecord[];
};

type Recorded = DeliveryEvent & Pick<RecordedEvent, 'partition' | 'position'>;
type Scheduled = Extract<DeliveryEvent, { type: 'AttemptScheduled' }>['data'];

/**
 * A delivery and its attempts out of its stream, or out of the beginning of it: what the read models hold once they have
 * applied just that. Undefined for a stream that does not begin with an attempt.
 */
export const foldDelivery = (stream: readonly RecordedEvent[]): DeliveryHistory | undefined => {
  const [first, ...rest] = stream as unknown as readonly Recorded[];
  if (first?.type !== 'AttemptScheduled') return undefined;
  const begun = { delivery: begin(first, first.data), attempts: [scheduledAttempt(first, first.data)] };
  return rest.reduce<DeliveryHistory>((history, event) => fold(history, event), begun);
};

const fold = ({ delivery, attempts }: DeliveryHistory, event: Recorded): DeliveryHistory => ({
  delivery: { ...delivery, ...changeOfDelivery(event), position: event.position },
  attempts:
    event.type === 'AttemptScheduled' ? [...attempts, scheduledAttempt(event, event.data)] : withLast(attempts, event),
});

const withLast = (attempts: readonly RequestAttemptRecord[], event: Recorded): readonly RequestAttemptRecord[] => {
  const last = attempts.at(-1);
  const change = changeOfAttempt(event);
  return last === undefined || change === undefined || last.outcome !== null
    ? attempts
    : [...attempts.slice(0, -1), { ...last, ...change }];
};

const begin = ({ partition, position }: Recorded, data: Scheduled): DeliveryRecord => ({
  deliveryId: data.deliveryId,
  applicationId: data.applicationId,
  organizationId: data.organizationId,
  subscriptionId: data.subscriptionId,
  eventId: data.eventId,
  eventType: data.eventType,
  status: 'pending',
  reason: null,
  attempts: data.attemptNumber,
  lastAttemptId: data.attemptId,
  dueAt: new Date(data.dueAt),
  createdAt: new Date(data.scheduledAt),
  updatedAt: new Date(data.scheduledAt),
  partition,
  position,
});

const changeOfDelivery = (event: Recorded): Partial<DeliveryRecord> => {
  switch (event.type) {
    case 'AttemptScheduled': {
      const { attemptNumber, attemptId, dueAt, scheduledAt } = event.data;
      const standing = {
        status: 'pending',
        reason: null,
        dueAt: new Date(dueAt),
        updatedAt: new Date(scheduledAt),
      } as const;
      return { ...standing, attempts: attemptNumber, lastAttemptId: attemptId };
    }
    case 'AttemptRescheduled':
      return { dueAt: new Date(event.data.dueAt), updatedAt: new Date(event.data.rescheduledAt) };
    case 'AttemptFailed':
      return { updatedAt: new Date(event.data.finishedAt) }; // What follows from it is its own domain event.
    case 'AttemptSucceeded':
      return { status: 'succeeded', reason: null, dueAt: null, updatedAt: new Date(event.data.finishedAt) };
    case 'DeliveryDeadLettered': {
      const { reason, deadLetteredAt } = event.data;
      return { status: 'dead_lettered', reason, dueAt: null, updatedAt: new Date(deadLetteredAt) };
    }
    case 'DeliveryCancelled': {
      const { reason, cancelledAt } = event.data;
      return { status: 'cancelled', reason, dueAt: null, updatedAt: new Date(cancelledAt) };
    }
    default:
      event satisfies never;
      return {}; // Written by a newer release during a rolling deploy.
  }
};

const scheduledAttempt = ({ partition }: Recorded, data: Scheduled): RequestAttemptRecord => ({
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
const changeOfAttempt = (event: DeliveryEvent): Partial<RequestAttemptRecord> | undefined => {
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
