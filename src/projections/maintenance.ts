import { readInstance } from '../eventstore/initialise.ts';
import { createLogReader } from '../eventstore/read.ts';
import { digest, sameDigests, type TableDigest } from './digest.ts';
import { allProjections } from './index.ts';
import { digestLive, type MaintenanceOptions, openOwner, projectionNamed } from './owner.ts';
import type { Queryable } from './page.ts';
import type { Projection } from './projection.ts';
import { type Copy, type Positions, replay } from './replay.ts';
import { processorName } from './runner.ts';
import { makeTemporaryTables } from './tables.ts';

export { digest, type TableDigest } from './digest.ts';
export type { MaintenanceOptions } from './owner.ts';
export { type Rebuilt, rebuildProjection } from './rebuild.ts';

export type PartitionStatus = {
  readonly partition: number;
  readonly checkpoint: number;
  readonly head: number;
  readonly lag: number;
  /** Why it has stopped, naming the position; null while it goes on. */
  readonly error: string | null;
};
export type ProjectionStatus = Pick<Projection, 'name' | 'version' | 'mode'> & {
  readonly partitions: readonly PartitionStatus[];
  /** Domain events not applied yet, over all partitions. */
  readonly lag: number;
};

const READ_STATUS = `
  SELECT p.processor, h.partition_no, h.position::float8 AS head, coalesce(c.position, 0)::float8 AS checkpoint, c.error
  FROM unnest($1::text[]) AS p (processor) CROSS JOIN log_head AS h
  LEFT JOIN processor_checkpoint AS c ON c.processor = p.processor AND c.partition_no = h.partition_no
  ORDER BY h.partition_no`;

type StatusRow = { processor: string; partition_no: number; head: number; checkpoint: number; error: string | null };

/** How far each projection has come. Those inside the append are always at the head. */
export const listProjections = async (
  db: Queryable,
  projections: readonly Projection[] = allProjections,
): Promise<ProjectionStatus[]> => {
  const { rows } = await db.query<StatusRow>(READ_STATUS, [projections.map(processorName)]);
  return projections.map((projection) => {
    const { name, version, mode } = projection;
    const own = rows.filter(({ processor }) => processor === processorName(projection));
    const partitions = own.map(({ partition_no: partition, head, checkpoint: stored, error }): PartitionStatus => {
      const checkpoint = mode === 'inline' ? head : stored;
      return { partition, checkpoint, head, lag: head - checkpoint, error };
    });
    return { name, version, mode, partitions, lag: partitions.reduce((sum, { lag }) => sum + lag, 0) };
  });
};

/** The digests of every projection's live tables, by its name; each in a snapshot of its own. */
export const digestProjections = async (
  ownerUrl: string,
): Promise<Map<string, { readonly digests: readonly TableDigest[] }>> => {
  const client = await openOwner(ownerUrl, 'digests');
  try {
    const found = new Map<string, { readonly digests: readonly TableDigest[] }>();
    for (const projection of allProjections)
      found.set(projection.name, { digests: (await digestLive(client, projection)).digests });
    return found;
  } finally {
    await client.end();
  }
};

export type Checked = {
  /** False when a row differs from what the log says. */
  readonly isEqual: boolean;
  readonly live: readonly TableDigest[];
  readonly rebuilt: readonly TableDigest[];
  /** Where in the log they were compared. */
  readonly positions: Positions;
};

/**
 * Builds a projection from position 0 into temporary tables, up to where the live one stood at the beginning, and compares.
 * Nothing waits for it: reads, ingest and the live projection go on.
 */
export const checkProjection = async (options: MaintenanceOptions): Promise<Checked> => {
  const projection = projectionNamed(options);
  const client = await openOwner(options.ownerUrl, `check ${projection.name}`);
  try {
    const { partitions } = await readInstance(client);
    const { positions, digests: live } = await digestLive(client, projection);
    const copy: Copy = {
      client,
      projection,
      reader: createLogReader({ db: client, partitions, upcasters: options.upcasters ?? {} }),
      table: await makeTemporaryTables(client, projection.tables),
      positions: new Map(),
      move: async () => undefined,
    };
    await replay(copy, positions, options);
    const rebuilt = await digest(client, projection, copy.table);
    return { isEqual: sameDigests(live, rebuilt), live, rebuilt, positions };
  } finally {
    await client.end();
  }
};
