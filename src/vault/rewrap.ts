import type { Pool } from 'pg';
import { open, seal } from './envelope.ts';
import type { EncryptionKey } from './vault.ts';

/** Data keys that are read at a time. */
const BATCH = 500;

const FIND = `
  SELECT organization_id, key_id, wrapped FROM data_key
  WHERE key_id <> $1 AND ($2::uuid IS NULL OR organization_id > $2) ORDER BY organization_id LIMIT ${BATCH}`;
/** Unless somebody else was quicker: both wrap the same data key. */
const REWRAP = `
  UPDATE data_key SET key_id = $2, wrapped = $3 WHERE organization_id = $1 AND key_id = $4`;
const COUNT = 'SELECT key_id, count(*)::int AS count FROM data_key GROUP BY key_id ORDER BY key_id';

/**
 * Wraps every data key with the first of the keys: what they seal stays as it is, and processes that have an older key go on.
 * Answers with how many it wrapped anew; throws for one that is wrapped by a key which is not among them.
 */
export const rewrapDataKeys = async (pool: Pick<Pool, 'query'>, keys: readonly EncryptionKey[]): Promise<number> => {
  const [newest] = keys;
  if (!newest) throw new Error('POSTHORN_ENCRYPTION_KEYS names no key.');
  let rewrapped = 0;
  for (let after: string | null = null; ; ) {
    const { rows }: { rows: { organization_id: string; key_id: string; wrapped: Buffer }[] } = await pool.query(FIND, [
      newest.id,
      after,
    ]);
    for (const { organization_id: organizationId, key_id: keyId, wrapped } of rows) {
      const wrapping = keys.find(({ id }) => id === keyId);
      if (!wrapping)
        throw new Error(
          `The data key of organization ${organizationId} is wrapped by key ${keyId}, which POSTHORN_ENCRYPTION_KEYS lacks. Add it behind the others.`,
        );
      const anew = seal(newest.key, open(wrapping.key, wrapped, organizationId), organizationId);
      const { rowCount } = await pool.query(REWRAP, [organizationId, newest.id, anew, keyId]);
      rewrapped += rowCount ?? 0;
    }
    after = rows.at(-1)?.organization_id ?? null;
    if (rows.length < BATCH) return rewrapped;
  }
};

/** How many data keys each key wraps, by its id: one that wraps none can be taken out of POSTHORN_ENCRYPTION_KEYS. */
export const countDataKeys = async (pool: Pick<Pool, 'query'>): Promise<ReadonlyMap<string, number>> => {
  const { rows } = await pool.query<{ key_id: string; count: number }>(COUNT);
  return new Map(rows.map(({ key_id: id, count }) => [id, count]));
};
