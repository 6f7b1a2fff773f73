import type { Logger } from 'pino';
import type { Config } from '../config/load.ts';
import type { Role } from '../config/schema.ts';
import type { Secrets } from '../config/secrets.ts';
import { createCommandHandler } from '../eventstore/command-handler.ts';
import { createLogFeed } from '../eventstore/feed.ts';
import { createGroupCommit } from '../eventstore/group-commit.ts';
import { BY_KEY_ONLY, createAppPool, HOLDS_HEADS } from '../eventstore/pool.ts';
import { createLogReader } from '../eventstore/read.ts';
import { createTurns } from '../eventstore/turns.ts';
import { createConfigurationCache } from '../projections/configuration/cache.ts';
import type { Projection } from '../projections/projection.ts';
import { createVault } from '../vault/vault.ts';
import { createWorkListQueries } from '../worklist/pending-delivery.ts';

/** For a statement of a flush: past the 5 s for which it may wait for a lock, nobody is listening any more. */
const APPEND_TIMEOUT_MS = 8_000;
/** For a statement of the worker; a page of the work list takes some milliseconds. */
const WORK_TIMEOUT_MS = 3_000;

export type NodeOptions = {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly url: string;
  readonly partitions: number;
  readonly roles: readonly Role[];
  /** True when no other process can hold a lease: then those left over are freed at once. */
  readonly isAlone: boolean;
  readonly logger: Logger;
  readonly projections: readonly Projection[];
  readonly version: string;
};

/** All that the roles of one process share. */
export type Core = ReturnType<typeof createCore>;

export const createCore = ({ url, partitions, secrets, logger, config }: NodeOptions) => {
  const appendPool = createAppPool({
    url,
    max: 2,
    name: 'append',
    settings: BY_KEY_ONLY + HOLDS_HEADS,
    queryTimeoutMs: APPEND_TIMEOUT_MS,
  });
  const queryPool = createAppPool({ url, max: 8, name: 'query' });
  const tenantPool = createAppPool({ url, max: 6, name: 'tenant', role: 'posthorn_tenant' });
  // What deliveries and followers wait for: small look-ups, so that a connection that hangs is soon known for it and replaced.
  const workPool = createAppPool({ url, max: 6, name: 'work', settings: BY_KEY_ONLY, queryTimeoutMs: WORK_TIMEOUT_MS });
  // Of their own, and impatient: a lease is kept only by who hears from the database in time.
  const leasePool = createAppPool({
    url,
    max: 4,
    name: 'lease',
    settings: HOLDS_HEADS,
    queryTimeoutMs: Math.max(1_000, config.leaseMs / 2),
  });
  const log = createGroupCommit({ pool: appendPool });
  const reader = createLogReader({ db: queryPool, partitions });
  const workReader = createLogReader({ db: workPool, partitions });
  const feed = createLogFeed({ reader: workReader });
  const onError = (error: unknown): void =>
    logger.error({ err: error }, 'background work failed; it will be tried again');
  const configuration = createConfigurationCache({ pool: workPool, onError });
  const vault = createVault({ pool: workPool, keys: secrets.encryptionKeys });
  const turns = createTurns();
  const handle = createCommandHandler({ log, reader, turns });
  const workList = createWorkListQueries({ pool: workPool });
  log.onCommit(configuration.noticeCommit);
  log.onCommit(feed.offer); // Before whoever follows the log.
  return {
    appendPool,
    queryPool,
    tenantPool,
    workPool,
    leasePool,
    log,
    reader,
    workReader,
    feed,
    configuration,
    vault,
    turns,
    handle,
    workList,
    onError,
  };
};

/** Writes what becomes of the leases of a processor into the log of the process. */
export const leaseLog = (logger: Logger, processor: string) => (what: string, partition: number, epoch: number) =>
  logger.debug({ processor, partition, epoch }, what);
