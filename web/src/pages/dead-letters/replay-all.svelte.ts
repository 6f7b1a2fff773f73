import { type Failure, send } from '../../graphql/client.svelte.ts';
import type { Filter } from './filter.ts';
import { REPLAY_DEAD_LETTERS } from './queries.ts';

/** Replays all that match, as many requests as it takes: one replays 5,000 at most. */
export class ReplayAll {
  isUnderWay = $state(false);
  isStopping = $state(false);
  replayed = $state(0);
  skipped = $state(0);
  /** How it ended; null before and while it goes on. */
  outcome = $state.raw<'done' | 'stopped' | 'stuck' | 'failed' | null>(null);
  failure = $state.raw<Failure | null>(null);

  async run(application: string, filter: Filter): Promise<void> {
    this.isUnderWay = true;
    this.isStopping = false;
    this.replayed = 0;
    this.skipped = 0;
    this.outcome = null;
    this.failure = null;
    this.outcome = await this.#repeat(application, filter);
    this.isUnderWay = false;
  }

  /** Lets the request under way end, and makes no other. */
  stop(): void {
    this.isStopping = true;
  }

  async #repeat(application: string, filter: Filter): Promise<'done' | 'stopped' | 'stuck' | 'failed'> {
    for (;;) {
      try {
        const { replayDeadLetters: done } = await send('mutation', REPLAY_DEAD_LETTERS, { application, filter });
        this.replayed += done.replayed;
        // What is skipped stays a dead letter, and is met again by the next request: the last count is the true one.
        this.skipped = done.skipped;
        if (!done.hasMore) return 'done';
        if (done.replayed === 0) return 'stuck';
        if (this.isStopping) return 'stopped';
      } catch (error) {
        this.failure = error as Failure;
        return 'failed';
      }
    }
  }
}
