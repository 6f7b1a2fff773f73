import {
  type AnyVariables,
  Client,
  type CombinedError,
  fetchExchange,
  subscriptionExchange,
  type TypedDocumentNode,
} from '@urql/core';
import { createClient as createSocket, type Client as SocketClient } from 'graphql-ws';
import { session } from '../state/session.svelte.ts';

/** The one way to the API: queries and mutations by POST, live subscriptions over one socket. */

/** What a request came to nothing for, in words for people. */
export type Failure = {
  /** The problem's id, such as `NotFound`; `Network` when there was no answer. */
  readonly id: string;
  readonly title: string;
  readonly detail: string;
  readonly advice: string | null;
  readonly requestId: string | null;
};

export type Connection = 'idle' | 'connecting' | 'live' | 'reconnecting';

class Status {
  connection = $state<Connection>('idle');
}
export const status = new Status();

let socket: SocketClient | undefined;
const WAIT_MS_MAX = 5_000;

const socketOf = (token: string): SocketClient => {
  socket ??= createSocket({
    url: `${location.origin.replace(/^http/, 'ws')}/graphql`,
    connectionParams: { authorization: `Bearer ${token}` },
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
        if (code === 4403) session.end(reason || 'The token has ended.');
        status.connection = code === 1000 ? 'idle' : 'reconnecting';
      },
    },
  });
  return socket;
};

const client = new Client({
  url: '/graphql',
  preferGetMethod: false,
  requestPolicy: 'network-only',
  fetchOptions: () => ({
    headers: { authorization: `Bearer ${session.token ?? ''}`, accept: 'application/graphql-response+json' },
  }),
  exchanges: [
    subscriptionExchange({
      forwardSubscription: ({ query, variables }) => ({
        subscribe: (sink) => ({
          unsubscribe: socketOf(session.token ?? '').subscribe(
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

type Problem = {
  id?: string;
  title?: string;
  detail?: string;
  advice?: string;
  status?: number;
  instance?: string;
  request_id?: string;
};

export const failureOf = (error: CombinedError): Failure => {
  const [first] = error.graphQLErrors;
  const problem = (first?.extensions ?? {}) as Problem;
  if (first)
    return {
      id: problem.id ?? 'Unknown',
      title: problem.title ?? first.message,
      detail: problem.detail ?? first.message,
      advice: problem.advice ?? null,
      requestId: problem.request_id ?? problem.instance ?? null,
    };
  return {
    id: 'Network',
    title: 'The server did not answer',
    detail: error.networkError?.message ?? error.message,
    advice: 'Look whether Posthorn is running and can be reached, then try again.',
    requestId: null,
  };
};

const isRefused = (error: CombinedError): boolean =>
  [401, 403].includes((error.response as Response | undefined)?.status ?? 0) && error.graphQLErrors.length === 0;

/** Asks or commands once; throws a {@link Failure}. */
export const send = async <Data, Variables extends AnyVariables>(
  kind: 'query' | 'mutation',
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<Data> => {
  const result = await (kind === 'query' ? client.query(document, variables) : client.mutation(document, variables));
  if (result.error) {
    if (isRefused(result.error)) session.end('The token is not accepted.');
    throw failureOf(result.error);
  }
  return result.data as Data;
};

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
