import { notFound } from '../../domain/refusals.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import type { LogReader } from '../../eventstore/read.ts';
import type { Cut } from '../../projections/as-of/cut.ts';
import { upTo } from '../../projections/as-of/past.ts';
import { type DeliveryHistory, foldDelivery } from '../../projections/delivery/fold.ts';

export type { DeliveryHistory } from '../../projections/delivery/fold.ts';

/**
 * A delivery and its attempts from its stream, which knows of a change the moment it is made; with a cut, as they were then.
 * Throws NotFound.
 */
export const readDelivery = async (reader: LogReader, deliveryId: string, cut?: Cut): Promise<DeliveryHistory> => {
  const found = foldDelivery(upTo(await reader.readStream(`delivery:${deliveryId}`), cut));
  if (!found) throw notFound('delivery', deliveryId);
  return found;
};

/** The same for many deliveries in one statement, by id; unknown ones are missing. */
export const readDeliveries = async (
  { reader, partitions }: { readonly reader: LogReader; readonly partitions: number },
  keys: readonly { readonly deliveryId: string; readonly subscriptionId: string }[],
): Promise<Map<string, DeliveryHistory>> => {
  const recorded = await reader.readStreams(
    keys.map(({ deliveryId, subscriptionId }) => ({
      streamId: `delivery:${deliveryId}`,
      partition: partitionOf(subscriptionId, partitions),
    })),
  );
  const streams = Map.groupBy(recorded, ({ streamId }) => streamId);
  return new Map(
    keys.flatMap(({ deliveryId }) => {
      const history = foldDelivery(streams.get(`delivery:${deliveryId}`) ?? []);
      return history ? [[deliveryId, history] as const] : [];
    }),
  );
};
