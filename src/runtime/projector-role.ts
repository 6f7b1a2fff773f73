import { createLeaseKeeper, type LeaseKeeper } from '../eventstore/leases.ts';
import { createProjectionRunner, type ProjectionRunner } from '../projections/runner.ts';
import { type Core, leaseLog, type NodeOptions } from './core.ts';

export type ProjectorRole = { readonly leases: LeaseKeeper; readonly runners: readonly ProjectionRunner[] };

/** Keeps the read models of the log partitions that this process owns up to date. */
export const createProjectorRole = (
  { projections, partitions, config, logger }: NodeOptions,
  core: Core,
): ProjectorRole => {
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
