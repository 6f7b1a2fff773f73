import { Client } from 'pg';
import type { Upcasters } from '../eventstore/upcasters.ts';
import { digest, type TableDigest } from './digest.ts';
import { allProjections } from './index.ts';
import type { Projection } from './projection.ts';
import type { Positions, Progress } from './replay.ts';
import { processorName } from './runner.ts';
import { liveTable } from './tables.ts';

export type MaintenanceOptions = {
  /** The database's owner: tables are made, dropped and moved. */
  readonly ownerUrl: string;
  readonly name: string;
  readonly onProgress?: ((progress: Progress) => void | Promise<void>) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly upcasters?: Upcasters | undefined;
  readonly projections?: readonly Projection[] | undefined;
};

export const projectionNamed = ({
  name,
  projections = allProjections,
}: Pick<MaintenanceOptions, 'name' | 'projections'>): Projection => {
  const found = projections.find((projection) => projection.name === name);
  if (found) return found;
  throw new Error(
    `There is no projection ${name}; there are ${projections.map((projection) => projection.name).join(', ')}.`,
  );
};

/** A session in which digests always come out alike, and in which nothing is cut off for taking long. */
export const openOwner = async (ownerUrl: string, purpose: string): Promise<Client> => {
  const client = new Client({
    connectionString: ownerUrl,
    application_name: `posthorn ${purpose}`,
    options: '-c timezone=UTC -c datestyle=ISO -c synchronous_commit=off -c statement_timeout=0',
  });
  client.on('error', () => undefined); // A broken connection also fails the query that runs, and that one is told.
  await client.connect();
  return client;
};

const READ_CHECKPOINTS = `
  SELECT h.partition_no, coalesce(c.position, 0)::float8 AS position
  FROM log_head AS h LEFT JOIN processor_checkpoint AS c ON c.processor = $1 AND c.partition_no = h.partition_no
  ORDER BY h.partition_no`;
const READ_HEADS = 'SELECT partition_no, position::float8 AS position FROM log_head ORDER BY partition_no';

/** Up to where the live tables have the log: rows and positions of one snapshot belong together. */
export const livePositions = async (client: Client, projection: Projection): Promise<Map<number, number>> => {
  const { rows } = await (projection.mode === 'inline'
    ? client.query<{ partition_no: number; position: number }>(READ_HEADS)
    : client.query<{ partition_no: number; position: number }>(READ_CHECKPOINTS, [processorName(projection)]));
  return new Map(rows.map(({ partition_no: partition, position }) => [partition, position]));
};

/** The live tables' digests, and the positions they belong to. */
export const digestLive = async (
  client: Client,
  projection: Projection,
): Promise<{ positions: Positions; digests: TableDigest[] }> => {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  try {
    return {
      positions: await livePositions(client, projection),
      digests: await digest(client, projection, liveTable),
    };
  } finally {
    await client.query('COMMIT');
  }
};
