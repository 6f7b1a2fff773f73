import type { CheckedBlock } from '../eventstore/chain-check.ts';
import { openOwner } from '../projections/owner.ts';
import { type Cut, isWithin, limitOf, WHOLE } from './cut.ts';
import { faultAt, type LogSource } from './log-source.ts';
import { digestModels, type ProjectionDigest, replayModels } from './replay-models.ts';
import { appendBlocks, finishTarget, openTarget, type ReplayHead, readReplayHeads } from './replay-target.ts';

/** Domain events of one transaction, roughly. */
const BATCH_EVENTS = 2_000;

const TAKE_TURN = `SELECT pg_try_advisory_lock(hashtextextended('audit replay', 7605110214)) AS taken`;

export type ReplayProgress = (phase: 'log' | 'read models', done: number, total: number) => void;

export type Replayed = {
  /** True when it went on where an earlier run had stopped. */
  readonly isResumed: boolean;
  /** By log partition, where the replayed log ends. */
  readonly heads: ReadonlyMap<number, ReplayHead>;
  readonly events: number;
  readonly digests: readonly ProjectionDigest[];
};

/**
 * Replays a log into an empty database: appends its domain events exactly as they are, proving each block first, then builds
 * all read models from what was appended and digests them. Killed at any moment, it is taken up by the same call.
 */
export const replayLog = async ({
  source,
  targetUrl,
  until = WHOLE,
  onProgress = () => undefined,
}: {
  source: LogSource;
  /** The database's owner, as the processes may not write what a replay writes. */
  targetUrl: string;
  until?: Cut;
  onProgress?: ReplayProgress;
}): Promise<Replayed> => {
  const client = await openOwner(targetUrl, 'audit replay');
  try {
    const { rows } = await client.query<{ taken: boolean }>(TAKE_TURN);
    if (rows[0]?.taken !== true)
      throw new Error('Somebody else is replaying into this database; wait for that to finish.');
    const { upTo, isResumed } = await openTarget(client, targetUrl, source, until);
    const before = await readReplayHeads(client);
    const total = sum([...upTo].map(([partition, last]) => Math.min(last, limitOf(until, partition))));
    const append = createAppender(before, (since, blocks) => appendBlocks(client, since, blocks));
    const over = new Set<number>();
    let done = sum([...before.values()].map(({ position }) => position));
    const isBeyond = ({ partition, last }: CheckedBlock): boolean => last > (upTo.get(partition) ?? 0);
    for await (const block of source.blocks({ after: before, isOver: (partition) => over.has(partition) })) {
      if (over.has(block.partition)) continue;
      if (isBeyond(block) || !isWithin(until, block)) {
        over.add(block.partition);
        continue;
      }
      done += await append.add(block);
      onProgress('log', Math.min(done, total), total);
    }
    await append.end();
    onProgress('log', done, done);

    const heads = await readReplayHeads(client);
    const positions = new Map([...heads].map(([partition, { position }]) => [partition, position]));
    await replayModels(client, positions, {
      onProgress: (progress) => onProgress('read models', progress.done, progress.total),
    });
    await finishTarget(client);
    return { isResumed, heads, events: sum(positions.values()), digests: await digestModels(client) };
  } finally {
    await client.end();
  }
};

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((total, number) => total + number, 0);

/** Gathers blocks and writes a batch while the next one is read and proved. Skips what an earlier run has written. */
const createAppender = (
  heads: ReadonlyMap<number, ReplayHead>,
  write: (since: number, blocks: readonly CheckedBlock[]) => Promise<void>,
) => {
  let gathered: CheckedBlock[] = [];
  let count = 0;
  let writing: Promise<void> = Promise.resolve();
  const flush = async (): Promise<void> => {
    await writing;
    const [first] = gathered;
    if (!first) return;
    writing = write(first.first - 1, gathered);
    writing.catch(() => undefined); // Told to whoever waits for it next.
    gathered = [];
    count = 0;
  };
  return {
    /** How many domain events it adds to what is there. */
    add: async (block: CheckedBlock): Promise<number> => {
      const head = heads.get(block.partition);
      if (head && block.last <= head.position) {
        if (block.last === head.position && block.hash !== head.hash.toString('hex'))
          throw faultAt(
            block.partition,
            block.last,
            'has another hash than the one replayed before: this is another log',
          );
        return 0;
      }
      if (gathered[0] && gathered[0].partition !== block.partition) await flush();
      gathered.push(block);
      count += block.events.length;
      if (count >= BATCH_EVENTS) await flush();
      return block.events.length;
    },
    end: async (): Promise<void> => {
      await flush();
      await writing;
    },
  };
};
