import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { DatabaseError } from 'pg';
import { DomainError } from '../../domain/errors.ts';
import { TooContended } from '../../eventstore/command-handler.ts';
import { StoreUnavailable } from '../../eventstore/types.ts';
import { fromDomainError, Problem, problemDocument, RETRY_AFTER_SECONDS } from '../problems.ts';
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
  const validation = validationProblem(error);
  if (validation) return validation;
  if (error instanceof StoreUnavailable || error instanceof TooContended) return unavailable(error);
  if (error instanceof DatabaseError && PASSING.test(error.code ?? '')) return unavailable(error);
  const { code, statusCode } = error as FastifyError;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new Problem('JsonPayload', 'Body is too big.');
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return new Problem('UnsupportedMediaType', 'Send the body as application/json.');
  if (code === 'FST_ERR_CTP_INVALID_CONTENT_LENGTH')
    return new Problem('JsonPayload', 'The body is not as long as Content-Length says.');
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return new Problem('JsonPayload', 'The request cannot be read.', { cause: error });
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
    .header('content-type', 'application/problem+json')
    .serializer((document: unknown) => JSON.stringify(document))
    .send(problemDocument(problem, String(request.id)));
};

export const registerErrors = (app: FastifyInstance): void => {
  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error);
    if (problem.status >= 500)
      request.log.error({ err: problem.cause ?? error, problem: problem.id }, 'request failed');
    return sendProblem(reply, request, problem);
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? '';
    const others = METHODS.filter((method) => method !== request.method && app.hasRoute({ method, url: path }));
    if (others.length > 0) reply.header('allow', others.join(', '));
    const problem =
      others.length > 0
        ? new Problem(
            'MethodNotAllowed',
            `${request.method} is not allowed on ${path.slice(0, 200)}; use ${others.join(', ')}.`,
          )
        : new Problem('RouteNotFound', `There is no route ${request.method} ${path.slice(0, 200)}; see /docs.`);
    return sendProblem(reply, request, problem);
  });
};

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
