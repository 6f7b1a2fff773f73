import type { LiveItem } from './items.ts';
import type { TrafficTick } from './traffic.ts';

export type Batch = {
  /** Of the topic's kind, in the order of the log per log partition. */
  readonly items: readonly LiveItem[];
  /** For `after`: covers everything up to here. */
  readonly position: string;
  /** Items that matched but are not among these. */
  readonly leftOut: number;
  readonly isCaughtUp: boolean;
};

/** What a reader hands over to. */
export type Sink = {
  /** True when what was written before has gone out far enough. */
  readonly isReady: () => boolean;
  /** Resolves when it is ready, or closed. */
  readonly ready: () => Promise<void>;
  /** The same object for all readers that get the same. */
  readonly write: (batch: Batch | TrafficTick) => void;
  readonly fail: (error: unknown) => void;
};

/** Positions named by `after` that this log does not have: it is another log, or was cut. */
export class AheadOfLog extends Error {}
