import swagger from '@fastify/swagger';
import Fastify, { type FastifyInstance, LogController } from 'fastify';
import { createJsonSchemaTransform, type FastifyPluginAsyncZod, serializerCompiler } from 'fastify-type-provider-zod';
import type { Logger } from 'pino';
import { accountRoutes } from './account/routes.ts';
import { sessionRoutes } from './account/session-routes.ts';
import { applicationRoutes } from './application/routes.ts';
import { applicationSecretRoutes } from './application-secret/routes.ts';
import { queryOnBehalf, requireToken } from './auth/authenticate.ts';
import { countsRoutes } from './counts/routes.ts';
import { dashboardRoutes } from './dashboard/routes.ts';
import { deadLetterRoutes } from './dead-letter/routes.ts';
import { deliveryRoutes } from './delivery/routes.ts';
import type { ApiDeps } from './deps.ts';
import { collectProblems, openApiBase, withProblems } from './docs/openapi.ts';
import { docsRoutes } from './docs/routes.ts';
import { eventRoutes } from './event/routes.ts';
import { eventTypeRoutes } from './event-type/routes.ts';
import { eventTypeSchemaRoutes } from './event-type/schema-routes.ts';
import { eventsPerDayRoutes } from './events-per-day/routes.ts';
import { graphiqlRoutes } from './graphql/graphiql/routes.ts';
import { registerLive } from './graphql/live/server.ts';
import { createRest } from './graphql/rest.ts';
import { graphqlRoutes } from './graphql/routes.ts';
import { auditRoutes } from './history/audit.ts';
import { eventHistoryRoutes } from './history/event-routes.ts';
import { historyRoutes } from './history/routes.ts';
import { refuseAsOfElsewhere } from './http/as-of.ts';
import { registerJsonBody } from './http/body.ts';
import { registerCors } from './http/cors.ts';
import { answerClientError, registerErrors, sendProblem, toProblem } from './http/errors.ts';
import { createIsTrusted } from './http/proxies.ts';
import { registerRequestLog } from './http/request-log.ts';
import { createSecurityHeaders } from './http/security-headers.ts';
import { validatorCompiler } from './http/validation.ts';
import { ingestRoutes } from './ingest/route.ts';
import { environmentRoutes } from './instance/environment.ts';
import { instanceRoutes, publishedKeysRoutes } from './instance/routes.ts';
import { operationsRoutes } from './operations/routes.ts';
import { memberRoutes } from './organization/member-routes.ts';
import { organizationRoutes } from './organization/routes.ts';
import { quotaRoutes } from './quota/routes.ts';
import { limitAddresses, limitNothing, limitPrincipals } from './rate-limit/guard.ts';
import { requestAttemptRoutes } from './request-attempt/routes.ts';
import { serviceTokenRoutes } from './service-token/routes.ts';
import { subscriptionRoutes } from './subscription/routes.ts';
import { trafficRoutes } from './traffic/routes.ts';

/** Hook0's framework cap; a payload of 512 KiB in base64 fits. */
const BODY_BYTES_MAX = 2 * 1024 * 1024;
/** A request must have arrived whole within this time, or its socket is closed. */
const REQUEST_TIMEOUT_MS = 30_000;

export const API_PREFIX = '/api/v1';

/** What asks for a token and queries on behalf of whoever has it. */
const PRIVATE = [
  eventRoutes,
  eventsPerDayRoutes,
  eventTypeRoutes,
  eventTypeSchemaRoutes,
  subscriptionRoutes,
  deliveryRoutes,
  deadLetterRoutes,
  requestAttemptRoutes,
  countsRoutes,
  trafficRoutes,
  historyRoutes,
  eventHistoryRoutes,
  auditRoutes,
  applicationRoutes,
  applicationSecretRoutes,
  organizationRoutes,
  memberRoutes,
  serviceTokenRoutes,
  sessionRoutes,
  quotaRoutes,
] as const;

/** Everything described by zod schemas; other kinds of routes are registered beside it. */
const restRoutes =
  (deps: ApiDeps, isWithin: () => boolean): FastifyPluginAsyncZod =>
  async (app) => {
    app.setValidatorCompiler(validatorCompiler);
    app.setSerializerCompiler(serializerCompiler);
    await app.register(swagger, { ...openApiBase(deps.version), transform: createJsonSchemaTransform({}) as never });
    const problems = collectProblems(app as never);
    await app.register(async (operations) => {
      limitNothing(operations as never);
      await operations.register(operationsRoutes(deps));
    });
    await app.register(publishedKeysRoutes(deps));
    for (const routes of [instanceRoutes, environmentRoutes, accountRoutes])
      await app.register(routes(deps), { prefix: API_PREFIX });
    await app.register(
      async (api) => {
        requireToken(api as never, deps.authenticate);
        limitPrincipals(api as never, deps.rateGuard, isWithin);
        refuseAsOfElsewhere(api as never);
        await api.register(ingestRoutes(deps)); // It queries nothing: what it needs is in memory, or read for all alike.
        await api.register(async (querying) => {
          queryOnBehalf(querying as never, deps.tenantView);
          for (const routes of PRIVATE) await querying.register(routes(deps));
        });
      },
      { prefix: API_PREFIX },
    );
    await app.register(docsRoutes(() => withProblems(app.swagger() as never, problems)));
  };

/** The HTTP server with all routes; listens only when told to. */
export const createApi = async (deps: ApiDeps, logger: Logger): Promise<FastifyInstance> => {
  const rest = createRest();
  const { trustedProxies } = deps.config;
  const setSecurityHeaders = createSecurityHeaders(deps.config);
  const app = Fastify({
    loggerInstance: logger as never,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    // Without it nobody's X-Forwarded headers are believed.
    ...(trustedProxies.length > 0 && { trustProxy: createIsTrusted(trustedProxies) }),
    genReqId: rest.requestId,
    forceCloseConnections: 'idle',
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 300 },
    exposeHeadRoutes: false,
    clientErrorHandler: answerClientError,
    // What the router itself refuses comes past no hook.
    frameworkErrors: (error, request, reply) => {
      setSecurityHeaders(request as never, reply as never);
      sendProblem(reply as never, request as never, toProblem(error));
    },
  });
  app.addHook('onRequest', (request, reply, done) => {
    setSecurityHeaders(request as never, reply as never);
    done();
  });
  registerErrors(app as never);
  registerRequestLog(app as never, deps.config);
  registerCors(app as never, deps.config);
  limitAddresses(app as never, deps.rateGuard, rest.isWithin);
  registerJsonBody(app as never);
  await app.register(restRoutes(deps, rest.isWithin));
  registerLive(app as never, deps);
  await app.register(dashboardRoutes);
  await app.register(graphiqlRoutes);
  await app.register(graphqlRoutes(deps, rest.on(app as never, API_PREFIX)));
  return app as unknown as FastifyInstance;
};
