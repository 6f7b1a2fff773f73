import type { Decider } from '@event-driven-io/emmett';
import { DomainError } from '../errors.ts';
import { idTaken, notFound } from '../refusals.ts';
import type { DeadLetterReason, DeliveryCommand, DeliveryEvent, Scheduled } from './events.ts';
import { retryDelayMs } from './retry-schedule.ts';

type Ids = Pick<Scheduled, 'deliveryId' | 'applicationId' | 'organizationId' | 'eventId' | 'subscriptionId'>;
type AttemptIds = Ids & Pick<Scheduled, 'attemptId' | 'attemptNumber'>;

/** The attempt that is waiting, due or in flight; a worker holds it in memory. */
export type PendingAttempt = AttemptIds & Pick<Scheduled, 'eventType' | 'retryCount' | 'dueAt'>;

type Over = {
  readonly status: 'succeeded' | 'dead_lettered' | 'cancelled';
  readonly ids: Ids;
  /** Of the last attempt there was; a replay goes on counting. */
  readonly attemptNumber: number;
};

export type Delivery =
  | { readonly status: 'unknown' }
  | { readonly status: 'pending'; readonly attempt: PendingAttempt }
  | Over;

export type DeliveryCommandData<Type extends DeliveryCommand['type']> = Extract<
  DeliveryCommand,
  { type: Type }
>['data'];

/** A blocked target may be a passing fault of somebody's name server; three in a row are not. */
const BLOCKED_TRIES_MAX = 3;

const decide = (command: DeliveryCommand, state: Delivery): DeliveryEvent[] => {
  const { now } = command.metadata;
  if (command.type === 'ScheduleDelivery') return schedule(command.data, state, now);
  if (command.type === 'ReplayDelivery') return replay(command.data, state, now);
  if (state.status === 'unknown') throw notFound('delivery', command.data.deliveryId);
  switch (command.type) {
    case 'RecordSuccess':
      requireCurrent(state, command.data);
      return afterSuccess(command.data);
    case 'RecordFailure':
      return afterFailure(requireCurrent(state, command.data), command.data, now);
    case 'RetryNow':
      if (state.status !== 'pending') throw isOver(state.ids.deliveryId, state.status);
      return rescheduled(state.attempt, now);
    case 'CancelDelivery':
      if (state.status !== 'pending') return [];
      return [
        {
          type: 'DeliveryCancelled',
          data: { ...idsOf(state.attempt), reason: command.data.reason, cancelledAt: now.toISOString() },
        },
      ];
  }
};

/** What a success records. The caller vouches that the attempt is still the pending one. */
export const afterSuccess = (data: DeliveryCommandData<'RecordSuccess'>): DeliveryEvent[] => [
  { type: 'AttemptSucceeded', data: resultOf(data) },
];

/**
 * What a failure records: AttemptFailed, and the next attempt or the dead letter with it. The caller vouches that `pending`
 * is still the pending attempt, and the one that `data` is about.
 */
export const afterFailure = (
  pending: Pick<PendingAttempt, 'eventType' | 'retryCount'>,
  data: DeliveryCommandData<'RecordFailure'>,
  now: Date,
): DeliveryEvent[] => {
  const { reason, message, attemptNumber } = data;
  const ids = idsOf(data);
  const failed: DeliveryEvent = { type: 'AttemptFailed', data: { ...resultOf(data), reason, message } };
  const next = nextStep(pending.retryCount, data);
  if ('deadLetter' in next) {
    const deadLetter = { reason: next.deadLetter, attempts: attemptNumber, deadLetteredAt: now.toISOString() };
    return [failed, { type: 'DeliveryDeadLettered', data: { ...ids, ...deadLetter } }];
  }
  const finishedMs = Date.parse(data.finishedAt);
  const scheduled = {
    ...ids,
    attemptId: data.nextAttemptId,
    attemptNumber: attemptNumber + 1,
    eventType: pending.eventType,
    retryCount: pending.retryCount + 1,
    scheduledAt: new Date(finishedMs).toISOString(),
    dueAt: new Date(finishedMs + next.delayMs).toISOString(),
    trigger: 'retry',
  } as const;
  return [failed, { type: 'AttemptScheduled', data: scheduled }];
};

const nextStep = (
  retryCount: number,
  { reason, plan, random, retryAfterMs }: DeliveryCommandData<'RecordFailure'>,
): { deadLetter: DeadLetterReason } | { delayMs: number } => {
  if (reason === 'gone' || reason === 'payload_missing') return { deadLetter: reason };
  if (reason === 'blocked_target' && retryCount + 1 >= BLOCKED_TRIES_MAX) return { deadLetter: reason };
  const delayMs = retryDelayMs(plan, retryCount, random, retryAfterMs);
  return delayMs === null ? { deadLetter: 'retries_exhausted' } : { delayMs };
};

const schedule = (data: DeliveryCommandData<'ScheduleDelivery'>, state: Delivery, now: Date): DeliveryEvent[] => {
  if (state.status === 'unknown') return [started(data, 1, data.trigger, now)];
  if (owns(stateIds(state), data)) return []; // The id follows from what it is owed for: a repeat, not a second one.
  throw idTaken('delivery', data.deliveryId);
};

/** An event may be replayed to a subscription it never met: then this is the first attempt. */
const replay = (data: DeliveryCommandData<'ReplayDelivery'>, state: Delivery, now: Date): DeliveryEvent[] => {
  if (state.status === 'unknown') return [started(data, 1, 'replay', now)];
  if (!owns(stateIds(state), data)) throw notFound('delivery', data.deliveryId);
  if (state.status === 'pending') return rescheduled(state.attempt, now);
  return [started(data, state.attemptNumber + 1, 'replay', now)];
};

const started = (
  data: Ids & { readonly attemptId: string; readonly eventType: string },
  attemptNumber: number,
  trigger: 'ingest' | 'replay',
  now: Date,
): DeliveryEvent => {
  const { attemptId, eventType } = data;
  const at = now.toISOString();
  return {
    type: 'AttemptScheduled',
    data: {
      ...idsOf(data),
      attemptId,
      attemptNumber,
      eventType,
      retryCount: 0,
      scheduledAt: at,
      dueAt: at,
      trigger,
    },
  };
};

/** Quiet when the attempt is due already: it is on its way, or in flight. */
const rescheduled = (attempt: PendingAttempt, now: Date): DeliveryEvent[] => {
  if (Date.parse(attempt.dueAt) <= now.getTime()) return [];
  const { attemptId, attemptNumber } = attempt;
  const at = now.toISOString();
  const data = { ...idsOf(attempt), attemptId, attemptNumber, dueAt: at, rescheduledAt: at };
  return [{ type: 'AttemptRescheduled', data }];
};

/** Fences a late worker: a result counts only for the very attempt that is pending. */
const requireCurrent = (state: Exclude<Delivery, { status: 'unknown' }>, of: AttemptIds): PendingAttempt => {
  if (state.status !== 'pending') throw isOver(of.deliveryId, state.status);
  if (state.attempt.attemptNumber === of.attemptNumber) return state.attempt;
  throw isOver(of.deliveryId, `at attempt ${state.attempt.attemptNumber}, not ${of.attemptNumber}`);
};

const isOver = (deliveryId: string, where: string): DomainError =>
  new DomainError('DeliveryIsOver', `Delivery ${deliveryId} is ${where}. Replay it to send it again.`);

const owns = (ids: Ids, of: Ids): boolean =>
  ids.applicationId === of.applicationId &&
  ids.organizationId === of.organizationId &&
  ids.eventId === of.eventId &&
  ids.subscriptionId === of.subscriptionId;

const stateIds = (state: Exclude<Delivery, { status: 'unknown' }>): Ids =>
  state.status === 'pending' ? state.attempt : state.ids;

const idsOf = ({ deliveryId, applicationId, organizationId, eventId, subscriptionId }: Ids): Ids => ({
  deliveryId,
  applicationId,
  organizationId,
  eventId,
  subscriptionId,
});

/** Field by field: what else a command carries does not belong into the log. */
const resultOf = (data: DeliveryCommandData<'RecordSuccess'>): DeliveryCommandData<'RecordSuccess'> => ({
  ...idsOf(data),
  attemptId: data.attemptId,
  attemptNumber: data.attemptNumber,
  startedAt: data.startedAt,
  finishedAt: data.finishedAt,
  httpStatus: data.httpStatus,
  response: data.response,
  timings: data.timings,
});

/** Total: what is recorded has happened, so folding it never throws and never refuses. */
const evolve = (state: Delivery, event: DeliveryEvent): Delivery => {
  switch (event.type) {
    case 'AttemptScheduled': {
      const { attemptId, attemptNumber, eventType, retryCount, dueAt } = event.data;
      const attempt = { ...idsOf(event.data), attemptId, attemptNumber, eventType, retryCount, dueAt };
      return { status: 'pending', attempt };
    }
    case 'AttemptRescheduled':
      if (state.status !== 'pending' || state.attempt.attemptNumber !== event.data.attemptNumber) return state;
      return { status: 'pending', attempt: { ...state.attempt, dueAt: event.data.dueAt } };
    case 'AttemptFailed':
      return state; // What follows from it is its own domain event, in the same append.
    case 'AttemptSucceeded':
      return { status: 'succeeded', ids: idsOf(event.data), attemptNumber: event.data.attemptNumber };
    case 'DeliveryDeadLettered':
      return { status: 'dead_lettered', ids: idsOf(event.data), attemptNumber: event.data.attempts };
    case 'DeliveryCancelled':
      return { status: 'cancelled', ids: idsOf(event.data), attemptNumber: lastAttemptNumber(state) };
    default:
      event satisfies never;
      return state; // Written by a newer release during a rolling deploy.
  }
};

const lastAttemptNumber = (state: Delivery): number => {
  if (state.status === 'unknown') return 0;
  return state.status === 'pending' ? state.attempt.attemptNumber : state.attemptNumber;
};

export const deliveryDecider: Decider<Delivery, DeliveryCommand, DeliveryEvent> = {
  decide,
  evolve,
  initialState: () => ({ status: 'unknown' }),
};
