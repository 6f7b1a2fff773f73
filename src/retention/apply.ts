import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import type { Cleaned } from '../domain/retention/events.ts';
import type { HandleCommand } from '../eventstore/command-handler.ts';
import { type Cleaner, note } from './cleaner.ts';
import type { RetentionDaysOf } from './days.ts';
import { findDue, readClock } from './due.ts';
import { recordCleaned } from './record.ts';
import { type DayTable, deleteSome } from './tables.ts';

/** Between two steps, so that whoever waits for the database has a turn. */
const PAUSE_MS = 50;
/** A day that cannot be locked at once is tried again after a while, and then left to the next time. */
const DROP_TRIES_MAX = 5;
const DROP_PAUSE_MS = 1_000;
/** Turns of a cleaner: what is left after so many is for the next time. */
const TURNS_MAX = 1_000;
const LOCK_NOT_AVAILABLE = '55P03';

export type RetentionDeps = {
  /** Acts as `posthorn_app`. */
  readonly pool: Pool;
  readonly handle: HandleCommand;
  readonly retentionDaysOf: RetentionDaysOf;
  readonly cleaners: readonly Cleaner[];
  readonly signal: AbortSignal;
};

export type RetentionApplied = {
  /** Undefined when nothing was over. */
  readonly cleaned: Cleaned | undefined;
  /** Days that somebody else had locked; they are dropped the next time. */
  readonly postponed: readonly DayTable[];
};

/**
 * Drops and deletes what is over, in small steps; records it as a domain event, also what it had done when a step failed or
 * the signal stopped it. For one process at a time: see `lock.ts`.
 */
export const applyRetention = async (deps: RetentionDeps): Promise<RetentionApplied> => {
  const { pool, handle } = deps;
  const postponed: DayTable[] = [];
  const record = async (): Promise<Cleaned | undefined> =>
    recordCleaned({ pool, handle, now: (await readClock(pool)).now });
  try {
    await clean(deps, postponed);
  } catch (error) {
    // What was done is told now if it can be, and by the next run if it cannot.
    await record().catch(() => undefined);
    throw error;
  }
  return { cleaned: await record(), postponed };
};

const clean = async (
  { pool, handle, retentionDaysOf, cleaners, signal }: RetentionDeps,
  postponed: DayTable[],
): Promise<void> => {
  const pause = (ms = PAUSE_MS): Promise<void> => sleep(ms, undefined, { signal }).catch(() => undefined);
  const { drops, shares } = await findDue({ db: pool, retentionDaysOf });
  for (const day of drops) {
    if (signal.aborted) return;
    if (!(await dropDay(pool, day, pause, signal))) postponed.push(day);
    await pause();
  }
  for (const share of shares) while (!signal.aborted && (await deleteSome(pool, share, share.kept)) > 0) await pause();
  for (const cleaner of cleaners)
    for (
      let turn = 0;
      turn < TURNS_MAX && !signal.aborted && (await takeTurn({ pool, handle, signal }, cleaner)) > 0;
      turn += 1
    )
      await pause();
};

/** False when others have used the table all the time. A day that deliveries wait for by now stays, too. */
const dropDay = async (
  pool: Pool,
  { table, day }: DayTable,
  pause: (ms: number) => Promise<void>,
  signal: AbortSignal,
): Promise<boolean> => {
  for (let tries = 1; ; tries += 1) {
    try {
      await pool.query('SELECT posthorn_drop_day($1, $2::date)', [table, day]);
      return true;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === LOCK_NOT_AVAILABLE)) throw error;
      if (tries >= DROP_TRIES_MAX || signal.aborted) return false;
      await pause(DROP_PAUSE_MS);
    }
  }
};

/** Deletes some rows, or appends what does, and notes it, as one; tells how much it was. */
const takeTurn = async (
  { pool, handle, signal }: Pick<RetentionDeps, 'pool' | 'handle' | 'signal'>,
  cleaner: Cleaner,
): Promise<number> => {
  const { now } = await readClock(pool);
  if ('append' in cleaner) return cleaner.append({ pool, handle, signal }, now);
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const counts = await cleaner.apply(client, now);
    await note((sql, values) => client.query(sql, values), counts);
    await client.query('COMMIT');
    client.release();
    return Object.values(counts).reduce((sum, count) => sum + count, 0);
  } catch (error) {
    client.release(true); // Which rolls back.
    throw error;
  }
};
