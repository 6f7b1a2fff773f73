import { failureWords, reasonWords } from '../../ui/failure.ts';
import { plural, writeRelative } from '../../ui/instant.ts';
import type { Attempt, Delivery } from './queries.ts';

const ORDINALS = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth', 'ninth', 'tenth'];

const ordinal = (number: number): string => {
  const word = ORDINALS[number - 1];
  if (word) return word;
  const ending = number % 100 >= 11 && number % 100 <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][number % 10] ?? 'th');
  return `${number}${ending}`;
};

const made = (attempts: readonly Attempt[]): number => attempts.filter(({ startedAt }) => startedAt !== null).length;

const waitingHeadline = (attempt: Attempt | undefined, nowMs: number): string => {
  if (!attempt) return 'Pending: no attempt is scheduled yet';
  const { attemptNumber, status, dueAt } = attempt;
  if (status === 'IN_PROGRESS') return `Attempt ${attemptNumber} is under way`;
  if (new Date(dueAt).getTime() <= nowMs) return `Attempt ${attemptNumber} is due`;
  return `Waiting for attempt ${attemptNumber}, due ${writeRelative(dueAt, nowMs)}`;
};

/** The attempt that is still to come or under way. */
export const openAttempt = ({ attempts }: Delivery): Attempt | undefined =>
  attempts.findLast(({ status }) => status === 'WAITING' || status === 'PENDING' || status === 'IN_PROGRESS');

/** What has become of the delivery, in a sentence. */
export const findingOf = (delivery: Delivery, nowMs: number): string => {
  const { attempts, status, reason } = delivery;
  const last = attempts.findLast(({ finishedAt, startedAt }) => finishedAt !== null && startedAt !== null);
  switch (status) {
    case 'SUCCEEDED':
      return `Delivered at the ${ordinal(last?.attemptNumber ?? delivery.attemptCount)} attempt`;
    case 'DEAD_LETTERED':
      return `Given up after ${plural(made(attempts), 'attempt')}: ${last ? failureWords(last) : reasonWords(reason)}`;
    case 'CANCELLED':
      return `Cancelled after ${plural(made(attempts), 'attempt')}: ${reasonWords(reason)}`;
    case 'PENDING':
      return waitingHeadline(openAttempt(delivery), nowMs);
  }
};
