import { DatabaseError, type Pool, type PoolClient } from 'pg';
import { flush, GuardUndone } from './flush.ts';
import { type Append, type AppendResult, type RecordedEvent, StoreUnavailable } from './types.ts';

/** Appends of one flush at most: past some hundreds a larger batch gains little and holds the heads longer. */
const FLUSH_APPENDS_MAX = 500;
/** Domain events of one flush at most, unless a single append has more. */
const FLUSH_EVENTS_MAX = 4_000;
/** Transactions Postgres itself asks to repeat: serialization failure, deadlock. */
const REPEATABLE = new Set(['40001', '40P01']);
const REPEATS_MAX = 5;
/** A line break in a stream id would shift the columns of a batch. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
const UNPRINTABLE = /[\u0000-\u001f]/;

type Waiting = {
  readonly append: Append;
  readonly resolve: (result: AppendResult) => void;
  readonly reject: (error: unknown) => void;
};

/** Sees the domain events of a commit, in position order per log partition; must not throw. */
export type CommitListener = (events: readonly RecordedEvent[]) => void;

export type GroupCommit = {
  /** Resolves once committed durably, or refused; rejects with StoreUnavailable when the outcome is not known. */
  append(append: Append): Promise<AppendResult>;
  onCommit(listener: CommitListener): void;
  /** Appends waiting for their flush. */
  waiting(): number;
  /** Resolves when everything that was asked for so far is settled. */
  drained(): Promise<void>;
};

/**
 * SQLSTATE classes that say nothing about what was asked for: 08 connection, 25 transaction state (a timeout ended it),
 * 53 no resources, 55 lock not to be had, 57 an operator or a shutdown.
 */
const PASSING = /^(08|25|53|55|57)/;

/**
 * True when trying again alone can help or shows the culprit: Postgres refused a value, what runs along with an append refused
 * it, or our own code threw before the commit was sent. A broken connection is neither, and its commit may have happened.
 */
const isSomebodysFault = (error: unknown): boolean =>
  error instanceof DatabaseError
    ? !PASSING.test(error.code ?? '')
    : isRefusal(error) || error instanceof TypeError || error instanceof RangeError || error instanceof GuardUndone;

/** Of the domain, by what runs along with an append; told by its name, because the log imports nothing of the domain. */
const isRefusal = (error: unknown): boolean => error instanceof Error && error.name === 'DomainError';

const unavailable = (cause: unknown): StoreUnavailable =>
  cause instanceof StoreUnavailable
    ? cause
    : new StoreUnavailable('The database broke off; whether the append was committed is not known.', { cause });

/** The next flush: in order of arrival, and one append at least however large it is. */
const takeBatch = (queue: Waiting[]): Waiting[] => {
  let events = 0;
  let count = 0;
  while (count < queue.length && count < FLUSH_APPENDS_MAX) {
    const size = queue[count]?.append.streams.reduce((sum, stream) => sum + stream.events.length, 0) ?? 0;
    if (count > 0 && events + size > FLUSH_EVENTS_MAX) break;
    events += size;
    count += 1;
  }
  return queue.splice(0, count);
};

/** Those that have something run along with them, and the others. */
const apart = (batch: readonly Waiting[]): readonly [Waiting[], Waiting[]] => {
  const found: [Waiting[], Waiting[]] = [[], []];
  for (const waiting of batch) found[waiting.append.project ? 0 : 1].push(waiting);
  return found;
};

/**
 * Gathers concurrent appends and writes them together: the next flush starts when the last one has returned, never on a
 * timer, so that a lone append waits for nobody and a crowd shares one commit.
 */
export const createGroupCommit = ({ pool }: { pool: Pool }): GroupCommit => {
  const queue: Waiting[] = [];
  /** Of batches that failed: one of these is at fault, so each goes alone. */
  const suspects: Waiting[] = [];
  const listeners: CommitListener[] = [];
  let running = false;
  let idle = Promise.withResolvers<void>();
  idle.resolve();

  const announce = (results: readonly AppendResult[]): void => {
    const events = results.flatMap((result) => (result.kind === 'appended' ? result.events : []));
    if (events.length === 0) return;
    for (const listener of listeners) {
      try {
        listener(events);
      } catch (error) {
        // A listener that throws is a bug; the commit stands and must be answered, the bug must stay loud.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  };

  const transact = async (appends: readonly Append[]): Promise<AppendResult[]> => {
    let client: PoolClient;
    try {
      client = await pool.connect();
    } catch (cause) {
      throw new StoreUnavailable('The database gave no connection; nothing was written.', { cause });
    }
    try {
      const results = await flush(client, appends);
      client.release();
      return results;
    } catch (error) {
      // A connection in doubt is closed, which rolls back whatever it had not committed.
      await client.query('ROLLBACK').then(
        () => client.release(),
        () => client.release(true),
      );
      throw error;
    }
  };

  const attempt = async (appends: readonly Append[]): Promise<AppendResult[]> => {
    for (let repeat = 0; ; repeat += 1) {
      try {
        return await transact(appends);
      } catch (error) {
        if (error instanceof DatabaseError && REPEATABLE.has(error.code ?? '') && repeat < REPEATS_MAX) continue;
        throw error;
      }
    }
  };

  const settle = async (batch: readonly Waiting[]): Promise<void> => {
    let results: AppendResult[];
    try {
      results = await attempt(batch.map(({ append }) => append));
    } catch (error) {
      if (!isSomebodysFault(error)) {
        for (const { reject } of batch) reject(unavailable(error));
        return;
      }
      if (batch.length === 1) {
        batch[0]?.reject(error);
        return;
      }
      // What runs along with an append may refuse it, so that one of those is the likely culprit, and the others stay together.
      const [likely, others] = apart(batch);
      suspects.push(...(likely.length > 0 ? likely : others));
      if (likely.length > 0 && others.length > 0) await settle(others);
      return;
    }
    announce(results);
    results.forEach((result, index) => {
      batch[index]?.resolve(result);
    });
  };

  const run = async (): Promise<void> => {
    running = true;
    idle = Promise.withResolvers<void>();
    // One turn of the event loop, so that everything parsed from the sockets in this turn shares the commit.
    await new Promise((resolve) => setImmediate(resolve));
    while (queue.length > 0 || suspects.length > 0) {
      if (queue.length > 0) await settle(takeBatch(queue));
      // One between two batches: many that are refused hold nobody up.
      if (suspects.length > 0) await settle(suspects.splice(0, 1));
    }
    running = false;
    idle.resolve();
  };

  return {
    append: (append) =>
      new Promise((resolve, reject) => {
        for (const { streamId } of append.streams)
          if (UNPRINTABLE.test(streamId))
            throw new TypeError(`Stream id ${JSON.stringify(streamId)} has a control character.`);
        queue.push({ append, resolve, reject });
        if (!running) void run();
      }),
    onCommit: (listener) => listeners.push(listener),
    waiting: () => queue.length + suspects.length,
    drained: () => idle.promise,
  };
};
