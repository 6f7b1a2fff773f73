import { randomUUID } from 'node:crypto';
import Fastify, { type FastifyInstance } from 'fastify';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { Logger } from 'pino';
import type { ApiDeps } from './deps.ts';
import { registerJsonBody } from './http/body.ts';
import { registerErrors } from './http/errors.ts';
import { ingestRoutes } from './ingest/route.ts';
import { operationsRoutes } from './operations/routes.ts';

/** Hook0's framework cap; a payload of 512 KiB in base64 fits. */
const BODY_BYTES_MAX = 2 * 1024 * 1024;
/** A request must have arrived whole within this time, or its socket is closed. */
const REQUEST_TIMEOUT_MS = 30_000;

/** The HTTP server with all routes; listens only when told to. */
export const createApi = async (deps: ApiDeps, logger: Logger): Promise<FastifyInstance> => {
  const app = Fastify({
    loggerInstance: logger as never,
    disableRequestLogging: true,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    genReqId: () => randomUUID(),
    forceCloseConnections: 'idle',
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 300 },
    exposeHeadRoutes: false,
  });
  registerErrors(app as never);
  registerJsonBody(app as never);
  await app.register(operationsRoutes(deps));
  await app.register(
    async (api) => {
      api.setValidatorCompiler(validatorCompiler);
      api.setSerializerCompiler(serializerCompiler);
      await api.register(ingestRoutes(deps));
    },
    { prefix: '/api/v1' },
  );
  return app as unknown as FastifyInstance;
};
