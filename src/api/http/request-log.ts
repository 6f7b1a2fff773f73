import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { actorOf } from '../auth/principal.ts';

const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;

/**
 * The client's own X-Request-Id, if it is 1 to 64 letters, digits, dots, underscores and hyphens. It is echoed and logged beside
 * ours; what the log of domain events says of causes is ours alone, since a client may use one id for many requests.
 */
export const clientRequestId = ({ 'x-request-id': given }: IncomingHttpHeaders): string | undefined =>
  typeof given === 'string' && REQUEST_ID.test(given) ? given : undefined;

/** https://www.w3.org/TR/trace-context/#traceparent-header; of versions to come, the part that will not change. */
const TRACEPARENT =
  /^(?:00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}|(?!00|ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?)$/;
const ZEROS = /^0+$/;

/** The trace that a client says the request belongs to; else one that follows from the id of the request. */
export const traceIdOf = ({ id, headers }: Pick<FastifyRequest, 'id' | 'headers'>): string => {
  const [, trace, parent, laterTrace, laterParent] = TRACEPARENT.exec(String(headers.traceparent ?? '')) ?? [];
  const traceId = trace ?? laterTrace ?? '';
  if (traceId !== '' && !ZEROS.test(traceId) && !ZEROS.test(parent ?? laterParent ?? '')) return traceId;
  return hash('sha256', String(id), 'hex').slice(0, 32);
};

/** Milliseconds from which a request that succeeded is worth a line, too. */
const SLOW_MS = 1_000;
const TOO_MANY = 429;

/**
 * Logs requests when they are answered: all of them, or those that were refused, failed or took long; the others only at level
 * debug, since a line for each event would cost as much as a part of its ingest. Whoever is refused for asking too often does not
 * fill the log. Neither the URL nor a header or body is ever part of a line: routes are told as they are declared.
 */
export const registerRequestLog = (
  app: FastifyInstance,
  { logRequests }: { readonly logRequests: 'all' | 'failed' },
): void => {
  const logsAll = logRequests === 'all';
  const logsDebug = app.log.level === 'debug' || app.log.level === 'trace';
  app.addHook('onResponse', (request, reply, done) => {
    const { statusCode: status, elapsedTime } = reply;
    const isWorthy = logsAll || (status >= 400 && status !== TOO_MANY) || elapsedTime >= SLOW_MS;
    if (isWorthy || logsDebug)
      request.log[isWorthy ? 'info' : 'debug'](
        {
          client_request_id: clientRequestId(request.headers),
          trace_id: traceIdOf(request),
          method: request.method,
          route: request.routeOptions.url ?? null,
          status,
          ms: Number(elapsedTime.toFixed(1)),
          ip: request.ip,
          ...(request.principal && { actor: actorOf(request.principal) }),
        },
        'request answered',
      );
    done();
  });
};
