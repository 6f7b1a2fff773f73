import type { Logger } from 'pino';
import type { AccessEvent } from '../../domain/access/events.ts';
import type { GroupCommit } from '../../eventstore/group-commit.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import type { LogReader } from '../../eventstore/read.ts';
import type { Refusal } from './principal.ts';

/** Refusals of one kind are gathered for this long. */
const FLUSH_MS = 5_000;
/** Kinds that are gathered at a time; whatever goes beyond is logged as a line only. */
const KINDS_MAX = 1_000;
const APPEND_TRIES = 5;

export type Refusals = {
  readonly note: (refusal: Refusal) => void;
  /** Appends what was gathered. */
  readonly flush: () => Promise<void>;
  readonly stop: () => Promise<void>;
};

/** Records what was refused: a line in the log at once, and a domain event for all of one kind within some seconds. */
export const createRefusals = ({
  log,
  reader,
  partitions,
  logger,
  now,
}: {
  log: GroupCommit;
  reader: LogReader;
  partitions: number;
  logger: Pick<Logger, 'warn' | 'error'>;
  now: () => Date;
}): Refusals => {
  let gathered = new Map<string, AccessEvent['data']>();

  const append = async (data: AccessEvent['data']): Promise<void> => {
    const streamId = `access:${data.actor}`;
    const partition = partitionOf(data.actor, partitions);
    for (let tries = 0; tries < APPEND_TRIES; tries += 1) {
      const expectedVersion = await reader.streamVersion(streamId, partition);
      const result = await log.append({
        streams: [{ streamId, partition, expectedVersion, events: [{ type: 'AccessRefused', data }] }],
        metadata: { actor: 'system:api', causationId: streamId, correlationId: streamId },
      });
      if (result.kind === 'appended') return;
    }
    throw new Error(`Refusals of ${data.actor} could not be appended: others append to ${streamId} all the time.`);
  };

  const flush = async (): Promise<void> => {
    const batch = [...gathered.values()];
    gathered = new Map();
    const done = await Promise.allSettled(batch.map(append));
    for (const result of done)
      if (result.status === 'rejected') logger.error({ err: result.reason }, 'refusals could not be recorded');
  };
  const timer = setInterval(() => void flush(), FLUSH_MS);
  timer.unref();

  return {
    note: ({ actor, action, id }) => {
      logger.warn({ actor, action, problem: id }, 'access refused');
      const at = now().toISOString();
      const key = `${actor} ${action} ${id}`;
      const known = gathered.get(key);
      if (known) gathered.set(key, { ...known, count: known.count + 1, lastAt: at });
      else if (gathered.size < KINDS_MAX)
        gathered.set(key, { actor, action, problem: id, count: 1, firstAt: at, lastAt: at });
    },
    flush,
    stop: async () => {
      clearInterval(timer);
      await flush();
    },
  };
};
