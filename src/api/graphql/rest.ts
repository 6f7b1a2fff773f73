import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { PROBLEMS, Problem, type ProblemDocument, type ProblemId } from '../problems.ts';

/** What a REST operation is asked for, below the prefix of the API. */
export type RestCall = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With its query; what comes from clients is encoded. */
  readonly path: string;
  readonly body?: unknown;
  readonly prefer?: string;
};

/** The answer of a REST operation that did what it was asked; refusals throw their Problem. */
export type CallRest = (request: FastifyRequest, call: RestCall) => Promise<Readonly<Record<string, unknown>>>;

/** Calls REST operations from within the server, on behalf of a request that it is answering. */
export type Rest = {
  /** For the server's `genReqId`: a call within a request has the id of that request. */
  readonly requestId: () => string;
  /** Whether what runs is such a call, or what it has begun. */
  readonly isWithin: () => boolean;
  readonly on: (app: FastifyInstance, prefix: string) => CallRest;
};

const isProblemId = (id: unknown): id is ProblemId => typeof id === 'string' && Object.hasOwn(PROBLEMS, id);

const problemOf = (document: Partial<ProblemDocument> | undefined, { method, path }: RestCall): Error =>
  isProblemId(document?.id)
    ? new Problem(document.id, document.detail ?? '', { validation: document.validation ?? null })
    : new Error(`${method} ${path.split('?')[0]} answered what is no problem document.`);

/**
 * Who asks, from where and under which request id travels beside the call and not in headers that a client could send: the
 * id in the asynchronous context, the address as that of the injected connection. The bearer token is the client's own.
 */
export const createRest = (): Rest => {
  const requestIds = new AsyncLocalStorage<string>();
  return {
    requestId: () => requestIds.getStore() ?? randomUUID(),
    isWithin: () => requestIds.getStore() !== undefined,
    on: (app, prefix) => async (request, call) => {
      const { method, path, body, prefer } = call;
      const { traceparent } = request.headers;
      // Awaited within: an injected request begins when its answer is waited for.
      const answer = await requestIds.run(
        String(request.id),
        async () =>
          await app.inject({
            method,
            url: `${prefix}${path}`,
            remoteAddress: request.ip,
            headers: {
              authorization: request.headers.authorization ?? '',
              ...(body === undefined ? {} : { 'content-type': 'application/json' }),
              ...(prefer === undefined ? {} : { prefer }),
              ...(traceparent === undefined ? {} : { traceparent }),
            },
            ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
          }),
      );
      const document = answer.body === '' ? undefined : answer.json<Record<string, unknown>>();
      if (answer.statusCode >= 400) throw problemOf(document, call);
      return document ?? {};
    },
  };
};
