import type { LogReader } from './read.ts';
import type { RecordedEvent } from './types.ts';

/** Domain events kept in memory for one partition; past it the reader falls back to the log. */
const BUFFER_MAX = 4_000;

/**
 * Follows one log partition from a position: takes what this process has just committed from memory as long as it comes
 * without a gap, and reads the log for everything else. Dense positions make the difference plain to see.
 */
export type Tail = {
  readonly partition: number;
  /** The last position handed out. */
  position(): number;
  /** Offers domain events of a commit of this process, in position order. */
  offer(events: readonly RecordedEvent[]): void;
  /** Tells of a position that exists by now, committed by whomever. */
  hint(position: number): void;
  /** True when domain events are known to lie ahead. */
  isBehind(): boolean;
  /** The next domain events, at most `limit`; nothing when none lie ahead. */
  take(limit: number): Promise<readonly RecordedEvent[]>;
  /** How many lie ahead, as far as is known. */
  lag(): number;
};

export const createTail = ({
  reader,
  partition,
  from,
}: {
  reader: LogReader;
  partition: number;
  from: number;
}): Tail => {
  let position = from;
  /** Highest position known to exist. */
  let known = from;
  let buffer: RecordedEvent[] = [];
  /** Index of the first element of the buffer not handed out yet. */
  let start = 0;

  const bufferedEnd = (): number => buffer.at(-1)?.position ?? position;

  return {
    partition,
    position: () => position,
    hint: (at) => {
      if (at > known) known = at;
    },
    offer: (events) => {
      const last = events.at(-1);
      if (!last || last.position <= position) return;
      if (last.position > known) known = last.position;
      const fits = events[0]?.position === bufferedEnd() + 1 && buffer.length - start + events.length <= BUFFER_MAX;
      if (fits) for (const event of events) buffer.push(event);
    },
    isBehind: () => known > position,
    lag: () => known - position,
    take: async (limit) => {
      if (start < buffer.length) {
        const events = buffer.slice(start, start + limit);
        start += events.length;
        position = events.at(-1)?.position ?? position;
        if (start === buffer.length) {
          buffer = [];
          start = 0;
        }
        return events;
      }
      if (known <= position) return [];
      const events = await reader.readPartition(partition, position, limit);
      // Commits offered meanwhile may overlap with what was read: the buffer only counts where it continues it.
      position = events.at(-1)?.position ?? position;
      if (position > known) known = position;
      const next = buffer.findIndex((event) => event.position === position + 1);
      if (next === -1) buffer = [];
      start = Math.max(0, next);
      return events;
    },
  };
};
