import { randomBytes } from 'node:crypto';
import type { Pool } from 'pg';
import type { BatchStatement, Write } from '../eventstore/types.ts';
import { open, seal } from './envelope.ts';

export type EncryptionKey = { readonly id: string; readonly key: Buffer };

const DATA_KEY_BYTES = 32;
/** Opened values kept in memory: one or two per subscription in use. */
const OPENED_MAX = 20_000;

const READ_DATA_KEY = 'SELECT key_id, wrapped FROM data_key WHERE organization_id = $1';
const ADD_DATA_KEY = `
  INSERT INTO data_key (organization_id, key_id, wrapped) VALUES ($1, $2, $3) ON CONFLICT (organization_id) DO NOTHING`;
const READ_SEALED = 'SELECT sealed_id, organization_id, ciphertext FROM sealed_value WHERE sealed_id = ANY($1::uuid[])';

type SealedRow = { readonly sealedId: string; readonly organizationId: string; readonly ciphertext: Buffer };

const INSERT_SEALED: BatchStatement<SealedRow> = {
  name: 'sealed_value',
  sql: `
    INSERT INTO sealed_value (sealed_id, organization_id, ciphertext)
    SELECT sealed_id, organization_id, decode(ciphertext, 'hex')
    FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS s (sealed_id, organization_id, ciphertext)`,
  parameters: (rows) => [
    rows.map((row) => row.sealedId),
    rows.map((row) => row.organizationId),
    rows.map((row) => row.ciphertext.toString('hex')),
  ],
};

export type Vault = {
  /** The row that keeps `plain` under `sealedId`, to be written in the append that names the id. */
  seal(value: { organizationId: string; sealedId: string; plain: string }): Promise<Write>;
  /** The values behind the ids; an id whose value or key was destroyed is missing from the answer. */
  open(sealedIds: readonly string[]): Promise<ReadonlyMap<string, string>>;
};

/** Values that must not be in the log, sealed under a data key per organization, which the first of `keys` wraps. */
export const createVault = ({ pool, keys }: { pool: Pool; keys: readonly EncryptionKey[] }): Vault => {
  const dataKeys = new Map<string, Buffer>();
  const opened = new Map<string, string>();
  const [newest] = keys;
  if (!newest) throw new Error('POSTHORN_ENCRYPTION_KEYS names no key.');

  const readDataKey = async (organizationId: string): Promise<Buffer | undefined> => {
    const known = dataKeys.get(organizationId);
    if (known) return known;
    const { rows } = await pool.query<{ key_id: string; wrapped: Buffer }>(READ_DATA_KEY, [organizationId]);
    const row = rows[0];
    if (!row) return undefined;
    const wrapping = keys.find(({ id }) => id === row.key_id);
    if (!wrapping)
      throw new Error(
        `The data key of organization ${organizationId} is wrapped by key ${row.key_id}, which POSTHORN_ENCRYPTION_KEYS lacks.`,
      );
    const dataKey = open(wrapping.key, row.wrapped, organizationId);
    dataKeys.set(organizationId, dataKey);
    return dataKey;
  };

  const dataKeyOf = async (organizationId: string): Promise<Buffer> => {
    const existing = await readDataKey(organizationId);
    if (existing) return existing;
    await pool.query(ADD_DATA_KEY, [
      organizationId,
      newest.id,
      seal(newest.key, randomBytes(DATA_KEY_BYTES), organizationId),
    ]);
    const made = await readDataKey(organizationId);
    if (!made) throw new Error(`No data key could be made for organization ${organizationId}.`);
    return made;
  };

  const contextOf = (organizationId: string, sealedId: string): string => `${organizationId} ${sealedId}`;

  return {
    seal: async ({ organizationId, sealedId, plain }) => {
      const dataKey = await dataKeyOf(organizationId);
      const ciphertext = seal(dataKey, Buffer.from(plain), contextOf(organizationId, sealedId));
      const row: SealedRow = { sealedId, organizationId, ciphertext };
      return { statement: INSERT_SEALED as BatchStatement<unknown>, row };
    },
    open: async (sealedIds) => {
      const missing = sealedIds.filter((id) => !opened.has(id));
      if (missing.length > 0) {
        const { rows } = await pool.query<{ sealed_id: string; organization_id: string; ciphertext: Buffer }>(
          READ_SEALED,
          [missing],
        );
        for (const row of rows) {
          const dataKey = await readDataKey(row.organization_id);
          if (!dataKey) continue;
          if (opened.size >= OPENED_MAX) opened.delete(opened.keys().next().value ?? '');
          opened.set(
            row.sealed_id,
            open(dataKey, row.ciphertext, contextOf(row.organization_id, row.sealed_id)).toString(),
          );
        }
      }
      return new Map(
        sealedIds.flatMap((id) => {
          const value = opened.get(id);
          return value === undefined ? [] : [[id, value] as const];
        }),
      );
    },
  };
};
