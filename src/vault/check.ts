import type { Pool } from 'pg';
import { open } from './envelope.ts';
import type { EncryptionKey } from './vault.ts';

const ONE_OF_EACH = `
  SELECT DISTINCT ON (key_id) key_id, organization_id, wrapped, count(*) OVER (PARTITION BY key_id)::int AS count
  FROM data_key ORDER BY key_id, organization_id`;
type Wrapped = { key_id: string; organization_id: string; wrapped: Buffer; count: number };

/**
 * Rejects, with what to do, unless every data key can be unwrapped: whoever started without a key would find out delivery by delivery,
 * and give new organizations keys that other processes cannot open.
 */
export const checkEncryptionKeys = async (pool: Pick<Pool, 'query'>, keys: readonly EncryptionKey[]): Promise<void> => {
  const { rows } = await pool.query<Wrapped>(ONE_OF_EACH);
  for (const { key_id: id, organization_id: organizationId, wrapped, count } of rows) {
    const wrapping = keys.find((key) => key.id === id);
    const whose = `the data keys of ${count} organizations`;
    if (!wrapping)
      throw new Error(`POSTHORN_ENCRYPTION_KEYS lacks key ${id}, which wraps ${whose}. Add it, behind the first.`);
    try {
      open(wrapping.key, wrapped, organizationId);
    } catch {
      throw new Error(
        `POSTHORN_ENCRYPTION_KEYS has other bytes for key ${id} than those that wrap ${whose}. Put them back.`,
      );
    }
  }
};
