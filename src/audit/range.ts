import type { Pool } from 'pg';
import { genesisHash } from '../eventstore/chain.ts';
import type { Asked, Header, Place } from './format.ts';

type Queryable = Pick<Pool, 'query'>;
export type Range = Header['partitions'][number];

const READ_HEADS = 'SELECT partition_no, position::float8 AS position FROM log_head ORDER BY partition_no';
const BLOCK_BEFORE = `
  SELECT position::float8 AS position, encode(block_hash, 'hex') AS hash FROM domain_event
  WHERE partition_no = $1 AND position < $2 AND block_hash IS NOT NULL
  ORDER BY domain_event.position DESC LIMIT 1`;
const BLOCK_END = `
  SELECT position::float8 AS position FROM domain_event
  WHERE partition_no = $1 AND position >= $2 AND block_hash IS NOT NULL
  ORDER BY domain_event.position LIMIT 1`;
const RECORDED_BY = 'SELECT recorded_at <= $3 AS is_by FROM domain_event WHERE partition_no = $1 AND position = $2';

/**
 * The range of each log partition, widened to whole blocks: a block is one commit, and its hash proves it only as a whole.
 * The upper ends are fixed here, so that appends may go on.
 */
export const rangesOf = async (
  db: Queryable,
  instance: { instanceId: string; partitions: number },
  asked: Asked,
): Promise<Range[]> => {
  const unknown = [
    ...asked.partitions,
    ...[...asked.from, ...asked.to].flatMap(({ partition }) => partition ?? []),
  ].find((partition) => partition >= instance.partitions);
  if (unknown !== undefined)
    throw new Error(`There is no log partition ${unknown}; there are ${instance.partitions}, from 0.`);
  const { rows: heads } = await db.query<{ partition_no: number; position: number }>(READ_HEADS);
  const ranges: Range[] = [];
  for (const { partition_no: partition, position: head } of heads) {
    if (asked.partitions.length > 0 && !asked.partitions.includes(partition)) continue;
    const from = Math.max(1, ...placesOf(asked.from, partition));
    const before = await blockBefore(db, partition, Math.min(from, head + 1));
    const first = (before?.position ?? 0) + 1;
    const ends = [head];
    for (const to of placesOf(asked.to, partition)) if (to < head) ends.push(await blockEnd(db, partition, to));
    if (asked.until !== null) ends.push(await lastBy(db, partition, head, asked.until));
    ranges.push({
      partition,
      first,
      last: Math.max(first - 1, Math.min(...ends)),
      previous_hash: before?.hash ?? genesisHash(instance.instanceId, partition).toString('hex'),
    });
  }
  return ranges;
};

const placesOf = (places: readonly Place[], partition: number): number[] =>
  places.filter((place) => place.partition === null || place.partition === partition).map(({ position }) => position);

const blockBefore = async (
  db: Queryable,
  partition: number,
  position: number,
): Promise<{ position: number; hash: string } | undefined> =>
  (await db.query<{ position: number; hash: string }>(BLOCK_BEFORE, [partition, position])).rows[0];

/** Position 0 is before the first block. */
const blockEnd = async (db: Queryable, partition: number, position: number): Promise<number> =>
  position === 0
    ? 0
    : ((await db.query<{ position: number }>(BLOCK_END, [partition, position])).rows[0]?.position ?? 0);

/** The last position recorded at an instant or before: instants never fall within a log partition, so halving finds it. */
const lastBy = async (db: Queryable, partition: number, head: number, instant: string): Promise<number> => {
  let [low, high] = [0, head];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const { rows } = await db.query<{ is_by: boolean }>(RECORDED_BY, [partition, middle, instant]);
    if (rows[0] === undefined)
      throw new Error(`Position ${middle} of log partition ${partition} is missing; run \`posthorn audit verify\`.`);
    if (rows[0].is_by) low = middle;
    else high = middle - 1;
  }
  return low;
};
