import type { Duplex } from 'node:stream';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { DatabaseError } from 'pg';
import { DomainError } from '../../domain/errors.ts';
import { TooContended } from '../../eventstore/turns.ts';
import { StoreUnavailable } from '../../eventstore/types.ts';
import { PasswordHashingBusy } from '../../identity/hasher.ts';
import { ReadModelBehind } from '../../projections/as-of/catch-up.ts';
import { InvalidAsOf } from '../../projections/as-of/cut.ts';
import { InvalidCursor } from '../../projections/page.ts';
import { fromDomainError, Problem, problemDocument, RETRY_AFTER_SECONDS } from '../problems.ts';
import { traceIdOf } from './request-log.ts';
import { validationProblem } from './validation.ts';

/** SQLSTATE classes that pass by themselves: connection, resources, locks, operator. */
const PASSING = /^(08|25|40|53|55|57)/;

/** What `pg` throws without a code when a connection cannot be had or breaks. */
const isConnectionTrouble = (error: Error & { code?: unknown }): boolean =>
  (typeof error.code === 'string' && /^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET)/.test(error.code)) ||
  (error.constructor === Error && error.code === undefined && /connect|Connection|timeout/.test(error.message));

const unavailable = (cause: unknown): Problem =>
  new Problem(
    'ServiceUnavailable',
    `The database does not answer; try again in ${RETRY_AFTER_SECONDS} s, with the same event_id where there is one.`,
    { cause },
  );

/** Every error as the problem to answer with; what nobody expected becomes a 500 that gives nothing away. */
export const toProblem = (error: unknown): Problem => {
  if (error instanceof Problem) return error;
  if (error instanceof DomainError) return fromDomainError(error);
  if (error instanceof InvalidCursor || error instanceof InvalidAsOf || error instanceof ReadModelBehind)
    return new Problem(error.id, error.message, { cause: error });
  const validation = validationProblem(error);
  if (validation) return validation;
  if (error instanceof PasswordHashingBusy)
    return new Problem('RateLimited', error.message, {
      headers: { 'retry-after': String(RETRY_AFTER_SECONDS) },
      cause: error,
    });
  if (error instanceof TooContended) return new Problem('ServiceUnavailable', error.message, { cause: error });
  if (error instanceof StoreUnavailable) return unavailable(error);
  if (error instanceof DatabaseError && PASSING.test(error.code ?? '')) return unavailable(error);
  const { code, statusCode } = error as FastifyError;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new Problem('JsonPayload', 'Body is too big.');
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return new Problem('UnsupportedMediaType', 'Send the body as application/json.');
  if (code === 'FST_ERR_CTP_INVALID_CONTENT_LENGTH')
    return new Problem('JsonPayload', 'The body is not as long as Content-Length says.');
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new Problem('MalformedRequest', 'The request cannot be read.', { cause: error });
  if (error instanceof Error && isConnectionTrouble(error)) return unavailable(error);
  return new Problem(
    'InternalServerError',
    'The request failed for a reason of ours; quote the request id when you report it.',
    { cause: error },
  );
};

export const sendProblem = (reply: FastifyReply, request: FastifyRequest, problem: Problem): FastifyReply => {
  if (problem.status === 503) reply.header('retry-after', RETRY_AFTER_SECONDS);
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer');
  return reply
    .code(problem.status)
    .headers(problem.headers)
    .header('content-type', 'application/problem+json')
    .serializer((document: unknown) => JSON.stringify(document))
    .send(problemDocument(problem, String(request.id)));
};

export const registerErrors = (app: FastifyInstance): void => {
  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error);
    if (problem.status >= 500)
      request.log.error(
        { err: problem.cause ?? error, problem: problem.id, trace_id: traceIdOf(request) },
        'request failed',
      );
    return sendProblem(reply, request, problem);
  });
  const methodsOf = collectMethods(app);
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? '';
    const shown = path.slice(0, 200);
    const allowed = methodsOf(path);
    if (allowed.length === 0)
      return sendProblem(
        reply,
        request,
        new Problem('RouteNotFound', `There is no route ${request.method} ${shown}; see /docs.`),
      );
    const allow = allowed.join(', ');
    reply.header('allow', allow);
    const problem = new Problem('MethodNotAllowed', `${request.method} is not allowed on ${shown}; use ${allow}.`);
    return sendProblem(reply, request, problem);
  });
};

/** Which methods a path has; the router itself tells only whether one is there. */
const collectMethods = (app: FastifyInstance): ((path: string) => string[]) => {
  const routes: { parts: readonly string[]; methods: readonly string[] }[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    routes.push({ parts: url.split('/'), methods: [method].flat() });
  });
  return (path) => {
    const given = path.replace(/(?<=.)\/$/, '').split('/');
    const matching = routes.filter(
      ({ parts }) =>
        parts.length === given.length &&
        parts.every((part, index) => (part.startsWith(':') ? given[index] !== '' : part === given[index])),
    );
    return [...new Set(matching.flatMap(({ methods }) => methods))].sort();
  };
};

/** For what Node's parser refuses before there is a request: the answer is written by hand. */
export const answerClientError = (error: Error & { code?: string }, socket: Duplex): void => {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const problem = new Problem('MalformedRequest', 'The request is not well-formed HTTP, or came too slowly.');
  const body = JSON.stringify(problemDocument(problem));
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\nX-Content-Type-Options: nosniff\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
};
