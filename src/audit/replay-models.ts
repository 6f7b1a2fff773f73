import type { Client } from 'pg';
import { createLogReader } from '../eventstore/read.ts';
import { arrayLiteral } from '../eventstore/statements.ts';
import { digest, type TableDigest } from '../projections/digest.ts';
import { allProjections, asyncProjections } from '../projections/index.ts';
import type { Projection } from '../projections/projection.ts';
import { type Copy, type Positions, type Progress, replay } from '../projections/replay.ts';
import { processorName } from '../projections/runner.ts';
import { liveTable } from '../projections/tables.ts';

const PROCESSORS = asyncProjections.map(processorName);

const ADD_POSITIONS = `
  INSERT INTO processor_checkpoint (processor, partition_no)
  SELECT p, n FROM unnest($1::text[]) AS p, unnest($2::smallint[]) AS n ON CONFLICT DO NOTHING`;
const READ_POSITIONS = `
  SELECT partition_no, min(position)::float8 AS position, max(position)::float8 AS highest
  FROM processor_checkpoint WHERE processor = ANY($1::text[]) GROUP BY partition_no ORDER BY partition_no`;
const MOVE_POSITIONS = `
  UPDATE processor_checkpoint SET position = $4, updated_at = clock_timestamp()
  WHERE processor = ANY($1::text[]) AND partition_no = $2 AND position = $3`;

/** All read models as one, so that the log is read once for all of them and they move together. */
const together: Projection = {
  name: 'all read models',
  version: 1,
  tables: allProjections.flatMap(({ tables }) => tables),
  canHandle: [...new Set(allProjections.flatMap(({ canHandle }) => canHandle))],
  mode: 'async',
  apply: async (batch, target) => {
    for (const projection of allProjections) {
      const wanted = batch.filter(({ type }) => projection.canHandle.includes(type));
      if (wanted.length === 0) continue;
      try {
        await projection.apply(wanted, target);
      } catch (cause) {
        throw new Error(`${projection.name}: ${(cause as Error).message}`, { cause });
      }
    }
  },
};

/**
 * Builds all read models in a replayed database from the log in it, up to its heads; goes on where an earlier run was
 * killed. Those written inside the append have no checkpoints of their own: they move with the others.
 */
export const replayModels = async (
  client: Client,
  upTo: Positions,
  options: { onProgress?: (progress: Progress) => void; signal?: AbortSignal | undefined },
): Promise<void> => {
  await client.query(ADD_POSITIONS, [PROCESSORS, arrayLiteral([...upTo.keys()])]);
  const { rows } = await client.query<{ partition_no: number; position: number; highest: number }>(READ_POSITIONS, [
    PROCESSORS,
  ]);
  if (rows.some(({ position, highest }) => position !== highest))
    throw new Error(
      'The replay was begun by another release, with other read models; begin again with an empty database.',
    );
  const copy: Copy = {
    client,
    projection: together,
    reader: createLogReader({ db: client, partitions: upTo.size }),
    table: liveTable,
    positions: new Map(rows.map(({ partition_no, position }) => [partition_no, position])),
    move: async (partition, since, until) => {
      const { rowCount } = await client.query(MOVE_POSITIONS, [PROCESSORS, partition, since, until]);
      if (rowCount !== PROCESSORS.length) throw new Error('The read models were moved by somebody else.');
    },
  };
  await replay(copy, upTo, options);
};

export type ProjectionDigest = { readonly projection: string } & TableDigest;

/** The digests of all tables of all read models; the session must be one of `openOwner`. */
export const digestModels = async (client: Client): Promise<ProjectionDigest[]> => {
  const digests: ProjectionDigest[] = [];
  for (const projection of allProjections)
    for (const table of await digest(client, projection, liveTable))
      digests.push({ projection: projection.name, ...table });
  return digests;
};
