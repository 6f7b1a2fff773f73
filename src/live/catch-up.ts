import type { LogFeed } from '../eventstore/feed.ts';
import { encodePositions, type Positions } from './cursor.ts';
import type { Facts } from './facts.ts';
import type { LiveItem, ToItem } from './items.ts';
import { AheadOfLog, type Sink } from './sink.ts';
import type { Topic } from './topic.ts';

/** Domain events read at a time; what matches of them is one batch. */
const READ_EVENTS = 500;
/** Domain events from the end of the log at which a reader counts as having arrived. */
const NEAR = 100;

const firstBehind = (positions: Positions, goal: Positions): number | undefined =>
  [...goal].find(([partition, position]) => (positions.get(partition) ?? 0) < position)?.[0];

const distance = (positions: Positions, goal: Positions): number =>
  [...goal].reduce((sum, [partition, position]) => sum + Math.max(0, position - (positions.get(partition) ?? 0)), 0);

const requireInside = (after: Positions, heads: Positions): void => {
  for (const [partition, position] of after) {
    const head = heads.get(partition);
    if (head === undefined) throw new AheadOfLog(`there is no log partition ${partition}`);
    if (position > head) throw new AheadOfLog(`log partition ${partition} ends at ${head}, before ${position}`);
  }
};

/**
 * Reads what happened since a reader was last there, all of it and as fast as it takes it, until it is near the end of the
 * log and nowhere behind the others.
 */
export const catchUp = async ({
  topic,
  after,
  toItem,
  facts,
  feed,
  sink,
  heads,
  others,
  isOpen,
  arrived,
}: {
  topic: Topic;
  after: Positions;
  toItem: ToItem;
  facts: Facts;
  feed: LogFeed;
  sink: Sink;
  /** Where the log ends. */
  heads: () => Promise<Positions>;
  /** Where those stand who are caught up. */
  others: () => Positions;
  isOpen: () => boolean;
  /** Called with nothing awaited since the last comparison. */
  arrived: (positions: Positions) => void;
}): Promise<void> => {
  let goal = await heads();
  requireInside(after, goal);
  const positions = new Map([...goal.keys()].map((partition) => [partition, after.get(partition) ?? 0]));

  const step = async (partition: number): Promise<void> => {
    const events = await feed.read(partition, positions.get(partition) ?? 0, READ_EVENTS);
    const last = events.at(-1);
    if (!last) throw new Error(`Log partition ${partition} ends before position ${goal.get(partition)}.`);
    const own = events.filter(({ data }) => data.applicationId === topic.applicationId);
    await facts.prepare(own);
    const items: LiveItem[] = [];
    for (const event of own) {
      facts.learn(event);
      const item = toItem(event, facts.factsOf);
      if (item) items.push(item);
    }
    positions.set(partition, last.position);
    if (items.length === 0) return;
    await sink.ready();
    if (isOpen()) sink.write({ items, position: encodePositions(positions), leftOut: 0, isCaughtUp: false });
  };

  while (isOpen()) {
    const behind = firstBehind(positions, goal) ?? firstBehind(positions, others());
    if (behind !== undefined) {
      await step(behind);
      continue;
    }
    goal = await heads();
    if (distance(positions, goal) > NEAR || firstBehind(positions, others()) !== undefined) continue;
    if (isOpen()) arrived(positions);
    return;
  }
};
