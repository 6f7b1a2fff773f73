import type { FastifyInstance } from 'fastify';

/** What pages of other origins may read; the dashboard and the other pages are for our own. */
const SHARED = /^\/(?:api\/|graphql(?:[?/]|$)|openapi\.json(?:\?|$))/;
const METHODS = 'GET, POST, PUT, PATCH, DELETE';
const HEADERS =
  'Accept, Authorization, Content-Type, Hook0-Client-Options, Idempotency-Key, Prefer, Traceparent, X-Request-Id';
/** What clients wait and page by, the older names of limits included. */
const EXPOSED = [
  'Link',
  'Retry-After',
  'RateLimit',
  'RateLimit-Policy',
  'X-RateLimit-Limit',
  'X-RateLimit-Remaining',
  'X-RateLimit-Reset',
  'X-Request-Id',
].join(', ');
/** Seconds; Hook0's. */
const MAX_AGE = '3600';

/**
 * Lets scripts of the listed origins use the API with a bearer token; cookies and other credentials are never allowed. Origins are
 * compared as a whole, and `null` is none. A preflight carries no token: it is answered before anybody asks for one.
 */
export const registerCors = (
  app: FastifyInstance,
  { corsOrigins }: { readonly corsOrigins: readonly string[] },
): void => {
  if (corsOrigins.length === 0) return;
  const origins = new Set(corsOrigins);
  app.addHook('onRequest', (request, reply, done) => {
    if (!SHARED.test(request.url)) return done();
    reply.header('vary', 'Origin');
    const { origin } = request.headers;
    if (origin === undefined || !origins.has(origin)) return done();
    reply.headers({ 'access-control-allow-origin': origin, 'access-control-expose-headers': EXPOSED });
    const isPreflight = request.method === 'OPTIONS' && 'access-control-request-method' in request.headers;
    if (!isPreflight) return done();
    void reply
      .code(204)
      .headers({
        'access-control-allow-methods': METHODS,
        'access-control-allow-headers': HEADERS,
        'access-control-max-age': MAX_AGE,
      })
      .send();
  });
};

/** Whether a page of this origin may open a socket: our own, one that is listed, or no page at all. */
export const mayConnect = (
  origin: string | undefined,
  host: string | undefined,
  { publicUrl, corsOrigins }: { readonly publicUrl: string; readonly corsOrigins: readonly string[] },
): boolean => {
  if (origin === undefined || corsOrigins.includes(origin)) return true;
  const url = URL.parse(origin);
  return url !== null && url.origin === origin && (origin === new URL(publicUrl).origin || url.host === host);
};
