import type { LogFeed } from './feed.ts';
import type { RecordedEvent } from './types.ts';

/** A place in one log partition that moves forward: what lies behind has been handed out, nothing is skipped. */
export type Tail = {
  readonly partition: number;
  /** The last position handed out. */
  position(): number;
  /** Tells of a position that exists by now, committed by whomever. */
  hint(position: number): void;
  /** True when domain events are known to lie ahead. */
  isBehind(): boolean;
  /** The next domain events, at most `limit`; nothing when none lie ahead. */
  take(limit: number): Promise<readonly RecordedEvent[]>;
  /** How many lie ahead, as far as is known. */
  lag(): number;
};

export const createTail = ({ feed, partition, from }: { feed: LogFeed; partition: number; from: number }): Tail => {
  let position = from;
  /** Highest position known to exist. */
  let known = from;
  return {
    partition,
    position: () => position,
    hint: (at) => {
      if (at > known) known = at;
    },
    isBehind: () => known > position,
    lag: () => known - position,
    take: async (limit) => {
      if (known <= position) return [];
      const events = await feed.read(partition, position, limit);
      position = events.at(-1)?.position ?? position;
      if (position > known) known = position;
      return events;
    },
  };
};
