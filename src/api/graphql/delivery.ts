import { notFound } from '../../domain/refusals.ts';
import type { DeliveryRecord } from '../../projections/delivery/queries.ts';
import { subscriptionSeen } from './application.ts';
import { type Seen, see } from './context.ts';
import { eventSeen } from './event.ts';
import { logPosition } from './position.ts';
import type { Fields } from './schema.ts';

type Delivery = Seen<DeliveryRecord>;

/** A delivery that something else names, so that it must be there; with its attempts. */
export const deliverySeen = async ({
  deliveryId,
  subscriptionId,
  moment,
}: Seen<{ readonly deliveryId: string; readonly subscriptionId: string }>) => {
  const found = await moment.loaders.delivery({ deliveryId, subscriptionId });
  if (!found) throw notFound('delivery', deliveryId);
  return found;
};

export const deliveryFields: Fields = {
  Delivery: {
    id: ({ deliveryId }: Delivery) => deliveryId,
    status: ({ status }: Delivery) => status.toUpperCase(),
    attemptCount: ({ attempts }: Delivery) => attempts,
    position: (place: Delivery) => logPosition(place),
    subscription: ({ moment, applicationId, subscriptionId }: Delivery) =>
      subscriptionSeen(moment, applicationId, subscriptionId),
    event: (delivery: Delivery) => eventSeen(delivery),
    attempts: async (delivery: Delivery) => {
      const { attempts } = await deliverySeen(delivery);
      return attempts.map((attempt) => see(delivery.moment, attempt));
    },
  },
};
