import { writeCount } from '../../ui/instant.ts';

type Delivery = { readonly status: string };

const WORDS = [
  ['DEAD_LETTERED', 'given up'],
  ['PENDING', 'pending'],
  ['CANCELLED', 'cancelled'],
] as const;

/** How an event's deliveries stand together: the worst gives the mark. */
export const outcomeOf = (deliveries: readonly Delivery[]): { readonly status: string; readonly words: string } => {
  const of = (status: string): number => deliveries.filter((delivery) => delivery.status === status).length;
  if (deliveries.length === 0) return { status: 'CANCELLED', words: 'To nobody' };
  const delivered = `${writeCount(of('SUCCEEDED'))} of ${writeCount(deliveries.length)} delivered`;
  const worst = WORDS.find(([status]) => of(status) > 0);
  return worst
    ? { status: worst[0], words: `${delivered}, ${writeCount(of(worst[0]))} ${worst[1]}` }
    : { status: 'SUCCEEDED', words: delivered };
};
