import { createPublicKey } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { createAuthenticate } from '../api/auth/authenticate.ts';
import { createRefusals } from '../api/auth/refusals.ts';
import { createTenantView } from '../api/auth/tenant-view.ts';
import { createTokenUse } from '../api/auth/token-use.ts';
import type { ApiDeps } from '../api/deps.ts';
import { createStoredSchemas } from '../api/event-type/stored-schemas.ts';
import { createIngest } from '../api/ingest/ingest.ts';
import type { SettingDescription } from '../api/instance/environment.ts';
import { createLimitsOf } from '../api/quota/limits.ts';
import { createQuotaWatch } from '../api/quota/watch.ts';
import { createAttemptLimiter } from '../api/rate-limit/attempts.ts';
import { createBuckets } from '../api/rate-limit/buckets.ts';
import { createRateGuard, UNLIMITED } from '../api/rate-limit/guard.ts';
import { createRateLimiter } from '../api/rate-limit/limiter.ts';
import { createApi } from '../api/server.ts';
import { fields } from '../config/load.ts';
import { prepareEd25519Key, whpkOf } from '../domain/signature/keys.ts';
import { createAppPool } from '../eventstore/pool.ts';
import { createPasswordHasher } from '../identity/hasher.ts';
import { createMailer } from '../mail/mailer.ts';
import type { PageUrl } from '../mail/templates.ts';
import { createFileTransport, createSmtpTransport } from '../mail/transport.ts';
import { createTokens } from '../tokens/tokens.ts';
import type { Node } from './node.ts';
import type { ServiceOptions } from './service.ts';

/** Between two looks for buckets that nobody has taken from lately. */
const LIMITS_CLEAN_MS = 60_000;
const LIMITS_TIMEOUT_MS = 3_000;

/** What the API stands on in a process. */
type Ground = Pick<Node, 'core' | 'live' | 'metrics'> & Partial<Pick<Node, 'projector' | 'ownEndpoints'>>;
type ApiOptions = Pick<ServiceOptions, 'config' | 'secrets' | 'url' | 'partitions' | 'version'>;

/** What is counted in the database for all processes; on a connection of its own, so that reads do not hold requests up. */
const createRateLimits = ({ config, url }: ApiOptions, { core, metrics }: Ground) => {
  const onRefused = (limit: string): void => metrics.rateLimited.inc({ limit });
  const settings = ' -c synchronous_commit=off';
  const pool = createAppPool({ url, max: 1, name: 'limits', settings, queryTimeoutMs: LIMITS_TIMEOUT_MS });
  const buckets = createBuckets({ pool });
  const limiter = createRateLimiter({ buckets, onError: core.onError });
  const timer = setInterval(() => buckets.clean().catch(core.onError), LIMITS_CLEAN_MS);
  timer.unref();
  return {
    guard: config.rateLimits === 'off' ? UNLIMITED : createRateGuard(limiter, config.rateLimits, onRefused),
    attempts: createAttemptLimiter(limiter),
    stop: async () => {
      clearInterval(timer);
      await pool.end();
    },
  };
};

/** Pages of the dashboard; what comes behind `#` stays in the browser. */
const pageUrl =
  (publicUrl: string): PageUrl =>
  (path, fragment) =>
    `${publicUrl}${path}${fragment === undefined ? '' : `#${encodeURIComponent(fragment)}`}`;

const settings = (): SettingDescription[] =>
  fields().map(([, { variable, description, default: standard, secret }]) => ({
    variable,
    description,
    default: standard,
    isSensitive: secret !== undefined,
  }));

/** Who asks, and what is refused to whom. */
const createIdentity = ({ secrets, partitions }: ApiOptions, { core }: Ground, logger: Logger, now: () => Date) => {
  const { queryPool, log, reader, onError } = core;
  const tokens = createTokens({ keys: secrets.biscuitPrivateKeys });
  const refusals = createRefusals({ log, reader, partitions, logger, now });
  const use = createTokenUse({ pool: queryPool, now, onError });
  const authenticate = createAuthenticate({
    pool: queryPool,
    masterKey: secrets.masterKey,
    tokens,
    use,
    refused: refusals.note,
    now,
  });
  log.onCommit(authenticate.noticeCommit);
  return { tokens, refusals, authenticate, stop: () => Promise.all([refusals.stop(), use.stop()]) };
};

export type ApiRole = {
  readonly app: FastifyInstance;
  /** Once nothing is asked any more. */
  readonly stop: () => Promise<void>;
};

/** The API with all that it alone needs; listens only when told to. */
export const createApiRole = async (
  options: ApiOptions,
  node: Ground,
  logger: Logger,
  now: () => Date = () => new Date(),
): Promise<ApiRole> => {
  const { config, secrets, partitions, version } = options;
  const { queryPool, tenantPool, log, reader, turns, handle, configuration, workList, vault, onError } = node.core;
  const { registry, eventsIngested } = node.metrics;
  const limits = createRateLimits(options, node);
  const { tokens, refusals, authenticate, stop } = createIdentity(options, node, logger, now);
  const mailer = createMailer({
    pool: queryPool,
    transport: config.smtpUrl === undefined ? createFileTransport(config.mailDir) : createSmtpTransport(config.smtpUrl),
    from: config.mailFrom,
    pageUrl: pageUrl(config.publicUrl),
    signToken: (token) => tokens.mintMail(token).token,
    onError,
  });
  const schemas = createStoredSchemas(queryPool);
  const limitsOf = createLimitsOf({ pool: queryPool, quotas: config.quotas, now });
  log.onCommit(limitsOf.noticeCommit);
  const quotaWatch = createQuotaWatch({
    ...node.core,
    pool: queryPool,
    partitions,
    limitsOf,
    mailHint: mailer.hint,
    now,
  });
  log.onCommit(quotaWatch.noticeCommit);
  const tenantView = createTenantView({ instancePool: queryPool, tenantPool });
  const deps: ApiDeps = {
    config,
    version,
    tenantView,
    pool: tenantView.pool,
    instancePool: queryPool,
    partitions,
    log,
    reader,
    turns,
    handle,
    configuration,
    schemas,
    workList,
    vault,
    live: node.live,
    ingest: createIngest({ log, reader, configuration, schemas, vault, partitions, now, limitsOf }),
    authenticate,
    ownEndpoints: node.ownEndpoints ?? [],
    rateGuard: limits.guard,
    tokens,
    passwords: createPasswordHasher(),
    attempts: limits.attempts,
    refusals,
    limitsOf,
    mailHint: mailer.hint,
    variables: settings(),
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
  return {
    app: await createApi(deps, logger),
    stop: async () => {
      await quotaWatch.stop();
      await Promise.all([mailer.stop(), stop(), limits.stop()]);
    },
  };
};
