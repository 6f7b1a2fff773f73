import type { Pool } from 'pg';
import { genesisHash } from './chain.ts';
import { createChainCheck, type Fault } from './chain-check.ts';
import { readInstance } from './initialise.ts';
import { readChain } from './read-chain.ts';

export type { Fault } from './chain-check.ts';

type Queryable = Pick<Pool, 'query'>;

const READ_HEAD = 'SELECT partition_no, position::float8 AS position, hash FROM log_head ORDER BY partition_no';

export type Verification = {
  readonly events: number;
  readonly blocks: number;
  readonly partitions: number;
  readonly faults: readonly Fault[];
};

type PartitionResult = { events: number; blocks: number; fault?: Fault };

/** Recomputes the chain of one log partition up to the head as it stood at the start, so that appends may go on. */
const verifyPartition = async (
  pool: Queryable,
  instanceId: string,
  head: { partition_no: number; position: number; hash: Buffer },
  onProgress: (events: number) => void,
): Promise<PartitionResult> => {
  const partition = head.partition_no;
  const check = createChainCheck({ partition, after: 0, previousHash: genesisHash(instanceId, partition) });
  let blocks = 0;
  for await (const batch of readChain(pool, partition, 0, head.position)) {
    for (const event of batch) {
      const step = check.add(event);
      if (step.kind === 'fault') return { events: check.position(), blocks, fault: step.fault };
      if (step.kind === 'block') blocks += 1;
    }
    onProgress(batch.length);
  }
  const fault = check.end(head.position, head.hash.toString('hex'));
  return { events: check.position(), blocks, ...(fault ? { fault } : {}) };
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
