import type { Pool } from 'pg';
import type { LogFeed } from '../eventstore/feed.ts';
import type { HeadPosition, LogReader } from '../eventstore/read.ts';
import { createTail, type Tail } from '../eventstore/tail.ts';
import type { RecordedEvent } from '../eventstore/types.ts';
import { catchUp } from './catch-up.ts';
import { encodePositions, type Positions } from './cursor.ts';
import { createFacts } from './facts.ts';
import { type LiveItem, type ToItem, toItem } from './items.ts';
import type { Batch, Sink } from './sink.ts';
import { type LiveKind, type Topic, topicKey } from './topic.ts';
import { createTraffic } from './traffic.ts';

/** From a commit to those who watch, at most, and how often they hear at most. */
const TICK_MS = 100;
/** Domain events taken from one log partition per tick. */
const TAKE_MAX = 4_000;
/** Items of a tick over all readers, and for each of them: a crowd is sampled, and told so. */
const ITEMS_PER_TICK = 4_000;
const ITEMS_PER_READER_MIN = 20;
const ITEMS_PER_READER_MAX = 500;
/** A reader that nothing has matched for is told how far the log has come, so that its place does not grow old. */
const PLACE_MS = 5_000;
/** Of readers that come back from far behind, so many at the same time. */
const CATCHING_UP_MAX = 2;

export type LiveReader = { readonly close: () => void };

export type LiveHub = {
  /** Begins to watch: from now, or right after the positions given. */
  open(topic: Topic, after: Positions | undefined, sink: Sink): LiveReader;
  noticeCommit(events: readonly RecordedEvent[]): void;
  notice(heads: readonly HeadPosition[]): void;
  readers(): number;
  stop(): void;
};

type Reader = {
  readonly sink: Sink;
  leftOut: number;
  toldAtMs: number;
  isOpen: boolean;
  /** How far it had read by itself, until the others have come there, too. */
  ahead: Positions | undefined;
};
type Channel = {
  readonly topic: Topic;
  readonly readers: Set<Reader>;
  readonly toItem: ToItem | undefined;
  readonly traffic: ReturnType<typeof createTraffic> | undefined;
};

const furthest = (positions: Positions, ahead: Positions | undefined): Positions =>
  ahead
    ? new Map([...positions].map(([partition, at]) => [partition, Math.max(at, ahead.get(partition) ?? 0)]))
    : positions;

/**
 * Follows the log once for all who watch it through this process. Ten times a second what was committed is filtered and
 * handed out, one batch for all readers that want the same; without readers nothing is followed.
 */
export const createLiveHub = ({
  feed,
  reader: log,
  pool,
  now,
  onError,
}: {
  feed: LogFeed;
  reader: Pick<LogReader, 'heads'>;
  pool: Pool;
  now: () => number;
  onError: (error: unknown) => void;
}): LiveHub => {
  const channels = new Map<string, Channel>();
  let tails: Map<number, Tail> | undefined;
  let facts = createFacts({ pool });
  let starting: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let readerCount = 0;
  let catchingUp = 0;
  const waiting: (() => void)[] = [];
  let stopped = false;

  const positions = (): Map<number, number> =>
    new Map([...(tails ?? [])].map(([partition, tail]) => [partition, tail.position()]));

  const heads = async (): Promise<Positions> =>
    new Map((await log.heads()).map(({ partition, position }) => [partition, position]));

  /** From where the log ends now, unless somebody watches already. */
  const start = (): Promise<void> => {
    if (tails) return Promise.resolve();
    starting ??= heads()
      .then((ends) => {
        facts = createFacts({ pool });
        tails = new Map(
          [...ends].map(([partition, position]) => [partition, createTail({ feed, partition, from: position })]),
        );
        schedule();
      })
      .finally(() => {
        starting = undefined;
      });
    return starting;
  };

  const schedule = (): void => {
    if (stopped || timer || !tails) return;
    timer = setTimeout(() => {
      void tick()
        .catch(onError)
        .finally(() => {
          timer = undefined;
          schedule();
        });
    }, TICK_MS);
  };

  /** Back to where the tails stood, when what they gave could not be handed out: it is taken again. */
  const goBackTo = (before: Positions): void => {
    const known = [...(tails ?? [])].map(([partition, tail]) => [partition, tail.position() + tail.lag()] as const);
    tails = new Map(
      known.map(([partition]) => [partition, createTail({ feed, partition, from: before.get(partition) ?? 0 })]),
    );
    for (const [partition, position] of known) tails.get(partition)?.hint(position);
  };

  /** The next domain events of applications that are watched, with all that is known of their deliveries. */
  const take = async (): Promise<RecordedEvent[]> => {
    const before = positions();
    try {
      const taken: RecordedEvent[] = [];
      for (const tail of tails?.values() ?? [])
        if (tail.isBehind()) for (const event of await tail.take(TAKE_MAX)) taken.push(event);
      const watched = new Set([...channels.values()].map(({ topic }) => topic.applicationId));
      const own = taken.filter(({ data }) => watched.has(data.applicationId as string));
      await facts.prepare(own);
      return own;
    } catch (error) {
      goBackTo(before);
      throw error;
    }
  };

  const tick = async (): Promise<void> => {
    if (readerCount === 0) {
      tails = undefined;
      return;
    }
    const own = await take();
    // From here to the end nothing is awaited: readers join between two ticks, at the positions of the tails.
    const share = Math.min(
      ITEMS_PER_READER_MAX,
      Math.max(ITEMS_PER_READER_MIN, Math.floor(ITEMS_PER_TICK / Math.max(1, readerCount))),
    );
    const at = now();
    const open = [...channels.values()].map((channel) => ({ ...channel, items: [] as LiveItem[] }));
    const watching = Map.groupBy(open, ({ topic }) => topic.applicationId);
    for (const event of own) {
      facts.learn(event);
      for (const { toItem, items } of watching.get(event.data.applicationId as string) ?? []) {
        const item = toItem?.(event, facts.factsOf);
        if (item) items.push(item);
      }
    }
    for (const channel of open) {
      if (channel.traffic) {
        const about = own.filter(({ data }) => data.applicationId === channel.topic.applicationId);
        for (const second of channel.traffic(about, at))
          for (const { sink } of channel.readers) if (sink.isReady()) sink.write(second);
      } else handOut(channel, share, at);
    }
  };

  /** What a reader that had read ahead has not seen yet. */
  const unseen = (reader: Reader, items: readonly LiveItem[]): readonly LiveItem[] => {
    const { ahead } = reader;
    if (!ahead) return items;
    const fresh = items.filter(({ partition, position }) => position > (ahead.get(partition) ?? 0));
    if ([...positions()].every(([partition, position]) => position >= (ahead.get(partition) ?? 0)))
      reader.ahead = undefined;
    return fresh;
  };

  /** Of too much the newest: whoever watches wants to see what happens, and is told of the rest. */
  const batchOf = (items: readonly LiveItem[], share: number, position: string): Batch => {
    const shown = items.length > share ? items.slice(-share) : items;
    return { items: shown, position, leftOut: items.length - shown.length, isCaughtUp: true };
  };

  const handOut = (
    { readers, items }: Channel & { readonly items: readonly LiveItem[] },
    share: number,
    at: number,
  ): void => {
    const here = encodePositions(positions());
    const whole = batchOf(items, share, here);
    for (const reader of readers) {
      const own = unseen(reader, items);
      const isSilent = own.length === 0 && reader.leftOut === 0;
      // A place behind what it has read would bring that again.
      if (isSilent && (reader.ahead !== undefined || at - reader.toldAtMs < PLACE_MS)) continue;
      if (!reader.sink.isReady()) {
        reader.leftOut += own.length;
        continue;
      }
      const isLikeTheOthers = reader.ahead === undefined && own.length === items.length;
      const batch = isLikeTheOthers ? whole : batchOf(own, share, encodePositions(furthest(positions(), reader.ahead)));
      reader.sink.write(reader.leftOut === 0 ? batch : { ...batch, leftOut: batch.leftOut + reader.leftOut });
      reader.leftOut = 0;
      reader.toldAtMs = at;
    }
  };

  const join = (topic: Topic, reader: Reader): void => {
    const key = topicKey(topic);
    const kind: LiveKind = topic.kind;
    const channel = channels.get(key) ?? {
      topic,
      readers: new Set<Reader>(),
      toItem: kind === 'traffic' ? undefined : toItem(kind, topic.filter),
      traffic: kind === 'traffic' ? createTraffic(topic.filter) : undefined,
    };
    channels.set(key, channel);
    channel.readers.add(reader);
    reader.toldAtMs = now();
    if (kind !== 'traffic') reader.sink.write(batchOf([], 0, encodePositions(furthest(positions(), reader.ahead))));
  };

  const leave = (topic: Topic, reader: Reader): void => {
    if (!reader.isOpen) return;
    reader.isOpen = false;
    readerCount -= 1;
    const key = topicKey(topic);
    const channel = channels.get(key);
    channel?.readers.delete(reader);
    if (channel?.readers.size === 0) channels.delete(key);
  };

  const turn = async (): Promise<void> => {
    if (catchingUp >= CATCHING_UP_MAX) await new Promise<void>((resolve) => waiting.push(resolve));
    else catchingUp += 1;
  };
  const endTurn = (): void => {
    const next = waiting.shift();
    if (next) next();
    else catchingUp -= 1;
  };

  const begin = async (topic: Topic, after: Positions | undefined, reader: Reader): Promise<void> => {
    await start();
    if (after && topic.kind !== 'traffic') {
      await turn();
      try {
        await catchUp({
          topic,
          after,
          toItem: toItem(topic.kind, topic.filter),
          facts: createFacts({ pool }),
          feed,
          sink: reader.sink,
          heads,
          others: positions,
          isOpen: () => reader.isOpen,
          arrived: (ahead) => {
            reader.ahead = ahead;
            join(topic, reader);
          },
        });
      } finally {
        endTurn();
      }
      return;
    }
    // The others may be a moment behind: what they have still to read is no news to this one.
    reader.ahead = await heads();
    if (reader.isOpen) join(topic, reader);
  };

  const hint = (partition: number, position: number): void => tails?.get(partition)?.hint(position);

  return {
    open: (topic, after, sink) => {
      const reader: Reader = { sink, leftOut: 0, toldAtMs: 0, isOpen: true, ahead: undefined };
      readerCount += 1;
      begin(topic, after, reader).catch((error) => {
        leave(topic, reader);
        sink.fail(error);
      });
      return { close: () => leave(topic, reader) };
    },
    noticeCommit: (events) => {
      if (tails) for (const { partition, position } of events) hint(partition, position);
    },
    notice: (heads) => {
      if (tails) for (const { partition, position } of heads) hint(partition, position);
    },
    readers: () => readerCount,
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
};
