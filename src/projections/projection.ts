import type { RecordedEvent, RunQuery } from '../eventstore/types.ts';

/** Where a projection writes: its own tables, or the copies of them that a rebuild fills. */
export type ProjectionTarget = {
  readonly run: RunQuery;
  /** The table to write for a table of the projection. */
  readonly table: (name: string) => string;
};

/** A read model as a pure function of the log. Its tables are written by nothing else. */
export type Projection = {
  readonly name: string;
  readonly version: number;
  readonly tables: readonly string[];
  /** Types of domain events that it folds; all others pass it by. */
  readonly canHandle: readonly string[];
  /**
   * `inline` ones are written in the transaction of the append, since commands are decided with them; `async` ones follow
   * the log in batches.
   */
  readonly mode: 'inline' | 'async';
  /** Applies domain events in position order per log partition; every batch comes exactly once. */
  readonly apply: (batch: readonly RecordedEvent[], target: ProjectionTarget) => Promise<void>;
};
