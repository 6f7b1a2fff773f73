import { pino } from 'pino';
import type { Config } from '../src/config/load.ts';
import type { Secrets } from '../src/config/secrets.ts';
import { createLiveHub } from '../src/live/hub.ts';
import { createApiRole } from '../src/runtime/api.ts';
import { type Core, createCore } from '../src/runtime/core.ts';
import { createMetrics } from '../src/runtime/metrics.ts';

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
  const { secrets } = options;
  const logger = pino({ level: 'error' });
  const version = 'demo';
  const core = createCore({ ...options, roles: [], isAlone: true, logger, projections: [], version });
  const { queryPool: pool, workPool, log, workReader, feed, onError } = core;
  const live = createLiveHub({ feed, reader: workReader, pool: workPool, now: Date.now, onError });
  const { app, stop } = await createApiRole(
    { ...options, version },
    { core, live, metrics: createMetrics() },
    logger,
    now,
  );
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
      await stop();
      live.stop();
      await log.drained();
      await Promise.all([core.appendPool.end(), pool.end(), workPool.end(), core.leasePool.end()]);
    },
  };
};
