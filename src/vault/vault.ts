import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import type { Pool } from 'pg';
import { DomainError } from '../domain/errors.ts';
import type { BatchStatement, Write } from '../eventstore/types.ts';
import { openBody, sealBody } from './body.ts';
import { open, seal } from './envelope.ts';

export type EncryptionKey = { readonly id: string; readonly key: Buffer };

const DATA_KEY_BYTES = 32;
/**
 * A data key is read again after so long: one that was destroyed leaves the memory of every process, and one that a database lost, put
 * back to an earlier state under running processes, seals nothing more.
 */
const DATA_KEY_KEPT_MS = 30_000;
/** Opened values kept in memory: one or two per subscription in use. */
const OPENED_MAX = 20_000;

const READ_DATA_KEY = 'SELECT key_id, wrapped FROM data_key WHERE organization_id = $1';
/** Whatever is still under way for an organization that was erased must not give it a key again. */
const ADD_DATA_KEY = `
  INSERT INTO data_key (organization_id, key_id, wrapped)
  SELECT $1::uuid, $2, $3
  WHERE NOT EXISTS (SELECT FROM organization WHERE organization_id = $1::uuid AND erased_at IS NOT NULL)
  ON CONFLICT (organization_id) DO NOTHING`;
const READ_SEALED = 'SELECT sealed_id, organization_id, ciphertext FROM sealed_value WHERE sealed_id = ANY($1::uuid[])';

type Opened = { readonly sealedId: string; readonly organizationId: string; readonly plain: string };
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

/** Seals the bytes of a body; see {@link sealBody}. */
export type SealBody = (plain: Buffer, context: string) => Promise<Buffer>;

/** Found in the place of a body that was changed in the database, or belongs to another row: nothing can be told of what it was. */
export class BodyChanged extends Error {}

export type Vault = {
  /** The row that keeps `plain` under `sealedId`, to be written in the append that names the id. */
  seal(value: { organizationId: string; sealedId: string; plain: string }): Promise<Write>;
  /** The values behind the ids, in their order; an id whose value or key was destroyed is missing from the answer. */
  open(sealedIds: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** For bodies of this organization; its data key is made if it has none. */
  bodySealer(organizationId: string): Promise<SealBody>;
  /** Undefined when the key was destroyed. */
  openBody(body: {
    organizationId: string;
    sealed: Buffer;
    context: string;
  }): Promise<Buffer | BodyChanged | undefined>;
};

/** Values that must not be in the log, sealed under a data key per organization, which the first of `keys` wraps. */
export const createVault = ({
  pool,
  keys,
  dataKeyKeptMs = DATA_KEY_KEPT_MS,
  openedMax = OPENED_MAX,
}: {
  pool: Pool;
  keys: readonly EncryptionKey[];
  dataKeyKeptMs?: number;
  openedMax?: number;
}): Vault => {
  const dataKeys = new Map<string, { readonly readMs: number; readonly key: Promise<KeyObject | undefined> }>();
  const opened = new Map<string, Opened>();
  const [newest] = keys;
  if (!newest) throw new Error('POSTHORN_ENCRYPTION_KEYS names no key.');

  const readDataKey = async (organizationId: string): Promise<KeyObject | undefined> => {
    const { rows } = await pool.query<{ key_id: string; wrapped: Buffer }>(READ_DATA_KEY, [organizationId]);
    const row = rows[0];
    if (!row) return undefined;
    const wrapping = keys.find(({ id }) => id === row.key_id);
    if (!wrapping)
      throw new Error(
        `The data key of organization ${organizationId} is wrapped by key ${row.key_id}, which POSTHORN_ENCRYPTION_KEYS lacks.`,
      );
    return createSecretKey(open(wrapping.key, row.wrapped, organizationId));
  };

  /** Those who ask at the same time share a query. */
  const findDataKey = (organizationId: string): Promise<KeyObject | undefined> => {
    const readMs = performance.now();
    const known = dataKeys.get(organizationId);
    if (known && readMs - known.readMs < dataKeyKeptMs) return known.key;
    // Unless it is told to be gone, it is what it was: a wrapping key may be new, or the database away for a moment.
    const key = readDataKey(organizationId).catch((error: unknown) => known?.key ?? Promise.reject(error));
    dataKeys.set(organizationId, { readMs, key });
    const forget = (): void => {
      if (dataKeys.get(organizationId)?.key === key) dataKeys.delete(organizationId);
    };
    key.then((found) => found ?? forget(), forget);
    return key;
  };

  const dataKeyOf = async (organizationId: string): Promise<KeyObject> => {
    const existing = await findDataKey(organizationId);
    if (existing) return existing;
    await pool.query(ADD_DATA_KEY, [
      organizationId,
      newest.id,
      seal(newest.key, randomBytes(DATA_KEY_BYTES), organizationId),
    ]);
    dataKeys.delete(organizationId);
    const made = await findDataKey(organizationId);
    if (!made) throw new DomainError('NotFound', `Organization ${organizationId} was erased, and its keys with it.`);
    return made;
  };

  const contextOf = (organizationId: string, sealedId: string): string => `${organizationId} ${sealedId}`;

  const unseal = async (sealedIds: readonly string[]): Promise<Opened[]> => {
    if (sealedIds.length === 0) return [];
    const { rows } = await pool.query<{ sealed_id: string; organization_id: string; ciphertext: Buffer }>(READ_SEALED, [
      sealedIds,
    ]);
    const values: Opened[] = [];
    for (const { sealed_id: sealedId, organization_id: organizationId, ciphertext } of rows) {
      const dataKey = await findDataKey(organizationId);
      if (!dataKey) continue;
      const plain = open(dataKey, ciphertext, contextOf(organizationId, sealedId)).toString();
      values.push({ sealedId, organizationId, plain });
    }
    return values;
  };

  return {
    seal: async ({ organizationId, sealedId, plain }) => {
      const dataKey = await dataKeyOf(organizationId);
      const ciphertext = seal(dataKey, Buffer.from(plain), contextOf(organizationId, sealedId));
      const row: SealedRow = { sealedId, organizationId, ciphertext };
      return { statement: INSERT_SEALED as BatchStatement<unknown>, row };
    },
    open: async (sealedIds) => {
      // Apart from what is kept in memory: others who ask meanwhile may push it out there.
      const found = new Map(sealedIds.flatMap((id) => opened.get(id) ?? []).map((value) => [value.sealedId, value]));
      for (const value of await unseal(sealedIds.filter((id) => !found.has(id)))) {
        found.set(value.sealedId, value);
        if (opened.size >= openedMax) opened.delete(opened.keys().next().value ?? '');
        opened.set(value.sealedId, value);
      }
      // What was opened goes with its key, too.
      for (const organizationId of new Set([...found.values()].map((value) => value.organizationId))) {
        if (await findDataKey(organizationId)) continue;
        for (const value of found.values()) {
          if (value.organizationId !== organizationId) continue;
          found.delete(value.sealedId);
          opened.delete(value.sealedId);
        }
      }
      return new Map(
        sealedIds
          .flatMap((id) => found.get(id) ?? [])
          .map(({ sealedId, plain }): [string, string] => [sealedId, plain]),
      );
    },
    bodySealer: async (organizationId) => {
      const dataKey = await dataKeyOf(organizationId);
      return (plain, context) => sealBody(dataKey, plain, context);
    },
    openBody: async ({ organizationId, sealed, context }) => {
      const dataKey = await findDataKey(organizationId);
      if (!dataKey) return undefined;
      return openBody(dataKey, sealed, context).catch(
        (cause: unknown) => new BodyChanged(`The ${context} does not open: it was changed in the database.`, { cause }),
      );
    },
  };
};
