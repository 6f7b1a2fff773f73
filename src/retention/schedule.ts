import { applyRetention, type RetentionApplied, type RetentionDeps } from './apply.ts';
import { alone } from './lock.ts';
import { createRetentionPool } from './pool.ts';

const EVERY_MS = 3_600_000;
/** After the start, when there is more to do. */
const FIRST_MS = 60_000;

export type RetentionSchedule = {
  /** Ends between two steps, and tells the log what was done. */
  readonly stop: () => Promise<void>;
};

/** Cleans once an hour, in one of the processes that share the database. */
export const startRetention = ({
  url,
  onApplied,
  onError,
  ...deps
}: Omit<RetentionDeps, 'signal' | 'pool'> & {
  readonly url: string;
  readonly onApplied: (applied: RetentionApplied) => void;
  readonly onError: (error: unknown) => void;
}): RetentionSchedule => {
  const pool = createRetentionPool(url);
  const stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();
  const run = async (): Promise<void> => {
    try {
      const applied = await alone(url, () => applyRetention({ ...deps, pool, signal: stopping.signal }));
      if (applied) onApplied(applied);
    } catch (error) {
      onError(error);
    }
  };
  let timer: NodeJS.Timeout;
  const wait = (ms: number): void => {
    timer = setTimeout(() => {
      running = run().finally(() => {
        if (!stopping.signal.aborted) wait(EVERY_MS);
      });
    }, ms);
    timer.unref();
  };
  wait(FIRST_MS);
  return {
    stop: async () => {
      stopping.abort();
      clearTimeout(timer);
      await running;
      await pool.end();
    },
  };
};
