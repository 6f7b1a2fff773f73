import { prepareEd25519Key } from '../domain/signature/keys.ts';
import type { OwnEndpoint } from '../domain/target/address.ts';
import { createLeaseKeeper, type LeaseKeeper } from '../eventstore/leases.ts';
import { createBuiltInReceiver } from '../worker/built-in-receiver/receiver.ts';
import { createEngine, type Engine } from '../worker/delivery/engine.ts';
import { createFollower, type Follower } from '../worker/delivery/follower.ts';
import { createPayloadLoader } from '../worker/delivery/payloads.ts';
import { createRequestBuilder } from '../worker/delivery/request.ts';
import { createSender, type Sender } from '../worker/send/send.ts';
import { type Core, leaseLog, type NodeOptions } from './core.ts';
import { disableAsGone } from './disable-gone.ts';
import type { Metrics } from './metrics.ts';

export type WorkerRole = {
  readonly leases: LeaseKeeper;
  readonly engine: Engine;
  readonly follower: Follower;
  readonly sender: Sender;
};

/** Delivers what is owed on the log partitions that this process owns. */
export const createWorkerRole = (
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
