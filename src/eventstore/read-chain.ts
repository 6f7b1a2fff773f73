import type { Pool } from 'pg';
import type { StoredEvent } from './chain-check.ts';

/** Rows fetched at a time: bounds the memory of whoever reads the whole log, whatever its size. */
const READ_ROWS = 2_000;

const READ_CHAIN = `
  SELECT position::float8 AS position, stream_id, stream_version, type, schema_version, data::text AS data,
         metadata::text AS metadata, to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS recorded_at,
         encode(block_hash, 'hex') AS block_hash, digest::text AS digest
  FROM domain_event
  WHERE partition_no = $1 AND position > $2 AND position <= $3
  ORDER BY domain_event.position
  LIMIT ${READ_ROWS}`;

type ChainRow = {
  position: number;
  stream_id: string;
  stream_version: number;
  type: string;
  schema_version: number;
  data: string;
  metadata: string;
  recorded_at: string;
  block_hash: string | null;
  digest: string;
};

const storedEvent = (partition: number, row: ChainRow): StoredEvent => ({
  partition,
  position: row.position,
  recordedAt: row.recorded_at,
  streamId: row.stream_id,
  streamVersion: row.stream_version,
  type: row.type,
  schemaVersion: row.schema_version,
  digest: row.digest,
  blockHash: row.block_hash,
  data: row.data,
  metadata: row.metadata,
});

/**
 * The domain events of a log partition after `after` up to `upTo`, in batches, each text as it is stored. Ends early where
 * the log does; the next batch is fetched while the last one is worked on.
 */
export async function* readChain(
  db: Pick<Pool, 'query'>,
  partition: number,
  after: number,
  upTo: number,
): AsyncGenerator<readonly StoredEvent[]> {
  const fetch = async (since: number): Promise<readonly StoredEvent[]> => {
    if (since >= upTo) return [];
    const { rows } = await db.query<ChainRow>({
      name: 'read_chain',
      text: READ_CHAIN,
      values: [partition, since, upTo],
    });
    return rows.map((row) => storedEvent(partition, row));
  };
  let batch = await fetch(after);
  while (batch.length > 0) {
    const next = fetch(batch.at(-1)?.position ?? upTo);
    next.catch(() => undefined); // Told to whoever asks for the next batch, and to nobody when the reader has stopped.
    yield batch;
    batch = await next;
  }
}
