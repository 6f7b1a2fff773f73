import type { Pool } from 'pg';
import type { HandleCommand } from '../eventstore/command-handler.ts';
import type { RunQuery } from '../eventstore/types.ts';
import type { Queryable } from '../projections/page.ts';

/** Rows by what they are, in the words of the domain event that records them: `expired_sessions`. */
export type Counts = Readonly<Record<string, number>>;

/** Where a cleaner that appends domain events is at work. */
export type Appending = { readonly pool: Pool; readonly handle: HandleCommand; readonly signal: AbortSignal };

/** Something that is cleaned besides payloads and answers. */
export type Cleaner = {
  readonly name: string;
  /** What would be deleted, all of it. */
  readonly plan: (db: Queryable, now: Date) => Promise<Counts>;
} & (
  | {
      /** Deletes a bounded number of rows, in a transaction of the caller's; it is called again until it deletes none. */
      readonly apply: (db: Queryable, now: Date) => Promise<Counts>;
    }
  | {
      /**
       * For what the domain has a word for: appends a bounded number of domain events, each with {@link note} in its transaction, and
       * tells how many; it is called again until there are none.
       */
      readonly append: (at: Appending, now: Date) => Promise<number>;
    }
);

/** Keeps a count for the domain event that tells of the cleaning, in the transaction that cleans. */
export const note = async (run: RunQuery, counts: Counts): Promise<void> => {
  for (const [kind, count] of Object.entries(counts))
    if (count > 0) await run('INSERT INTO retention_cleaned (kind, rows, bytes) VALUES ($1, $2, 0)', [kind, count]);
};
