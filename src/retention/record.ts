import type { Pool } from 'pg';
import { retentionDecider } from '../domain/retention/decider.ts';
import type { Cleaned } from '../domain/retention/events.ts';
import type { HandleCommand } from '../eventstore/command-handler.ts';
import { readInstance } from '../eventstore/initialise.ts';
import { partitionOf } from '../eventstore/partition.ts';
import type { BatchStatement, Write } from '../eventstore/types.ts';

const READ = `
  SELECT cleaned_id::float8 AS id, kind, dropped_day::text AS dropped_day, rows::float8 AS rows, bytes::float8 AS bytes
  FROM retention_cleaned ORDER BY cleaned_id`;
type Row = { id: number; kind: string; dropped_day: string | null; rows: number; bytes: number };

const FORGET: BatchStatement<number> = {
  name: 'forget_cleaned',
  sql: 'DELETE FROM retention_cleaned WHERE cleaned_id <= $1::bigint',
  parameters: (ids) => [Math.max(...ids)],
};
const forgetUpTo = (id: number): Write => ({ statement: FORGET as BatchStatement<unknown>, row: id });

const sumUp = (rows: readonly Row[]): Cleaned => {
  const counts: Record<string, number> = {};
  for (const { kind, rows: count } of rows) counts[kind] = (counts[kind] ?? 0) + count;
  const droppedOf = (parent: string): string[] =>
    rows.flatMap(({ kind, dropped_day: day }) => (kind === parent && day !== null ? [day] : [])).sort();
  return {
    droppedDays: { payload: droppedOf('payload'), response: droppedOf('response') },
    counts,
    bytes: rows.reduce((sum, { bytes }) => sum + bytes, 0),
  };
};

/**
 * Appends what was cleaned, also by a process that was killed before it could, and forgets it in the same transaction.
 * Answers undefined when nothing was. For one process at a time.
 */
export const recordCleaned = async ({
  pool,
  handle,
  now,
}: {
  readonly pool: Pool;
  readonly handle: HandleCommand;
  readonly now: Date;
}): Promise<Cleaned | undefined> => {
  const { rows } = await pool.query<Row>(READ);
  const last = rows.at(-1);
  if (!last) return undefined;
  const { instanceId, partitions } = await readInstance(pool);
  const cleaned = sumUp(rows);
  const streamId = `retention:${instanceId}`;
  await handle(
    retentionDecider,
    { streamId, partition: partitionOf(instanceId, partitions) },
    { type: 'RecordRetention', data: { instanceId, ...cleaned }, metadata: { now } },
    { actor: 'system:retention', causationId: streamId, correlationId: streamId },
    () => ({ writes: [forgetUpTo(last.id)] }),
  );
  return cleaned;
};
