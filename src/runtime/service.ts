import { createPublicKey } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { type Logger, pino } from 'pino';
import { createAuthenticate } from '../api/auth/authenticate.ts';
import type { ApiDeps } from '../api/deps.ts';
import { createIngest } from '../api/ingest/ingest.ts';
import { createAttemptLimiter } from '../api/rate-limit/attempts.ts';
import { createBuckets } from '../api/rate-limit/buckets.ts';
import { createRateGuard, UNLIMITED } from '../api/rate-limit/guard.ts';
import { createRateLimiter } from '../api/rate-limit/limiter.ts';
import { createApi } from '../api/server.ts';
import type { Config } from '../config/load.ts';
import type { Secrets } from '../config/secrets.ts';
import { prepareEd25519Key, whpkOf } from '../domain/signature/keys.ts';
import { createAppPool } from '../eventstore/pool.ts';
import { refuseReplayed } from '../eventstore/replayed.ts';
import { signCheckpoint } from '../eventstore/signed-heads.ts';
import { asyncProjections } from '../projections/index.ts';
import { type Node, startNode } from './node.ts';

/** Between two signed statements of the log's heads. */
const CHECKPOINT_MS = 3_600_000;
/** Between two looks for buckets that nobody has taken from lately. */
const LIMITS_CLEAN_MS = 60_000;
const LIMITS_TIMEOUT_MS = 3_000;

export type ServiceOptions = {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly url: string;
  readonly partitions: number;
  readonly isAlone: boolean;
  readonly version: string;
  readonly logger?: Logger;
};

export type Service = {
  /** Where the API listens; undefined without that role. */
  readonly address: string | undefined;
  readonly node: Node;
  readonly stop: () => Promise<void>;
};

export const createLogger = (config: Config): Logger =>
  pino({
    level: config.logLevel,
    base: { pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    // What a database error quotes may be a payload: only its kind and message are logged.
    serializers: {
      err: (error: Error & { code?: string; cause?: unknown }) => ({
        type: error?.name,
        code: error?.code,
        message: error?.message,
        stack: error?.stack,
        cause: error?.cause instanceof Error ? `${error.cause.name}: ${error.cause.message}` : undefined,
      }),
    },
  });

/** What is counted in the database for all processes; on a connection of its own, so that reads do not hold requests up. */
const createRateLimits = ({ config, url }: ServiceOptions, { core }: Node) => {
  const settings = ' -c synchronous_commit=off';
  const pool = createAppPool({ url, max: 1, name: 'limits', settings, queryTimeoutMs: LIMITS_TIMEOUT_MS });
  const buckets = createBuckets({ pool });
  const limiter = createRateLimiter({ buckets, onError: core.onError });
  const timer = setInterval(() => buckets.clean().catch(core.onError), LIMITS_CLEAN_MS);
  timer.unref();
  return {
    guard: config.rateLimits === 'off' ? UNLIMITED : createRateGuard(limiter, config.rateLimits),
    attempts: createAttemptLimiter(limiter),
    stop: async () => {
      clearInterval(timer);
      await pool.end();
    },
  };
};

const apiDeps = (options: ServiceOptions, node: Node, limits: ReturnType<typeof createRateLimits>): ApiDeps => {
  const { config, secrets, partitions, version } = options;
  const { queryPool, log, reader, handle, configuration, workList, vault } = node.core;
  const now = (): Date => new Date();
  const { registry, eventsIngested } = node.metrics;
  const authenticate = createAuthenticate({ pool: queryPool, masterKey: secrets.masterKey, now });
  log.onCommit(authenticate.noticeCommit);
  return {
    config,
    version,
    pool: queryPool,
    partitions,
    log,
    reader,
    handle,
    configuration,
    workList,
    vault,
    live: node.live,
    ingest: createIngest({ log, reader, configuration, partitions, now }),
    authenticate,
    rateGuard: limits.guard,
    attempts: limits.attempts,
    onIngested: (result) => eventsIngested.inc({ result }),
    metrics: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
    readiness: [
      { name: 'database', check: async () => void (await queryPool.query('SELECT 1')) },
      {
        name: 'projections',
        check: async () => {
          const stopped = (node.projector?.runners ?? []).flatMap((runner) => [...runner.parked().values()]);
          if (stopped[0]) throw new Error(stopped[0]);
        },
      },
    ],
    publicKeys: secrets.biscuitPrivateKeys.map(({ id, key }) => {
      const privateKey = prepareEd25519Key(key);
      const der = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
      return { id, whpk: whpkOf(privateKey), hex: der.subarray(-32).toString('hex') };
    }),
    healthKey: config.healthKey,
    now,
  };
};

/**
 * Starts the roles of this process, and stops them in the order that loses nothing. Rejects with ReplayedDatabase on one that
 * holds a log replayed for an audit, whatever the roles.
 */
export const startService = async (options: ServiceOptions): Promise<Service> => {
  const { config, secrets, url, partitions, isAlone, version } = options;
  const logger = options.logger ?? createLogger(config);
  await refuseReplayed(url);
  const node = await startNode({
    config,
    secrets,
    url,
    partitions,
    isAlone,
    version,
    logger,
    roles: config.roles,
    projections: asyncProjections,
  });
  const limits = createRateLimits(options, node);
  let app: FastifyInstance | undefined;
  let address: string | undefined;
  try {
    if (config.roles.includes('api')) {
      app = await createApi(apiDeps(options, node, limits), logger);
      address = await app.listen({ host: config.host, port: config.port });
    }
  } catch (error) {
    await limits.stop();
    await node.stop();
    throw error;
  }
  const [signingKey] = secrets.biscuitPrivateKeys;
  const checkpoint = async (): Promise<void> => {
    if (signingKey) await signCheckpoint(node.core.queryPool, signingKey, new Date());
  };
  const timer = setInterval(() => checkpoint().catch(node.core.onError), CHECKPOINT_MS);
  return {
    address,
    node,
    stop: async () => {
      clearInterval(timer);
      // Requests under way are answered first: what they append is still delivered or left in the work list.
      await app?.close();
      await limits.stop();
      if (config.roles.includes('api')) await checkpoint().catch(node.core.onError);
      await node.stop();
    },
  };
};
