import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

// biome-ignore lint/suspicious/noExplicitAny: a batch is whatever the operation asks for, and tests look into it.
export type SeenBatch = any;

export type Watching = {
  /** Batches of the root field, in order, over all connections. */
  readonly batches: readonly SeenBatch[];
  /** All items of all batches. */
  readonly items: () => SeenBatch[];
  /** What the server refused, once it did. */
  readonly errors: () => unknown;
  /** Times that the server was reached. */
  readonly connections: () => number;
  readonly stop: () => Promise<void>;
};

/** Watches with the published client, comes back when the connection is lost, and then goes on after the last batch seen. */
export const watch = (
  address: string,
  token: string,
  query: string,
  variables: Readonly<Record<string, unknown>> = {},
): Watching => {
  const batches: SeenBatch[] = [];
  let refused: unknown;
  let connections = 0;
  const client = createClient({
    url: `${address.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${token}` },
    retryAttempts: 0,
    on: { connected: () => (connections += 1) },
  });
  let isStopped = false;
  let unsubscribe = (): void => undefined;
  const subscribe = (): void => {
    const after = batches.at(-1)?.position as string | undefined;
    unsubscribe = client.subscribe(
      { query, variables: { ...variables, ...(after === undefined ? {} : { after }) } },
      {
        next: ({ data }) => batches.push(Object.values(data ?? {})[0]),
        error: (error) => {
          // A list of errors is the server's answer; anything else a connection that was lost.
          if (Array.isArray(error)) refused = error;
          else if (!isStopped) setTimeout(subscribe, 50);
        },
        complete: () => undefined,
      },
    );
  };
  subscribe();
  return {
    batches,
    items: () => batches.flatMap(({ items }) => items ?? []),
    errors: () => refused,
    connections: () => connections,
    stop: async () => {
      isStopped = true;
      unsubscribe();
      await client.dispose();
    },
  };
};

/** One bare socket of the protocol, for what no client would send. */
export const openSocket = async (address: string, protocol: string | string[] = 'graphql-transport-ws') => {
  const socket = new WebSocket(`${address.replace('http', 'ws')}/graphql`, protocol);
  // biome-ignore lint/suspicious/noExplicitAny: messages are whatever the server sends.
  const messages: any[] = [];
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => resolve({ code, reason: String(reason) }));
  });
  socket.on('message', (data) => messages.push(JSON.parse(String(data))));
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  return { socket, messages, closed, send: (message: unknown) => socket.send(JSON.stringify(message)) };
};
