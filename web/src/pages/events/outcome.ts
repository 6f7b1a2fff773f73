import { writeCount } from '../../ui/instant.ts';

type Delivery = { readonly status: string };

/** How an event's deliveries stand together: the worst gives the mark. */
export const outcomeOf = (deliveries: readonly Delivery[]): { readonly status: string; readonly words: string } => {
  const of = (status: string): number => deliveries.filter((delivery) => delivery.status === status).length;
  if (deliveries.length === 0) return { status: 'CANCELLED', words: 'To nobody' };
  const worst = ['DEAD_LETTERED', 'PENDING', 'CANCELLED'].find((status) => of(status) > 0) ?? 'SUCCEEDED';
  return { status: worst, words: `${writeCount(of('SUCCEEDED'))} of ${writeCount(deliveries.length)} delivered` };
};
