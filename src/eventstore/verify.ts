import type { Pool } from 'pg';
import { blockDigest, blockHash, eventDigest, genesisHash, shortDigest } from './chain.ts';
import { readInstance } from './initialise.ts';

type Queryable = Pick<Pool, 'query'>;

/** Rows fetched at a time: bounds the memory of a verification, whatever the log's size. */
const READ_ROWS = 5_000;

const READ_CHAIN = `
  SELECT position::float8 AS position, stream_id, stream_version, type, schema_version, data::text AS data,
         metadata::text AS metadata, (extract(epoch FROM recorded_at) * 1000)::float8 AS recorded_ms, block_hash, digest::text AS digest
  FROM domain_event
  WHERE partition_no = $1 AND position > $2 AND position <= $3
  ORDER BY domain_event.position
  LIMIT ${READ_ROWS}`;
const READ_HEAD = 'SELECT partition_no, position::float8 AS position, hash FROM log_head ORDER BY partition_no';

type ChainRow = {
  position: number;
  stream_id: string;
  stream_version: number;
  type: string;
  schema_version: number;
  data: string;
  metadata: string;
  recorded_ms: number;
  block_hash: Buffer | null;
  digest: string;
};

export type Fault = {
  readonly partition: number;
  /** The first position that cannot be as it was appended. */
  readonly position: number;
  readonly what: string;
};

export type Verification = {
  readonly events: number;
  readonly blocks: number;
  readonly partitions: number;
  readonly faults: readonly Fault[];
};

const digestOf = (row: ChainRow): Buffer =>
  eventDigest({
    position: row.position,
    streamId: row.stream_id,
    streamVersion: row.stream_version,
    type: row.type,
    schemaVersion: row.schema_version,
    data: row.data,
    metadata: row.metadata,
  });

type PartitionResult = { events: number; blocks: number; fault?: Fault };

/**
 * Recomputes the chain of one log partition up to the head as it stood at the start, so that appends may go on. A changed,
 * removed, inserted or swapped domain event shows by its position or its digest; only whoever also forged the digest is
 * found by the hash of the block, which names the block's first position.
 */
const verifyPartition = async (
  pool: Queryable,
  instanceId: string,
  head: { partition_no: number; position: number; hash: Buffer },
  onProgress: (events: number) => void,
): Promise<PartitionResult> => {
  const partition = head.partition_no;
  let previous = genesisHash(instanceId, partition);
  let position = 0;
  let blocks = 0;
  let block: { row: ChainRow; digest: Buffer }[] = [];
  const fault = (at: number, what: string): PartitionResult => ({
    events: position,
    blocks,
    fault: { partition, position: at, what },
  });

  while (position < head.position) {
    const { rows } = await pool.query<ChainRow>({
      name: 'read_chain',
      text: READ_CHAIN,
      values: [partition, position, head.position],
    });
    if (rows.length === 0) return fault(position + 1, 'is missing, and so is all after it');
    for (const row of rows) {
      if (row.position !== position + 1) return fault(position + 1, 'is missing');
      position = row.position;
      const digest = digestOf(row);
      if (shortDigest(digest) !== row.digest) return fault(position, 'was changed');
      block.push({ row, digest });
      if (row.block_hash === null) continue;
      const first = block[0]?.row;
      if (!first) continue;
      const odd = block.find((other) => other.row.recorded_ms !== row.recorded_ms);
      if (odd) return fault(odd.row.position, 'carries another instant than the rest of its block');
      const hash = blockHash(
        previous,
        blockDigest(block.map((other) => other.digest)),
        first.position,
        row.recorded_ms,
      );
      if (!hash.equals(row.block_hash))
        return fault(first.position, `or another up to ${row.position} was changed, and its digest with it`);
      previous = hash;
      blocks += 1;
      block = [];
    }
    onProgress(rows.length);
  }
  if (block[0]) return fault(block[0].row.position, 'begins a block that was never closed');
  if (!previous.equals(head.hash)) return fault(head.position, 'does not lead to the hash kept with the head');
  return { events: position, blocks };
};

/** Verifies the whole log. `onProgress` gets the number of domain events checked and to be checked. */
export const verifyLog = async (
  pool: Queryable,
  onProgress: (done: number, total: number) => void = () => undefined,
): Promise<Verification> => {
  const { instanceId } = await readInstance(pool);
  const { rows: heads } = await pool.query<{ partition_no: number; position: number; hash: Buffer }>(READ_HEAD);
  const total = heads.reduce((sum, { position }) => sum + position, 0);
  const faults: Fault[] = [];
  let events = 0;
  let blocks = 0;
  let done = 0;
  for (const head of heads) {
    const result = await verifyPartition(pool, instanceId, head, (count) => {
      done += count;
      onProgress(done, total);
    });
    events += result.events;
    blocks += result.blocks;
    if (result.fault) faults.push(result.fault);
  }
  return { events, blocks, partitions: heads.length, faults };
};
