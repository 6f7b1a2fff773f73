import { setTimeout as delay } from 'node:timers/promises';
import { type Client, DatabaseError } from 'pg';
import { readInstance } from '../eventstore/initialise.ts';
import { createLogReader } from '../eventstore/read.ts';
import { arrayLiteral } from '../eventstore/statements.ts';
import { digest, sameDigests, type TableDigest } from './digest.ts';
import { digestLive, livePositions, type MaintenanceOptions, openOwner, projectionNamed } from './owner.ts';
import type { Projection } from './projection.ts';
import { type Copy, distance, type Positions, replay } from './replay.ts';
import { processorName } from './runner.ts';
import { hasTables, liveTable, makeTables, swapTables, tablesIn } from './tables.ts';

/** What is left to apply when everybody is made to wait: some milliseconds' worth. */
const LAST_EVENTS_MAX = 2_000;
const SWAPS_MAX = 60;
const SWAP_RETRY_MS = 250;
/** Lock not to be had in time, deadlock. */
const BUSY = new Set(['55P03', '40P01']);

const TAKE_TURN = 'SELECT pg_try_advisory_lock(hashtextextended($1, 7605110214)) AS taken';
const READ_COPY_POSITIONS = `
  SELECT partition_no, position::float8 AS position FROM processor_checkpoint WHERE processor = $1 ORDER BY partition_no`;
const FORGET_COPY_POSITIONS = 'DELETE FROM processor_checkpoint WHERE processor = $1';
const ADD_POSITIONS = `
  INSERT INTO processor_checkpoint (processor, partition_no)
  SELECT $1, partition_no FROM unnest($2::smallint[]) AS p (partition_no) ON CONFLICT DO NOTHING`;
const MOVE_POSITION = `
  UPDATE processor_checkpoint SET position = $4, updated_at = clock_timestamp()
  WHERE processor = $1 AND partition_no = $2 AND position = $3`;
/** Whoever appends locks the heads in this order, too. */
const LOCK_HEADS = 'SELECT partition_no, position::float8 AS position FROM log_head ORDER BY partition_no FOR UPDATE';
/** The live projector moves its checkpoints before it writes rows, so it waits here and finds the new tables. */
const LOCK_CHECKPOINTS = `
  SELECT partition_no, position::float8 AS position FROM processor_checkpoint
  WHERE processor = $1 ORDER BY partition_no FOR UPDATE`;

export type Rebuilt = {
  /** Whether the old tables were what the log says; compared at `comparedAt`, before the swap. */
  readonly wasEqual: boolean;
  readonly live: readonly TableDigest[];
  readonly rebuilt: readonly TableDigest[];
  readonly comparedAt: Positions;
  /** True when it went on with the copy of a run that had not finished. */
  readonly isResumed: boolean;
};

/**
 * Builds a projection's tables from the log beside the live ones, compares, and puts them in their place. Reads and ingest
 * go on all the time, but for the moment of the swap. A run that is killed is taken up by the next one where it stopped:
 * the copy lies in a schema of its own, and its positions under `<processor>#rebuild`. `startOver` throws such a copy away,
 * which has to be asked for after a change of the code.
 */
export const rebuildProjection = async (
  options: MaintenanceOptions & { readonly startOver?: boolean },
): Promise<Rebuilt> => {
  const projection = projectionNamed(options);
  const client = await openOwner(options.ownerUrl, `rebuild ${projection.name}`);
  try {
    await takeTurn(client, projection);
    const { copy, isResumed } = await openCopy(client, projection, options);
    await catchUp(copy, options);
    const { positions, digests: live } = await digestLive(client, projection);
    await replay(copy, positions, options);
    const rebuilt = await digest(client, projection, copy.table);
    for (const name of projection.tables) await client.query(`VACUUM (ANALYZE) ${copy.table(name)}`);
    await swap(copy, options);
    return { wasEqual: sameDigests(live, rebuilt), live, rebuilt, comparedAt: positions, isResumed };
  } finally {
    await client.end();
  }
};

const copySchema = ({ name, version }: Projection): string => `rebuild_${name}_${version}`;
const copyProcessor = (projection: Projection): string => `${processorName(projection)}#rebuild`;

const takeTurn = async (client: Client, projection: Projection): Promise<void> => {
  const { rows } = await client.query<{ taken: boolean }>(TAKE_TURN, [copyProcessor(projection)]);
  if (rows[0]?.taken !== true)
    throw new Error(`Projection ${projection.name} is being rebuilt by somebody else; wait for that to finish.`);
};

const openCopy = async (
  client: Client,
  projection: Projection,
  { upcasters = {}, startOver = false }: { upcasters?: MaintenanceOptions['upcasters']; startOver?: boolean },
): Promise<{ copy: Copy; isResumed: boolean }> => {
  const { partitions } = await readInstance(client);
  const schema = copySchema(projection);
  const processor = copyProcessor(projection);
  const stored = await readPositions(client, READ_COPY_POSITIONS, [processor]);
  const live = await livePositions(client, projection);
  // A copy never runs ahead of the live tables: one that does belongs to another past, such as a restored backup.
  const isUsable = stored.size === live.size && distance(live, stored) === 0;
  const isResumed = !startOver && isUsable && (await hasTables(client, schema, projection.tables));
  const numbers = [...live.keys()];
  if (!isResumed) {
    await client.query('BEGIN');
    await makeTables(client, schema, projection.tables);
    await client.query(FORGET_COPY_POSITIONS, [processor]);
    await client.query(ADD_POSITIONS, [processor, arrayLiteral(numbers)]);
    await client.query('COMMIT');
  }
  const copy: Copy = {
    client,
    projection,
    reader: createLogReader({ db: client, partitions, upcasters }),
    table: tablesIn(schema),
    positions: isResumed ? stored : new Map(numbers.map((partition) => [partition, 0])),
    move: async (partition, since, upTo) => {
      const { rowCount } = await client.query(MOVE_POSITION, [processor, partition, since, upTo]);
      if (rowCount !== 1) throw new Error(`The copy of ${projection.name} was moved by somebody else.`);
    },
  };
  return { copy, isResumed };
};

/** Until so little is left that everybody may wait for it. */
const catchUp = async (copy: Copy, options: MaintenanceOptions): Promise<void> => {
  for (;;) {
    const live = await livePositions(copy.client, copy.projection);
    if (distance(copy.positions, live) <= LAST_EVENTS_MAX) return;
    await replay(copy, live, options);
  }
};

const swap = async (copy: Copy, options: MaintenanceOptions): Promise<void> => {
  for (let tries = 1; ; tries += 1) {
    options.signal?.throwIfAborted();
    await catchUp(copy, options);
    const before = new Map(copy.positions);
    try {
      await trySwap(copy);
      return;
    } catch (error) {
      await copy.client.query('ROLLBACK').catch(() => undefined); // The first error is the one that tells.
      for (const [partition, position] of before) copy.positions.set(partition, position);
      if (!isBusy(error) || tries === SWAPS_MAX) throw error;
      await delay(SWAP_RETRY_MS);
    }
  }
};

/** One short transaction. Locks are taken in the order in which appends and projectors take them: positions, then tables. */
const trySwap = async (copy: Copy): Promise<void> => {
  const { client, projection } = copy;
  const processor = processorName(projection);
  if (projection.mode === 'async')
    await client.query(ADD_POSITIONS, [processor, arrayLiteral([...copy.positions.keys()])]);
  await client.query('BEGIN');
  await client.query(`SET LOCAL lock_timeout = '5s'`);
  const live =
    projection.mode === 'inline'
      ? await readPositions(client, LOCK_HEADS, [])
      : await readPositions(client, LOCK_CHECKPOINTS, [processor]);
  await replay(copy, live, { inTransaction: true });
  // Whoever reads next queues behind this lock while it waits for a long query: so it waits briefly, and comes again.
  await client.query(`SET LOCAL lock_timeout = '500ms'`);
  await client.query(`LOCK TABLE ${projection.tables.map(liveTable).join(', ')} IN ACCESS EXCLUSIVE MODE`);
  await swapTables(client, copySchema(projection), projection.tables);
  await client.query(FORGET_COPY_POSITIONS, [copyProcessor(projection)]);
  await client.query('COMMIT');
};

const readPositions = async (client: Client, sql: string, values: unknown[]): Promise<Map<number, number>> => {
  const { rows } = await client.query<{ partition_no: number; position: number }>(sql, values);
  return new Map(rows.map(({ partition_no: partition, position }) => [partition, position]));
};

const isBusy = (error: unknown): boolean => error instanceof DatabaseError && BUSY.has(error.code ?? '');
