import type { Queryable } from '../projections/page.ts';

/** Rows by what they are, in the words of the domain event that records them: `expired_sessions`. */
export type Counts = Readonly<Record<string, number>>;

/** Something that is cleaned besides payloads and answers. */
export type Cleaner = {
  readonly name: string;
  /** What `apply` would delete, all of it. */
  readonly plan: (db: Queryable, now: Date) => Promise<Counts>;
  /** Deletes a bounded number of rows, in a transaction of the caller's; it is called again until it deletes none. */
  readonly apply: (db: Queryable, now: Date) => Promise<Counts>;
};
