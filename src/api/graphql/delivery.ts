import { notFound } from '../../domain/refusals.ts';
import type { DeliveryRecord } from '../../projections/delivery/queries.ts';
import { itsSubscription } from './application.ts';
import { allow, type Context, type Seen, see } from './context.ts';
import { itsEvent } from './event.ts';
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

/** The same below something else, for whoever may read the delivery itself. */
export const itsDelivery = async (
  source: Seen<{ readonly applicationId: string; readonly deliveryId: string; readonly subscriptionId: string }>,
  _args: unknown,
  context: Context,
) => {
  allow(context, 'delivery:get', { applicationId: source.applicationId });
  return see(source.moment, (await deliverySeen(source)).delivery);
};

export const deliveryFields: Fields = {
  Delivery: {
    id: ({ deliveryId }: Delivery) => deliveryId,
    status: ({ status }: Delivery) => status.toUpperCase(),
    attemptCount: ({ attempts }: Delivery) => attempts,
    position: (place: Delivery) => logPosition(place),
    subscription: itsSubscription,
    event: itsEvent,
    attempts: async (delivery: Delivery, _args: unknown, context: Context) => {
      allow(context, 'delivery:get', { applicationId: delivery.applicationId });
      const { attempts } = await deliverySeen(delivery);
      return attempts.map((attempt) => see(delivery.moment, attempt));
    },
  },
};
