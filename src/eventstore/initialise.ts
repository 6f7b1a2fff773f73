import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { genesisHash } from './chain.ts';
import { arrayLiteral } from './statements.ts';

export type Instance = { readonly instanceId: string; readonly partitions: number };

const ADD_INSTANCE = `
  INSERT INTO instance (instance_id, partitions) VALUES ($1, $2) ON CONFLICT (is_only) DO NOTHING`;
const ADD_HEADS = `
  INSERT INTO log_head (partition_no, hash)
  SELECT partition_no, decode(hash, 'hex') FROM unnest($1::smallint[], string_to_array($2, E'\\n')) AS h (partition_no, hash)
  ON CONFLICT (partition_no) DO NOTHING`;

/**
 * Makes the heads of a freshly migrated log, as the database's owner. The number of partitions is fixed from then on: a
 * later call returns what the database has, whatever it was asked for.
 */
export const initialise = async ({ url, partitions }: { url: string; partitions: number }): Promise<Instance> => {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('BEGIN');
    await client.query(ADD_INSTANCE, [randomUUID(), partitions]);
    const instance = await readInstance(client);
    const numbers = Array.from({ length: instance.partitions }, (_, partition) => partition);
    await client.query(ADD_HEADS, [
      arrayLiteral(numbers),
      numbers.map((partition) => genesisHash(instance.instanceId, partition).toString('hex')).join('\n'),
    ]);
    await client.query('COMMIT');
    return instance;
  } finally {
    await client.end();
  }
};

/** Throws when the database was never initialised. */
export const readInstance = async (db: Pick<Client, 'query'>): Promise<Instance> => {
  const { rows } = await db.query<{ instance_id: string; partitions: number }>(
    'SELECT instance_id, partitions FROM instance',
  );
  const row = rows[0];
  if (!row) throw new Error('The database has no Posthorn instance; run `posthorn migrate` as its owner.');
  return { instanceId: row.instance_id, partitions: row.partitions };
};
