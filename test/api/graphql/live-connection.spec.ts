import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { type ConnectionDeps, createConnection } from '#src/api/graphql/live/connection.ts';
import { createLiveOperations } from '#src/api/graphql/live/operation.ts';
import { toProblem } from '#src/api/http/errors.ts';
import type { LiveHub } from '#src/live/hub.ts';
import type { Sink } from '#src/live/sink.ts';
import { eventually } from '#test/support/eventually.ts';
import { openSocket } from '#test/support/live.ts';

/** Readers that were opened, and how many of them are open. */
const opened: Sink[] = [];
let open = 0;
const hub = {
  open: (_topic, _after, sink) => {
    opened.push(sink);
    open += 1;
    return { close: () => (open -= 1) };
  },
} as Pick<LiveHub, 'open'> as LiveHub;

/** Look-ups of the application of an operation, each ended by the test. */
const lookups: ((found: string | Error) => void)[] = [];
const deps: ConnectionDeps = {
  hub,
  read: createLiveOperations(),
  answers: new WeakMap(),
  authenticate: async () => ({ kind: 'master' }),
  resourceOf: () =>
    new Promise((resolve, reject) =>
      lookups.push((found) =>
        typeof found === 'string' ? resolve({ organizationId: 'organization', applicationId: found }) : reject(found),
      ),
    ),
  requireAllowed: () => undefined,
  toProblem,
  onError: () => undefined,
};

let server: WebSocketServer;
let address: string;
const served: WebSocket[] = [];
beforeAll(async () => {
  server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  server.on('connection', (socket) => {
    served.push(socket);
    createConnection(socket, deps);
  });
  await once(server, 'listening');
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  for (const socket of served) socket.terminate();
  server.close();
});

const EVENTS = 'subscription { events { position } }';
const subscribe = (id: string, query = EVENTS) => ({ id, type: 'subscribe', payload: { query } });
const connect = async () => {
  const client = await openSocket(address, []);
  client.send({ type: 'connection_init', payload: { authorization: 'Bearer any' } });
  await eventually(() => expect(client.messages).toHaveLength(1));
  return client;
};

it('an id that is used again while its first use is still looked up opens one reader', async () => {
  const { socket, messages, send } = await connect();
  send(subscribe('1'));
  send({ id: '1', type: 'complete' });
  send(subscribe('1'));
  await eventually(() => expect(lookups).toHaveLength(2));
  for (const found of lookups.splice(0)) found('application');
  await eventually(() => expect(opened).toHaveLength(1));
  send({ type: 'ping' });
  await eventually(() => expect(messages.at(-1)).toEqual({ type: 'pong' }));
  expect([opened.length, open]).toEqual([1, 1]);
  socket.close();
  await eventually(() => expect(open).toBe(0));
  opened.length = 0;
});

it('the refusal of a subscription that was completed does not end the next one of its id', async () => {
  const { socket, messages, send } = await connect();
  send(subscribe('1'));
  send({ id: '1', type: 'complete' });
  send(subscribe('1'));
  await eventually(() => expect(lookups).toHaveLength(2));
  const [first, second] = lookups.splice(0);
  second?.('application');
  await eventually(() => expect(opened).toHaveLength(1));
  first?.(new Error('The database is away.'));
  send({ type: 'ping' });
  await eventually(() => expect(messages.at(-1)).toEqual({ type: 'pong' }));
  expect(messages.map(({ type }) => type)).toEqual(['connection_ack', 'pong']);
  expect(open).toBe(1);
  // What the hub says of a reader that is gone is no news to its successor either.
  send({ id: '1', type: 'complete' });
  send(subscribe('1'));
  await eventually(() => expect(lookups).toHaveLength(1));
  opened[0]?.fail(new Error('Late.'));
  lookups.pop()?.('application');
  await eventually(() => expect(opened).toHaveLength(2));
  expect(open).toBe(1);
  socket.close();
  await eventually(() => expect(open).toBe(0));
  opened.length = 0;
});

it('look-ups of a socket are bounded, completed or not', async () => {
  const { socket, messages, send } = await connect();
  for (let n = 0; n < 60; n += 1) {
    send(subscribe('1'));
    send({ id: '1', type: 'complete' });
  }
  send(subscribe('2'));
  await eventually(() => expect(messages.at(-1)).toMatchObject({ id: '2', type: 'error' }));
  expect(messages.at(-1).payload[0].extensions.id).toBe('GraphqlLimit');
  expect(lookups).toHaveLength(50);
  for (const found of lookups.splice(0)) found('application');
  socket.close();
});

it('many aliases are refused', async () => {
  const { socket, messages, send } = await connect();
  const aliases = Array.from({ length: 11 }, (_, n) => `a${n}: items { id }`).join(' ');
  send(subscribe('1', `subscription { events { ${aliases} } }`));
  await eventually(() => expect(messages.at(-1)?.payload?.[0].extensions.id).toBe('GraphqlLimit'));
  expect(messages.at(-1).payload[0].message).toContain('10 aliases');
  socket.close();
});

const SHORT = Buffer.alloc(125);
it.each([
  [
    'pings of the protocol',
    (socket: WebSocket) => socket.send(JSON.stringify({ type: 'ping', payload: 'x'.repeat(60_000) })),
    2_000,
  ],
  ['pings of the socket', (socket: WebSocket) => socket.ping(SHORT), 400_000],
  [
    'refused subscriptions',
    (socket: WebSocket) => socket.send(JSON.stringify(subscribe('y'.repeat(100), '{'))),
    200_000,
  ],
])('a client that sends %s and never reads is cut off', async (_, flood, times) => {
  const { socket } = await connect();
  const here = served.at(-1) as WebSocket;
  socket.on('error', () => undefined); // It is told by a reset.
  socket.pause();
  for (let n = 0; n < times && here.readyState === here.OPEN; n += 1) {
    flood(socket);
    if (n % 200 === 0) await new Promise(setImmediate);
  }
  await eventually(() => expect(here.readyState).toBe(here.CLOSED));
  socket.terminate();
});
