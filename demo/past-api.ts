import { pino } from 'pino';
import { createAuthenticate } from '../src/api/auth/authenticate.ts';
import type { ApiDeps } from '../src/api/deps.ts';
import { createIngest } from '../src/api/ingest/ingest.ts';
import { createAttemptLimiter } from '../src/api/rate-limit/attempts.ts';
import { UNLIMITED } from '../src/api/rate-limit/guard.ts';
import { ALLOWED } from '../src/api/rate-limit/limiter.ts';
import { createApi } from '../src/api/server.ts';
import type { Config } from '../src/config/load.ts';
import type { Secrets } from '../src/config/secrets.ts';
import { createLiveHub } from '../src/live/hub.ts';
import { type Core, createCore } from '../src/runtime/node.ts';

export type PastDeps = {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly url: string;
  readonly partitions: number;
};

export type PastApi = {
  readonly core: Core;
  /** One request of REST; throws unless it succeeds. */
  readonly call: <Answer>(method: 'GET' | 'POST' | 'PUT' | 'PATCH', path: string, body?: object) => Promise<Answer>;
  readonly close: () => Promise<void>;
};

/** The product's API on a clock of its own, without listening anywhere and without a worker. */
export const openPastApi = async (options: PastDeps, now: () => Date): Promise<PastApi> => {
  const { config, secrets, partitions } = options;
  const logger = pino({ level: 'error' });
  const core = createCore({ ...options, roles: [], isAlone: true, logger, projections: [], version: 'demo' });
  const {
    queryPool: pool,
    workPool,
    log,
    reader,
    workReader,
    feed,
    configuration,
    vault,
    workList,
    handle,
    onError,
  } = core;
  const live = createLiveHub({ feed, reader: workReader, pool: workPool, now: Date.now, onError });
  const deps: ApiDeps = {
    rateGuard: UNLIMITED,
    attempts: createAttemptLimiter({ take: () => ALLOWED }),
    ...{ config, version: 'demo', pool, partitions, log, reader, handle, configuration, workList, vault, live, now },
    ingest: createIngest({ log, reader, configuration, partitions, now }),
    authenticate: createAuthenticate({ pool, masterKey: secrets.masterKey, now }),
    onIngested: () => undefined,
    metrics: async () => ({ contentType: 'text/plain', text: '' }),
    readiness: [],
    publicKeys: [],
    healthKey: undefined,
  };
  const app = await createApi(deps, logger);
  return {
    core,
    call: async (method, path, body) => {
      const answer = await app.inject({
        method,
        url: `/api/v1${path}`,
        headers: { authorization: `Bearer ${secrets.masterKey}` },
        ...(body && { payload: body }),
      });
      if (answer.statusCode >= 300)
        throw new Error(`${method} ${path} was answered ${answer.statusCode}: ${answer.body}`);
      return answer.json();
    },
    close: async () => {
      await app.close();
      live.stop();
      await log.drained();
      await Promise.all([core.appendPool.end(), pool.end(), workPool.end(), core.leasePool.end()]);
    },
  };
};
