import type { DeadLetterGroup, DeadLetterRecord } from '../../projections/dead-letter/queries.ts';
import { subscriptionSeen } from './application.ts';
import { type Seen, see } from './context.ts';
import { deliverySeen } from './delivery.ts';
import type { Fields } from './schema.ts';

type DeadLetter = Seen<DeadLetterRecord>;

export const deadLetterFields: Fields = {
  DeadLetter: {
    attemptCount: ({ attempts }: DeadLetter) => attempts,
    subscription: ({ moment, applicationId, subscriptionId }: DeadLetter) =>
      subscriptionSeen(moment, applicationId, subscriptionId),
    delivery: async (letter: DeadLetter) => see(letter.moment, (await deliverySeen(letter)).delivery),
  },
  DeadLetterGroup: {
    subscription: ({ moment, applicationId, subscriptionId }: Seen<DeadLetterGroup>) =>
      subscriptionSeen(moment, applicationId, subscriptionId),
  },
};
