import type { DeadLetterRecord } from '../../projections/dead-letter/queries.ts';
import { itsSubscription } from './application.ts';
import type { Seen } from './context.ts';
import { itsDelivery } from './delivery.ts';
import type { Fields } from './schema.ts';

type DeadLetter = Seen<DeadLetterRecord>;

export const deadLetterFields: Fields = {
  DeadLetter: {
    attemptCount: ({ attempts }: DeadLetter) => attempts,
    subscription: itsSubscription,
    delivery: itsDelivery,
  },
  DeadLetterGroup: {
    subscription: itsSubscription,
  },
};
