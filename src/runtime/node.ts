import type { Logger } from 'pino';
import type { Config } from '../config/load.ts';
import type { Role } from '../config/schema.ts';
import type { Secrets } from '../config/secrets.ts';
import { uuidv7 } from '../domain/event/ids.ts';
import { prepareEd25519Key } from '../domain/signature/keys.ts';
import { type Subscription, subscriptionDecider } from '../domain/subscription/decider.ts';
import type { SubscriptionCommand, SubscriptionEvent } from '../domain/subscription/events.ts';
import type { OwnEndpoint } from '../domain/target/address.ts';
import { createCommandHandler } from '../eventstore/command-handler.ts';
import { createLogFeed } from '../eventstore/feed.ts';
import { createGroupCommit } from '../eventstore/group-commit.ts';
import { createLeaseKeeper, expireAllLeases, type LeaseKeeper } from '../eventstore/leases.ts';
import { partitionOf } from '../eventstore/partition.ts';
import { BY_KEY_ONLY, createAppPool, HOLDS_HEADS } from '../eventstore/pool.ts';
import { createLogReader, type HeadPosition } from '../eventstore/read.ts';
import { createTurns } from '../eventstore/turns.ts';
import type { RunQuery } from '../eventstore/types.ts';
import { createWake } from '../eventstore/wake.ts';
import { createLiveHub, type LiveHub } from '../live/hub.ts';
import { mailOwners } from '../mail/owners.ts';
import type { MailContent } from '../mail/templates.ts';
import type { SubscriptionConfiguration } from '../projections/configuration/application-configuration.ts';
import { createConfigurationCache } from '../projections/configuration/cache.ts';
import { projectConfiguration } from '../projections/configuration/projections.ts';
import type { Projection } from '../projections/projection.ts';
import { createProjectionRunner, type ProjectionRunner } from '../projections/runner.ts';
import { cleaners } from '../retention/cleaners.ts';
import { createRetentionDaysOf, retentionWarning } from '../retention/days.ts';
import { startRetention } from '../retention/schedule.ts';
import { createVault } from '../vault/vault.ts';
import { createBuiltInReceiver } from '../worker/built-in-receiver/receiver.ts';
import { createEngine, type Engine } from '../worker/delivery/engine.ts';
import { createFollower, type Follower } from '../worker/delivery/follower.ts';
import { createPayloadLoader } from '../worker/delivery/payloads.ts';
import { createRequestBuilder } from '../worker/delivery/request.ts';
import { createSender, type Sender } from '../worker/send/send.ts';
import { countPending, createWorkListQueries } from '../worklist/pending-delivery.ts';
import { createMetrics, type Metrics, observe } from './metrics.ts';
import { watchOwnEndpoints } from './own-endpoints.ts';

/** Between two looks at all heads: the truth behind every hint. */
const HEADS_POLL_MS = 500;
const DAYS_AHEAD = 16;
const MAINTENANCE_MS = 3_600_000;
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

const leaseLog = (logger: Logger, processor: string) => (what: string, partition: number, epoch: number) =>
  logger.debug({ processor, partition, epoch }, what);

type WorkerRole = {
  readonly leases: LeaseKeeper;
  readonly engine: Engine;
  readonly follower: Follower;
  readonly sender: Sender;
};

const createWorkerRole = (
  options: NodeOptions,
  core: Core,
  metrics: Metrics,
  ownEndpoints: readonly OwnEndpoint[],
): WorkerRole => {
  const { config, secrets, partitions, logger } = options;
  const { log, configuration, vault, workList, workReader, onError } = core;
  const [signingKey] = secrets.biscuitPrivateKeys;
  if (!signingKey) throw new Error('POSTHORN_BISCUIT_PRIVATE_KEYS names no key.');
  const sender = createSender({
    allowCidrs: config.allowTargetCidrs,
    deniedPorts: new Set(config.denyTargetPorts),
    ownEndpoints,
    allowHttp: config.allowHttpTargets,
    ...(config.builtInReceiver && { builtInReceiver: createBuiltInReceiver(config) }),
    dnsServers: config.dnsServers,
    timeoutMs: config.attemptTimeoutMs,
    // A socket for whatever may be in flight: tenants that share a receiver's host do not wait for each other.
    connectionsPerOrigin: config.concurrency,
    userAgent: `posthorn/${options.version}`,
  });
  const note = leaseLog(logger, 'delivery');
  const leases = createLeaseKeeper({
    pool: core.leasePool,
    processor: 'delivery',
    partitions,
    leaseMs: config.leaseMs,
    fencesLog: true,
    events: {
      onTaken: async ({ partition, epoch }) => {
        note('log partition taken', partition, epoch);
        const head = (await workReader.heads()).find((other) => other.partition === partition);
        engine.own(partition, epoch);
        // Not awaited: a long work list must not hold up the next renewal.
        follower.take(partition, head?.position ?? 0).catch(onError);
      },
      onLost: ({ partition, epoch }) => {
        logger.warn({ processor: 'delivery', partition, epoch }, 'lease of a log partition lost');
        follower.leave(partition);
        engine.disown(partition).catch(onError);
      },
      onRelease: async ({ partition, epoch }) => {
        note('log partition given back', partition, epoch);
        follower.leave(partition);
        await engine.disown(partition);
      },
      onError,
    },
  });
  const engine = createEngine({
    log,
    leases,
    configuration,
    sender,
    partitions,
    vault,
    buildRequest: createRequestBuilder({
      vault,
      signatureHeader: config.signatureHeader,
      signatureV0: config.signatureV0,
      ed25519Key: prepareEd25519Key(signingKey.key),
    }),
    loadPayload: createPayloadLoader({ pool: core.workPool, vault, partitions }),
    disableSubscription: (subscription) => disableAsGone(core, subscription, partitions),
    retrySchedule: config.retrySchedule,
    limits: {
      inFlightMax: config.concurrency,
      inFlightPerApplicationMax: Math.max(1, Math.ceil(config.concurrency / 4)),
      inFlightPerSubscriptionMax: config.subscriptionConcurrency,
    },
    metrics: {
      recorded: (outcome, totalMs) => {
        metrics.deliveries.inc({ outcome });
        metrics.attemptSeconds.observe(totalMs / 1000);
      },
      late: () => metrics.lateResults.inc(),
    },
    onError: (error, context) =>
      logger.error({ err: error, ...context }, 'a delivery could not be attempted; it will be tried again'),
  });
  const follower = createFollower({ engine, workList, configuration, databaseNow: leases.databaseNow, onError });
  log.onCommit(follower.noticeCommit);
  return { leases, engine, follower, sender };
};

const disableAsGone = async (
  { handle }: Core,
  subscription: SubscriptionConfiguration,
  partitions: number,
): Promise<void> => {
  const { subscriptionId, applicationId, organizationId } = subscription;
  const at = new Date();
  await handle<Subscription, SubscriptionCommand, SubscriptionEvent>(
    subscriptionDecider,
    { streamId: `subscription:${subscriptionId}`, partition: partitionOf(applicationId, partitions) },
    {
      type: 'DisableSubscription',
      data: { subscriptionId, applicationId, organizationId, reason: 'gone' },
      metadata: { now: at },
    },
    { actor: 'system:worker', causationId: `subscription:${subscriptionId}`, correlationId: subscriptionId },
    () => ({
      movesConfiguration: true,
      project: async (events, run) => {
        await projectConfiguration(events, run);
        await mailDisabled(run, subscription, at);
      },
    }),
  );
};

const NAMES = `
  SELECT o.name AS organization, a.name AS application
  FROM application AS a JOIN organization AS o ON o.organization_id = a.organization_id WHERE a.application_id = $1`;

/** Tells the owners in the append that disables it: whoever relies on the events has to hear of it. */
const mailDisabled = async (run: RunQuery, subscription: SubscriptionConfiguration, at: Date): Promise<void> => {
  const { subscriptionId, applicationId, organizationId, settings } = subscription;
  const { rows } = await run(NAMES, [applicationId]);
  const content: MailContent = {
    template: 'endpoint_disabled',
    organization: String(rows[0]?.organization ?? ''),
    application: String(rows[0]?.application ?? ''),
    // Without what stands behind the path: it may be a credential.
    url: settings.target.url.split('?', 1)[0] ?? '',
    reason: 'it answered 410 Gone',
    subscriptionId,
  };
  await mailOwners(run, { organizationId, content, at, newId: () => uuidv7(at.getTime()) });
};

type ProjectorRole = { readonly leases: LeaseKeeper; readonly runners: readonly ProjectionRunner[] };

const createProjectorRole = ({ projections, partitions, config, logger }: NodeOptions, core: Core): ProjectorRole => {
  const { queryPool, reader, feed, log, onError } = core;
  const runners = projections
    .filter(({ mode }) => mode === 'async')
    .map((projection) => createProjectionRunner({ pool: queryPool, reader, feed, projection, onError }));
  const note = leaseLog(logger, 'projector');
  const leases = createLeaseKeeper({
    pool: core.leasePool,
    processor: 'projector',
    partitions,
    leaseMs: config.leaseMs,
    events: {
      onTaken: ({ partition, epoch }) => {
        note('log partition taken', partition, epoch);
        for (const runner of runners) runner.take(partition).catch(onError);
      },
      onLost: ({ partition }) => {
        for (const runner of runners) runner.leave(partition);
      },
      onRelease: async ({ partition }) => {
        for (const runner of runners) runner.leave(partition);
      },
      onError,
    },
  });
  log.onCommit((events) => {
    for (const runner of runners) runner.noticeCommit(events);
  });
  return { leases, runners };
};

export type Node = {
  readonly core: Core;
  readonly metrics: Metrics;
  readonly worker: WorkerRole | undefined;
  readonly projector: ProjectorRole | undefined;
  /** What is watched through this process; follows the log only while somebody watches. */
  readonly live: LiveHub;
  /** Where no target may be: a list that is kept up to date. */
  readonly ownEndpoints: readonly OwnEndpoint[];
  /** Stops taking work, lets what is in flight end (at most `shutdownTimeoutMs`), gives everything back. */
  stop(): Promise<void>;
};

/** Starts the background roles of a process; the API is put on top by the composition root. */
export const startNode = async (options: NodeOptions): Promise<Node> => {
  const { roles, url, logger, config } = options;
  const core = createCore(options);
  const ownEndpoints = await watchOwnEndpoints(config, url);
  const metrics = createMetrics();
  const { onError } = core;
  if (options.isAlone) await expireAllLeases(core.queryPool);
  await core.configuration.notice(await core.workReader.heads());
  const worker = roles.includes('worker') ? createWorkerRole(options, core, metrics, ownEndpoints.current) : undefined;
  const projector = roles.includes('projector') ? createProjectorRole(options, core) : undefined;

  const live = createLiveHub({ feed: core.feed, reader: core.workReader, pool: core.workPool, now: Date.now, onError });
  core.log.onCommit(live.noticeCommit);

  const notice = (heads: readonly HeadPosition[]): void => {
    live.notice(heads);
    core.configuration.notice(heads).catch(onError);
    worker?.follower.notice(heads);
    for (const runner of projector?.runners ?? []) runner.notice(heads);
  };
  const watch = createHeadWatch(core, notice);
  const wake = createWake({ url, onWake: watch.look, onError });
  const isAlone = (): boolean =>
    worker?.leases.held().length === options.partitions && projector?.leases.held().length === options.partitions;
  core.log.onCommit((events) => {
    // Whoever holds everything has nobody to wake: the others only look at configuration, which each commit checks.
    if (!isAlone()) wake.announce(new Set(events.map(({ partition }) => partition)));
  });

  const maintain = (): Promise<unknown> =>
    core.queryPool.query(`SELECT posthorn_make_days((clock_timestamp() AT TIME ZONE 'UTC')::date - 1, $1)`, [
      DAYS_AHEAD,
    ]);
  await maintain();
  const maintenance = setInterval(() => maintain().catch(onError), MAINTENANCE_MS);
  maintenance.unref();

  const warning = retentionWarning(config);
  if (warning !== undefined) logger.warn(warning);
  const retention = startRetention({
    url,
    handle: core.handle,
    retentionDaysOf: createRetentionDaysOf(core.queryPool, config),
    cleaners,
    onApplied: ({ cleaned, postponed }) => {
      if (cleaned) logger.info(cleaned, 'what was over was cleaned');
      if (postponed.length > 0)
        logger.warn({ postponed }, 'days in use could not be dropped; they will be tried again');
    },
    onError,
  });

  await projector?.leases.start();
  await worker?.leases.start();
  worker?.follower.start();
  observeNode(metrics, core, worker, projector);

  return {
    core,
    metrics,
    worker,
    projector,
    live,
    ownEndpoints: ownEndpoints.current,
    stop: async () => {
      clearInterval(maintenance);
      ownEndpoints.stop();
      live.stop();
      worker?.follower.stop();
      const orderly = async (): Promise<void> => {
        const cleaned = retention.stop().catch(onError);
        await worker?.leases.stop();
        watch.stop();
        await projector?.leases.stop();
        for (const runner of projector?.runners ?? []) await runner.stop();
        await wake.stop();
        await cleaned;
        await core.log.drained();
        await worker?.sender.close().catch(onError);
        const { appendPool, queryPool, tenantPool, workPool, leasePool } = core;
        await Promise.all([appendPool, queryPool, tenantPool, workPool, leasePool].map((pool) => pool.end()));
        logger.debug('all roles have stopped');
      };
      const timeout = new Promise<void>((resolve) => setTimeout(resolve, config.shutdownTimeoutMs).unref());
      await Promise.race([orderly(), timeout]);
    },
  };
};

/** Looks at all heads twice a second, and at once when another process says that they have moved. */
const createHeadWatch = ({ workReader: reader, onError }: Core, notice: (heads: readonly HeadPosition[]) => void) => {
  let timer: NodeJS.Timeout | undefined;
  let looking = false;
  let again = false;
  let stopped = false;
  const look = (): void => {
    if (stopped) return;
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    clearTimeout(timer);
    reader
      .heads()
      .then(notice)
      .catch(onError)
      .finally(() => {
        looking = false;
        if (stopped) return;
        if (again) {
          again = false;
          look();
        } else timer = setTimeout(look, HEADS_POLL_MS);
      });
  };
  look();
  return {
    look,
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
};

const observeNode = (
  metrics: Metrics,
  core: Core,
  worker: WorkerRole | undefined,
  projector: ProjectorRole | undefined,
): void =>
  observe(metrics, {
    inFlight: () => worker?.engine.inFlight() ?? 0,
    queued: () => worker?.engine.queue.queued ?? 0,
    appendsWaiting: () => core.log.waiting(),
    leases: () => [
      ...(worker ? [{ processor: 'delivery', held: worker.leases.held().length }] : []),
      ...(projector ? [{ processor: 'projector', held: projector.leases.held().length }] : []),
    ],
    lags: () => (projector?.runners ?? []).map((runner) => ({ projection: runner.projection.name, lag: runner.lag() })),
    parked: () =>
      (projector?.runners ?? []).map((runner) => ({
        projection: runner.projection.name,
        parked: runner.parked().size,
      })),
    workList: () => countPending(core.queryPool),
    pools: () =>
      (
        [
          ['append', core.appendPool],
          ['query', core.queryPool],
          ['tenant', core.tenantPool],
          ['work', core.workPool],
        ] as const
      ).map(([pool, { totalCount, idleCount, waitingCount }]) => ({
        pool,
        total: totalCount,
        idle: idleCount,
        waiting: waitingCount,
      })),
  });
