import {
  type AnyVariables,
  Client,
  type CombinedError,
  fetchExchange,
  subscriptionExchange,
  type TypedDocumentNode,
} from '@urql/core';
import { createClient as createSocket, type Client as SocketClient } from 'graphql-ws';
import { attempt } from '../api/attempt.ts';
import { type Failure, failureOfProblem, networkFailure, type Problem } from '../api/failure.ts';
import { session } from '../state/session.svelte.ts';

/** The one way to the API: queries and mutations by POST, live subscriptions over one socket. */

export type { Failure } from '../api/failure.ts';

export type Connection = 'idle' | 'connecting' | 'live' | 'reconnecting';

class Status {
  connection = $state<Connection>('idle');
}
export const status = new Status();

let socket: SocketClient | undefined;
const WAIT_MS_MAX = 5_000;

/** The server looks at the token again and again: a key has ended then, a person may have a fresh one already. */
const refused = async (used: string, reason: string): Promise<void> => {
  if (session.token !== used) return;
  if (session.userId === null) session.end(reason || 'The token has ended.');
  else await session.refresh();
};

const openSocket = (): SocketClient => {
  let used = '';
  return createSocket({
    url: `${location.origin.replace(/^http/, 'ws')}/graphql`,
    connectionParams: async () => {
      await session.whenFresh();
      used = session.token ?? '';
      return { authorization: `Bearer ${used}` };
    },
    lazy: true,
    retryAttempts: 0,
    on: {
      connecting: () => {
        if (status.connection === 'idle') status.connection = 'connecting';
      },
      connected: () => {
        status.connection = 'live';
      },
      closed: (event) => {
        const { code, reason } = event as { code?: number; reason?: string };
        if (code === 4403) void refused(used, reason ?? '');
        status.connection = code === 1000 ? 'idle' : 'reconnecting';
      },
    },
  });
};

const socketNow = (): SocketClient => {
  socket ??= openSocket();
  return socket;
};

// Whoever watches connects again with the fresh token, and goes on where it was.
session.onrenewed = () => {
  if (status.connection !== 'idle') socket?.terminate();
};

const client = new Client({
  url: '/graphql',
  preferGetMethod: false,
  requestPolicy: 'network-only',
  exchanges: [
    subscriptionExchange({
      forwardSubscription: ({ query, variables }) => ({
        subscribe: (sink) => ({
          unsubscribe: socketNow().subscribe(
            { query: query ?? '', variables: variables as Record<string, unknown> },
            {
              next: (result) => sink.next(result as never),
              error: (error) => sink.error(error),
              complete: () => sink.complete(),
            },
          ),
        }),
      }),
    }),
    fetchExchange,
  ],
});

/** Forgets the socket of a session that ended. */
export const disconnect = (): void => {
  void socket?.dispose();
  socket = undefined;
  status.connection = 'idle';
};

const isRefused = (error: CombinedError): boolean =>
  [401, 403].includes((error.response as Response | undefined)?.status ?? 0) && error.graphQLErrors.length === 0;

export const failureOf = (error: CombinedError): Failure => {
  const [first] = error.graphQLErrors;
  if (first) return failureOfProblem((first.extensions ?? {}) as Problem, first.message);
  if (isRefused(error)) return failureOfProblem({ id: 'AuthInvalidBiscuit' }, 'The token is not accepted');
  return networkFailure(error.networkError?.message ?? error.message);
};

/** Asks or commands once; throws a {@link Failure}. */
export const send = async <Data, Variables extends AnyVariables>(
  kind: 'query' | 'mutation',
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<Data> =>
  attempt(async (token) => {
    const context = {
      fetchOptions: {
        headers: { authorization: `Bearer ${token}`, accept: 'application/graphql-response+json' },
      },
    };
    const result = await (kind === 'query'
      ? client.query(document, variables, context)
      : client.mutation(document, variables, context));
    if (result.error) throw failureOf(result.error);
    return result.data as Data;
  });

/** Watches; comes back by itself when the connection is lost, with what `resume` then says. Answers how to stop. */
export const watch = <Data, Variables extends AnyVariables>(
  document: TypedDocumentNode<Data, Variables>,
  resume: () => Variables,
  next: (data: Data) => void,
  fail: (failure: Failure) => void,
): (() => void) => {
  let isStopped = false;
  let stopNow = (): void => undefined;
  let waitMs = 100;
  const again = (): void => {
    if (isStopped || session.token === null) return;
    setTimeout(begin, waitMs);
    waitMs = Math.min(WAIT_MS_MAX, waitMs * 2);
  };
  const begin = (): void => {
    if (isStopped) return;
    const { unsubscribe } = client.subscription(document, resume()).subscribe(({ data, error }) => {
      if (error && error.graphQLErrors.length > 0) return fail(failureOf(error));
      if (error) return again();
      if (data) {
        waitMs = 100;
        next(data);
      }
    });
    stopNow = unsubscribe;
  };
  begin();
  return () => {
    isStopped = true;
    stopNow();
  };
};
