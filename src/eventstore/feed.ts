import type { LogReader } from './read.ts';
import type { RecordedEvent } from './types.ts';

/** Domain events of this process's commits kept for whoever follows the log; some 1.5 kB each. */
const RECENT_EVENTS_MAX = 8_000;
/** Reads of the log kept for the next follower that comes along the same way. */
const READS_MAX = 8;
const READ_EVENTS = 1_000;

/** Consecutive domain events of one log partition. */
type Run = { readonly first: number; readonly last: number; readonly events: readonly RecordedEvent[] };

/**
 * The log as followers of one process read it: what it has just committed comes from memory, everything else from the
 * database, once for all who follow closely. Domain events never change, so that whatever is kept is true.
 */
export type LogFeed = {
  /** Takes in the domain events of a commit of this process, in position order per log partition. */
  offer(events: readonly RecordedEvent[]): void;
  /** Domain events of a log partition after a position, in order and without a gap; none when it has no more, else at most `limit`. */
  read(partition: number, after: number, limit: number): Promise<readonly RecordedEvent[]>;
};

export const createLogFeed = ({ reader }: { reader: Pick<LogReader, 'readPartition'> }): LogFeed => {
  /** By log partition, oldest first. */
  const recent = new Map<number, Run[]>();
  /** The partitions of all recent runs in order of arrival: the first one's oldest run goes next. */
  let arrivals: number[] = [];
  let kept = 0;
  let reads: { readonly partition: number; readonly run: Run }[] = [];
  const underWay = new Map<string, Promise<readonly RecordedEvent[]>>();

  const forgetOldest = (): void => {
    let forgotten = 0;
    while (kept > RECENT_EVENTS_MAX && forgotten < arrivals.length - 1) {
      kept -= recent.get(arrivals[forgotten] ?? -1)?.shift()?.events.length ?? 0;
      forgotten += 1;
    }
    if (forgotten > 0) arrivals = arrivals.slice(forgotten);
  };

  const find = (partition: number, after: number): readonly RecordedEvent[] | undefined => {
    const holds = ({ first, last }: Run): boolean => first <= after + 1 && after < last;
    const run =
      recent.get(partition)?.findLast(holds) ??
      reads.find((read) => read.partition === partition && holds(read.run))?.run;
    return run && (run.first === after + 1 ? run.events : run.events.slice(after + 1 - run.first));
  };

  const readLog = (partition: number, after: number): Promise<readonly RecordedEvent[]> => {
    const key = `${partition}:${after}`;
    const same = underWay.get(key);
    if (same) return same;
    const reading = reader
      .readPartition(partition, after, READ_EVENTS)
      .then((events) => {
        const run = toRun(events);
        if (run) reads = [{ partition, run }, ...reads].slice(0, READS_MAX);
        return events;
      })
      .finally(() => underWay.delete(key));
    underWay.set(key, reading);
    return reading;
  };

  return {
    offer: (events) => {
      for (const [partition, own] of Map.groupBy(events, (event) => event.partition)) {
        const run = toRun(own);
        if (!run) continue;
        const runs = recent.get(partition);
        if (runs) runs.push(run);
        else recent.set(partition, [run]);
        arrivals.push(partition);
        kept += own.length;
      }
      forgetOldest();
    },
    read: async (partition, after, limit) => {
      const taken: RecordedEvent[] = [];
      for (;;) {
        const found = find(partition, after + taken.length);
        if (!found) break;
        for (const event of found) {
          if (taken.length === limit) return taken;
          taken.push(event);
        }
      }
      return taken.length > 0 ? taken : (await readLog(partition, after)).slice(0, limit);
    },
  };
};

const toRun = (events: readonly RecordedEvent[]): Run | undefined => {
  const [head] = events;
  return head && { first: head.position, last: head.position + events.length - 1, events };
};
