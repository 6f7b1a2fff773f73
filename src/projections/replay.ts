import type { Client } from 'pg';
import { isUnderstood } from '../domain/registry.ts';
import type { LogReader } from '../eventstore/read.ts';
import type { Projection } from './projection.ts';
import { runQueryOn } from './runner.ts';

const BATCH_EVENTS = 2_000;

/** By log partition, the last position that is applied. */
export type Positions = ReadonlyMap<number, number>;

export type Progress = { readonly done: number; readonly total: number };

/** A copy of a projection's tables on its way through the log. */
export type Copy = {
  readonly client: Client;
  readonly reader: LogReader;
  readonly projection: Projection;
  readonly table: (name: string) => string;
  /** Where it stands; replayed batches move it. */
  readonly positions: Map<number, number>;
  /** Notes a new position in the transaction of the batch; nothing for a copy that dies with its session. */
  readonly move: (partition: number, since: number, upTo: number) => Promise<void>;
};

export const distance = (from: Positions, to: Positions): number =>
  [...to].reduce((sum, [partition, position]) => sum + Math.max(0, position - (from.get(partition) ?? 0)), 0);

/**
 * Applies the log to a copy, from where it stands up to the positions given and not one further, in one transaction per
 * batch unless the caller has one open already. Stops between two batches when told to.
 */
export const replay = async (
  copy: Copy,
  upTo: Positions,
  {
    onProgress,
    signal,
    inTransaction = false,
  }: {
    onProgress?: ((progress: Progress) => void | Promise<void>) | undefined;
    signal?: AbortSignal | undefined;
    inTransaction?: boolean;
  } = {},
): Promise<void> => {
  const total = distance(copy.positions, upTo);
  let done = 0;
  for (const [partition, end] of upTo) {
    for (let since = copy.positions.get(partition) ?? 0; since < end; ) {
      signal?.throwIfAborted();
      const until = await replayBatch(copy, { partition, since, end, inTransaction });
      done += until - since;
      since = until;
      await onProgress?.({ done, total });
    }
  }
};

const replayBatch = async (
  copy: Copy,
  { partition, since, end, inTransaction }: { partition: number; since: number; end: number; inTransaction: boolean },
): Promise<number> => {
  const { client, reader, projection, table, positions } = copy;
  const events = await reader.readPartition(partition, since, Math.min(BATCH_EVENTS, end - since));
  const last = events.at(-1);
  if (!last || last.position - since !== events.length)
    throw new Error(`Log partition ${partition} has a gap after position ${since}; run \`posthorn audit verify\`.`);
  const foreign = events.find((event) => !isUnderstood(event));
  if (foreign)
    throw new Error(
      `${foreign.type} of schema version ${foreign.schemaVersion} at position ${foreign.position} of log partition ${partition} is not known to this release; upgrade it.`,
    );
  const wanted = events.filter(({ type }) => projection.canHandle.includes(type));
  try {
    if (!inTransaction) await client.query('BEGIN');
    await copy.move(partition, since, last.position);
    if (wanted.length > 0) await projection.apply(wanted, { run: runQueryOn(client), table });
    if (!inTransaction) await client.query('COMMIT');
  } catch (cause) {
    if (!inTransaction) await client.query('ROLLBACK').catch(() => undefined); // The first error is the one that tells.
    throw new Error(
      `Projection ${projection.name} could not apply positions ${since + 1} to ${last.position} of log partition ${partition}: ${(cause as Error).message}`,
      { cause },
    );
  }
  positions.set(partition, last.position);
  return last.position;
};
