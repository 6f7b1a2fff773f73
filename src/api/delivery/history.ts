import { notFound } from '../../domain/refusals.ts';
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
