import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError, type Pool, type PoolClient } from 'pg';
import { isUnderstood } from '../domain/registry.ts';
import type { LogFeed } from '../eventstore/feed.ts';
import type { HeadPosition, LogReader } from '../eventstore/read.ts';
import { arrayLiteral } from '../eventstore/statements.ts';
import { createTail, type Tail } from '../eventstore/tail.ts';
import type { RecordedEvent, RunQuery } from '../eventstore/types.ts';
import type { Projection } from './projection.ts';

/** Domain events of one transaction over all partitions, roughly. */
const BATCH_EVENTS_MAX = 4_000;
/**
 * Between two batches: none to speak of when little happens, longer the more the last one held, since what comes meanwhile
 * folds into fewer rows and fewer commits. A read model stays well within a second of the log.
 */
const PACE_MS_MIN = 25;
const PACE_MS_MAX = 250;
const PACE_MS_PER_EVENT = 0.25;
const FAULT_RETRY_MS = 1_000;
/** SQLSTATE classes of a database that is away or busy, not of a domain event that cannot be applied. */
const PASSING = /^(08|25|40|53|55|57)/;

const ADD_CHECKPOINT = `
  INSERT INTO processor_checkpoint (processor, partition_no) VALUES ($1, $2) ON CONFLICT DO NOTHING`;
const READ_CHECKPOINT = `
  SELECT position::float8 AS position, error FROM processor_checkpoint WHERE processor = $1 AND partition_no = $2`;
/** Moves only from where this projector stood: whoever was overtaken by another owner applies nothing. */
const MOVE_CHECKPOINTS = `
  UPDATE processor_checkpoint AS c SET position = m.upto, error = NULL, updated_at = clock_timestamp()
  FROM unnest($2::smallint[], $3::bigint[], $4::bigint[]) AS m (partition_no, since, upto)
  WHERE c.processor = $1 AND c.partition_no = m.partition_no AND c.position = m.since
  RETURNING c.partition_no`;
const PARK = `
  UPDATE processor_checkpoint SET error = $3, updated_at = clock_timestamp() WHERE processor = $1 AND partition_no = $2`;

/** The name under which a projection keeps its checkpoints: a new version is another processor. */
export const processorName = ({ name, version }: Projection): string => `${name}@${version}`;

export const runQueryOn =
  (client: Pick<PoolClient, 'query'>): RunQuery =>
  (sql, values) =>
    client.query(sql, values);

export type ProjectionRunner = {
  readonly projection: Projection;
  /** Begins with a partition, however often the database has to be asked for where it stands. */
  take(partition: number): Promise<void>;
  leave(partition: number): void;
  /** Told of a commit of this process, which the feed has by then. */
  noticeCommit(events: readonly RecordedEvent[]): void;
  notice(heads: readonly HeadPosition[]): void;
  /** Domain events not applied yet, over the partitions of this process. */
  lag(): number;
  /** Positions at which it has stopped, by partition. */
  parked(): ReadonlyMap<number, string>;
  stop(): Promise<void>;
};

type Slice = { readonly tail: Tail; readonly since: number; readonly events: readonly RecordedEvent[] };

class Overtaken extends Error {}

const paceAfter = (events: number): number => Math.min(PACE_MS_MAX, Math.max(PACE_MS_MIN, events * PACE_MS_PER_EVENT));

/**
 * Follows the log for one projection over the partitions it is given. Rows and checkpoints move in one transaction, whose
 * durability need not be waited for: a crash takes both back, and the log brings them again.
 */
export const createProjectionRunner = ({
  pool,
  reader,
  feed,
  projection,
  onError,
}: {
  pool: Pool;
  reader: LogReader;
  feed: LogFeed;
  projection: Projection;
  onError: (error: unknown) => void;
}): ProjectionRunner => {
  const processor = processorName(projection);
  const taken = new Set<number>();
  const tails = new Map<number, Tail>();
  const parked = new Map<number, string>();
  const stale = new Set<number>();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let stopped = false;

  const open = async (partition: number): Promise<void> => {
    await pool.query(ADD_CHECKPOINT, [processor, partition]);
    const { rows } = await pool.query<{ position: number; error: string | null }>(READ_CHECKPOINT, [
      processor,
      partition,
    ]);
    const row = rows[0];
    if (!row) throw new Error(`Checkpoint of ${processor} for log partition ${partition} is missing.`);
    const tail = createTail({ feed, partition, from: row.position });
    tails.set(partition, tail);
    const head = (await reader.heads()).find((other) => other.partition === partition);
    if (head) tail.hint(head.position);
  };

  const transact = async (slices: readonly Slice[]): Promise<void> => {
    const client = await pool.connect();
    try {
      const [, , { rowCount }] = await Promise.all([
        client.query('BEGIN'),
        client.query('SET LOCAL synchronous_commit = off'),
        client.query(MOVE_CHECKPOINTS, [
          processor,
          arrayLiteral(slices.map(({ tail }) => tail.partition)),
          arrayLiteral(slices.map(({ since }) => since)),
          arrayLiteral(slices.map(({ events, since }) => events.at(-1)?.position ?? since)),
        ]),
      ]);
      if (rowCount !== slices.length) throw new Overtaken();
      const wanted = slices.flatMap(({ events }) => events.filter(({ type }) => projection.canHandle.includes(type)));
      if (wanted.length > 0) await projection.apply(wanted, { run: runQueryOn(client), table: (name) => name });
      await client.query('COMMIT');
      client.release();
    } catch (error) {
      await client.query('ROLLBACK').then(
        () => client.release(),
        () => client.release(true),
      );
      throw error;
    }
  };

  const requireUnderstood = (slices: readonly Slice[]): void => {
    for (const { events } of slices)
      for (const event of events)
        if (!isUnderstood(event))
          throw new TypeError(
            `${event.type} of schema version ${event.schemaVersion} is not known to this release; upgrade it.`,
          );
  };

  /** One domain event at a time, so that all before the culprit is applied and the culprit is named. */
  const applySingly = async ({ tail, since, events }: Slice): Promise<void> => {
    let at = since;
    for (const event of events) {
      try {
        requireUnderstood([{ tail, since: at, events: [event] }]);
        await transact([{ tail, since: at, events: [event] }]);
      } catch (error) {
        if (isPassing(error)) throw error;
        const text = `${event.type} at position ${event.position} of log partition ${tail.partition} cannot be applied: ${messageOf(error)}`;
        await pool.query(PARK, [processor, tail.partition, text]);
        parked.set(tail.partition, text);
        tails.delete(tail.partition);
        onError(new Error(`Projection ${processor} has stopped: ${text}`, { cause: error }));
        return;
      }
      at = event.position;
    }
  };

  const apply = async (slices: readonly Slice[]): Promise<void> => {
    try {
      requireUnderstood(slices);
      await transact(slices);
    } catch (error) {
      if (isPassing(error)) throw error;
      for (const slice of slices) await applySingly(slice);
    }
  };

  /** A tail whose position may be ahead of its checkpoint is opened anew before anything else. */
  const reopenStale = async (): Promise<void> => {
    for (const partition of [...stale]) {
      if (tails.has(partition)) await open(partition);
      stale.delete(partition);
    }
  };

  /** How many domain events it took. */
  const cycle = async (): Promise<number> => {
    let behind: Tail[] = [];
    try {
      await reopenStale();
      behind = [...tails.values()].filter((tail) => tail.isBehind());
      if (behind.length === 0) return 0;
      const share = Math.ceil(BATCH_EVENTS_MAX / behind.length);
      const slices: Slice[] = [];
      for (const tail of behind) {
        const since = tail.position();
        const events = await tail.take(share);
        if (events.length > 0) slices.push({ tail, since, events });
      }
      if (slices.length > 0) await apply(slices);
      return slices.reduce((sum, { events }) => sum + events.length, 0);
    } catch (error) {
      // Overtaken: the new owner goes on with it, and this one will be told that its lease is gone.
      if (!(error instanceof Overtaken)) onError(error);
      // Whatever was taken is taken again, from where the checkpoints really are.
      for (const { partition } of behind) stale.add(partition);
      throw error;
    }
  };

  const schedule = (inMs: number): void => {
    if (stopped || timer || running) return;
    timer = setTimeout(() => {
      timer = undefined;
      running = cycle().then(
        (events) => next(events >= BATCH_EVENTS_MAX ? 0 : paceAfter(events)),
        () => next(FAULT_RETRY_MS),
      );
    }, inMs);
  };

  const next = (inMs: number): void => {
    running = undefined;
    if (stale.size > 0 || [...tails.values()].some((tail) => tail.isBehind())) schedule(inMs);
  };

  return {
    projection,
    take: async (partition) => {
      taken.add(partition);
      while (taken.has(partition) && !stopped) {
        try {
          await open(partition);
          break;
        } catch (error) {
          onError(error);
          await sleep(FAULT_RETRY_MS, undefined, { ref: false });
        }
      }
      if (taken.has(partition)) schedule(0);
      else tails.delete(partition); // Left while it was being opened.
    },
    leave: (partition) => {
      taken.delete(partition);
      tails.delete(partition);
      parked.delete(partition);
    },
    noticeCommit: (events) => {
      for (const { partition, position } of events) tails.get(partition)?.hint(position);
      schedule(PACE_MS_MIN);
    },
    notice: (heads) => {
      for (const { partition, position } of heads) tails.get(partition)?.hint(position);
      if ([...tails.values()].some((tail) => tail.isBehind())) schedule(0);
    },
    lag: () => [...tails.values()].reduce((sum, tail) => sum + tail.lag(), 0),
    parked: () => parked,
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
};

const isPassing = (error: unknown): boolean =>
  error instanceof Overtaken ||
  (error instanceof DatabaseError
    ? PASSING.test(error.code ?? '')
    : !(error instanceof TypeError || error instanceof RangeError));

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
