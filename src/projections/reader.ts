import { createLogReader, type LogQueryable, type LogReader } from '../eventstore/read.ts';
import type { RunQuery } from '../eventstore/types.ts';

/** Reads the log within the transaction of a batch; streams are named with their log partition. */
export const readerOn = (run: RunQuery): LogReader =>
  createLogReader({
    db: {
      query: ({ text, values }: { text: string; values: unknown[] }) => run(text, values),
    } as unknown as LogQueryable,
    partitions: 0,
  });
