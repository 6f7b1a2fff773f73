import type { Logger } from 'pino';
import type { AccessEvent } from '../../domain/access/events.ts';
import type { GroupCommit } from '../../eventstore/group-commit.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import type { LogReader } from '../../eventstore/read.ts';
import { projectConfiguration } from '../../projections/configuration/projections.ts';
import type { Refusal } from './principal.ts';

/** Refusals of one kind are gathered for this long. */
const FLUSH_MS = 5_000;
/** Kinds that are gathered at a time; whatever goes beyond is logged as a line only. */
const KINDS_MAX = 1_000;
/** Of the addresses that asked for the same, as many are told. */
const IPS_MAX = 5;
/** Other processes may append to the stream of the same actor. */
const APPEND_TRIES = 20;

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

  /** All kinds of one actor as one append: they share a stream. */
  const append = async (actor: string, kinds: readonly AccessEvent['data'][]): Promise<void> => {
    const streamId = `access:${actor}`;
    const partition = partitionOf(actor, partitions);
    const events = kinds.map((data) => ({ type: 'AccessRefused', data }));
    for (let tries = 0; tries < APPEND_TRIES; tries += 1) {
      const expectedVersion = await reader.streamVersion(streamId, partition);
      const result = await log.append({
        streams: [{ streamId, partition, expectedVersion, events }],
        metadata: { actor: 'system:api', causationId: streamId, correlationId: streamId },
        project: projectConfiguration,
      });
      if (result.kind === 'appended') return;
    }
    throw new Error(`Refusals of ${actor} could not be appended: others append to ${streamId} all the time.`);
  };

  const flush = async (): Promise<void> => {
    const batch = Map.groupBy(gathered.values(), ({ actor }) => actor);
    gathered = new Map();
    const done = await Promise.allSettled([...batch].map(([actor, kinds]) => append(actor, kinds)));
    for (const result of done)
      if (result.status === 'rejected') logger.error({ err: result.reason }, 'refusals could not be recorded');
  };
  const timer = setInterval(() => void flush(), FLUSH_MS);
  timer.unref();

  return {
    note: ({ actor, action, id, organizationId = null, ip }) => {
      logger.warn({ actor, action, problem: id, ip }, 'access refused');
      const at = now().toISOString();
      const key = `${actor} ${action} ${id} ${organizationId}`;
      const known = gathered.get(key);
      if (!known && gathered.size >= KINDS_MAX) return;
      const { count = 0, firstAt = at, ips = [] } = known ?? {};
      gathered.set(key, {
        actor,
        organizationId,
        action,
        problem: id,
        count: count + 1,
        ips: ip === undefined || ips.includes(ip) || ips.length >= IPS_MAX ? ips : [...ips, ip],
        firstAt,
        lastAt: at,
      });
    },
    flush,
    stop: async () => {
      clearInterval(timer);
      await flush();
    },
  };
};
