import { plural, writeCount } from '../../ui/instant.ts';
import type { Event } from './queries.ts';

/** What has become of the event, in a sentence. */
export const findingOf = ({ eventType, deliveries }: Event): string => {
  if (deliveries.length === 0) return `${eventType} went to no subscription`;
  const count = (status: string): number => deliveries.filter((delivery) => delivery.status === status).length;
  const delivered = count('SUCCEEDED');
  if (delivered === deliveries.length)
    return delivered === 1
      ? `${eventType} was delivered`
      : `${eventType} was delivered to all ${writeCount(delivered)}`;
  const rest = [
    [count('PENDING'), 'pending'],
    [count('DEAD_LETTERED'), 'given up'],
    [count('CANCELLED'), 'cancelled'],
  ] as const;
  const words = rest.filter(([number]) => number > 0).map(([number, word]) => `${writeCount(number)} ${word}`);
  return `${eventType}: ${writeCount(delivered)} of ${plural(deliveries.length, 'delivery', 'deliveries')} delivered, ${words.join(', ')}`;
};
