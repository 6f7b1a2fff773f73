import type { Pool } from 'pg';
import { partitionOf } from '../../eventstore/partition.ts';
import type { BodyChanged, Vault } from '../../vault/vault.ts';
import { findPayloads } from '../../worklist/payload.ts';
import type { PendingDelivery } from '../../worklist/pending-delivery.ts';

type Waiting = {
  readonly pending: PendingDelivery;
  readonly resolve: (body: Buffer | BodyChanged | undefined) => void;
  readonly reject: (error: unknown) => void;
};

const BATCH_MAX = 100;

/** Loads payloads that were not handed over in memory; those asked for in the same turn share a query. */
export const createPayloadLoader = ({
  pool,
  vault,
  partitions,
}: {
  pool: Pool;
  vault: Pick<Vault, 'openBody'>;
  partitions: number;
}) => {
  let waiting: Waiting[] = [];

  const load = async (batch: readonly Waiting[]): Promise<void> => {
    /** Why the data key of an organization cannot be had: that is nothing to the others of the batch. */
    const failures = new Map<string, unknown>();
    const openBody: Vault['openBody'] = (sealed) =>
      vault.openBody(sealed).catch((error: unknown) => {
        failures.set(sealed.organizationId, error);
        return undefined;
      });
    try {
      const bodies = await findPayloads(
        pool,
        { openBody },
        batch.map(({ pending }) => ({
          partition: partitionOf(pending.applicationId, partitions),
          organizationId: pending.organizationId,
          applicationId: pending.applicationId,
          eventId: pending.eventId,
          receivedAt: pending.receivedAt,
        })),
      );
      for (const { pending, resolve, reject } of batch) {
        if (failures.has(pending.organizationId)) reject(failures.get(pending.organizationId));
        else resolve(bodies.get(`${pending.applicationId}:${pending.eventId}`));
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  };

  const flush = (): void => {
    const all = waiting;
    waiting = [];
    for (let at = 0; at < all.length; at += BATCH_MAX) void load(all.slice(at, at + BATCH_MAX));
  };

  /** Undefined when the payload was dropped. */
  return (pending: PendingDelivery): Promise<Buffer | BodyChanged | undefined> =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) setImmediate(flush);
      waiting.push({ pending, resolve, reject });
    });
};
