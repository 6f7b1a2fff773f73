import type { ResultOf } from '../../graphql/graphql.ts';
import type { LIVE_ATTEMPTS, NEWEST_ATTEMPTS } from './queries.ts';

export type Row = {
  readonly id: string;
  readonly at: string;
  readonly deliveryId: string;
  readonly eventType: string | null;
  readonly subscriptionId: string;
  readonly attemptNumber: number;
  readonly status: string;
  readonly reason: string | null;
  readonly httpStatus: number | null;
  readonly durationMs: number | null;
};

type LiveItem = ResultOf<typeof LIVE_ATTEMPTS>['requestAttempts']['items'][number];
type Stored = NonNullable<ResultOf<typeof NEWEST_ATTEMPTS>['application']>['requestAttempts']['nodes'][number];

/** Rows kept, and rows drawn: what is kept beyond is there when one filters or scrolls back by the list. */
const KEPT_MAX = 5_000;
export const DRAWN_MAX = 200;

export const rowOfItem = (item: LiveItem): Row => item;
export const rowOfStored = ({ finishedAt, createdAt, timings, ...attempt }: Stored): Row => ({
  ...attempt,
  at: finishedAt ?? createdAt,
  durationMs: timings?.totalMs ?? null,
});

/**
 * The newest request attempts, one row each, the one that changed last on top. Kept outside of what is reactive, and shown
 * at most once a frame, however much comes in.
 */
export class Tail {
  rows = $state.raw<readonly Row[]>([]);
  held = $state(0);
  leftOut = $state(0);
  isPaused = $state(false);
  #kept = new Map<string, Row>();
  #frame = 0;

  reset(rows: readonly Row[]): void {
    this.#kept = new Map([...rows].reverse().map((row) => [row.id, row]));
    this.held = 0;
    this.leftOut = 0;
    this.#draw();
  }

  add(rows: readonly Row[], leftOut: number): void {
    for (const row of rows) {
      const before = this.#kept.get(row.id);
      this.#kept.delete(row.id);
      this.#kept.set(row.id, { ...row, eventType: row.eventType ?? before?.eventType ?? null });
    }
    for (const id of this.#kept.keys()) {
      if (this.#kept.size <= KEPT_MAX) break;
      this.#kept.delete(id);
    }
    this.leftOut += leftOut;
    if (this.isPaused) this.held += rows.length;
    else this.#schedule();
  }

  pause(isPaused: boolean): void {
    this.isPaused = isPaused;
    if (isPaused) return;
    this.held = 0;
    this.#draw();
  }

  /** Everything that is kept, newest first. */
  all(): Row[] {
    return [...this.#kept.values()].reverse();
  }

  stop(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  #schedule(): void {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      if (!this.isPaused) this.#draw();
    });
  }

  #draw(): void {
    const drawn: Row[] = [];
    const all = [...this.#kept.values()];
    for (let index = all.length - 1; index >= 0 && drawn.length < DRAWN_MAX; index -= 1) {
      const row = all[index];
      if (row) drawn.push(row);
    }
    this.rows = drawn;
  }
}
