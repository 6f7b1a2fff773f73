import type { OwnEndpoint } from '../domain/target/address.ts';
import { expireAllLeases } from '../eventstore/leases.ts';
import type { HeadPosition } from '../eventstore/read.ts';
import { createWake } from '../eventstore/wake.ts';
import { createLiveHub, type LiveHub } from '../live/hub.ts';
import { cleaners } from '../retention/cleaners.ts';
import { createRetentionDaysOf, retentionWarning } from '../retention/days.ts';
import { startRetention } from '../retention/schedule.ts';
import { countPending } from '../worklist/pending-delivery.ts';
import { type Core, createCore, type NodeOptions } from './core.ts';
import { createHeadWatch } from './head-watch.ts';
import { createMetrics, type Metrics, observe } from './metrics.ts';
import { watchOwnEndpoints } from './own-endpoints.ts';
import { createProjectorRole, type ProjectorRole } from './projector-role.ts';
import { createWorkerRole, type WorkerRole } from './worker-role.ts';

const DAYS_AHEAD = 16;
const MAINTENANCE_MS = 3_600_000;

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
        await cleaned;
        await core.log.drained();
        await wake.stop();
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
