import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { parseRequests } from './request-parser.ts';

/** One request as it came over the wire; header names in lower case, the last of equal ones wins. */
export type Received = {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** Milliseconds on the monotonic clock, when the last byte had come. */
  readonly time: number;
  /** 1 for the first connection that got as far as HTTP, and so on: equal numbers mean a reused connection. */
  readonly connection: number;
};
export type Call = {
  readonly request: Received;
  readonly socket: Socket;
  /** 1 for the first request of this path, and so on. */
  readonly nth: number;
  /** What lets go when the socket closes: timers of a dripping answer, for instance. */
  readonly onClose: (undo: () => void) => void;
};
/** Says what happens to a request once it is complete; it may write anything, later, or nothing. */
export type Behaviour = (call: Call) => void;

export type ReceiverOptions = {
  /** By path without the query. */
  readonly behaviours?: Readonly<Record<string, Behaviour>>;
  /** For every other path. */
  readonly behaviour?: Behaviour;
  readonly host?: string;
  readonly port?: number;
  readonly tls?: TlsOptions;
  /** Meets a socket in place of HTTP; without TLS. */
  readonly onConnection?: (socket: Socket) => void;
};
export type Receiver = {
  /** Without a slash at the end. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly requests: readonly Received[];
  /** How many sockets were ever accepted, and how many are open. */
  readonly connections: () => { readonly accepted: number; readonly open: number };
  /** Resolves as soon as `count` requests have come in all; it waits for the signal, and never polls. */
  readonly waitFor: (count: number) => Promise<readonly Received[]>;
  /** Resolves as soon as no socket is open. */
  readonly waitForQuiet: () => Promise<void>;
  /** Also breaks what is under way. */
  readonly close: () => Promise<void>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
};

/** Not 127.0.0.1, so that a test can allow the receiver by range and still see this host's own address refused. */
export const RECEIVER_HOST = '127.0.0.9';

/** A real HTTP receiver that misbehaves on purpose, on raw sockets: a library would not let it. */
export const startReceiver = async (options: ReceiverOptions = {}): Promise<Receiver> => {
  const { host = RECEIVER_HOST, tls, onConnection } = options;
  const requests: Received[] = [];
  const sockets = new Set<Socket>();
  const perPath = new Map<string, number>();
  const waiting = new Set<{ isDone: () => boolean; resolve: () => void }>();
  let accepted = 0;
  let served = 0;

  const wake = (): void => {
    for (const waiter of waiting) {
      if (!waiter.isDone()) continue;
      waiting.delete(waiter);
      waiter.resolve();
    }
  };
  const until = (isDone: () => boolean): Promise<void> =>
    isDone() ? Promise.resolve() : new Promise((resolve) => waiting.add({ isDone, resolve }));

  const track = (socket: Socket): void => {
    accepted += 1;
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      sockets.delete(socket);
      wake();
    });
  };
  const serve = (socket: Socket): void => {
    served += 1;
    const connection = served;
    socket.on('error', () => socket.destroy());
    parseRequests(socket, (request) => {
      const received = { ...request, connection, time: performance.now() };
      const path = received.path.split('?')[0] ?? '';
      const nth = (perPath.get(path) ?? 0) + 1;
      perPath.set(path, nth);
      requests.push(received);
      const behave = options.behaviours?.[path] ?? options.behaviour ?? defaultBehaviour;
      behave({ request: received, socket, nth, onClose: (undo) => socket.once('close', undo) });
      wake();
    });
  };

  const server = tls === undefined ? createServer({ noDelay: true }) : createTlsServer(tls);
  server.on('connection', track);
  server.on(tls === undefined ? 'connection' : 'secureConnection', onConnection ?? serve);
  server.on('tlsClientError', (_error, socket: Socket) => socket.destroy());
  const port = await listen(server, options.port ?? 0, host);

  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${host}:${port}`,
    host,
    port,
    requests,
    connections: () => ({ accepted, open: sockets.size }),
    waitFor: async (count) => {
      await until(() => requests.length >= count);
      return requests;
    },
    waitForQuiet: () => until(() => sockets.size === 0),
    close,
    [Symbol.asyncDispose]: close,
  };
};

const listen = (server: Server, port: number, host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('The receiver has no port.'));
      else resolve(address.port);
    });
  });

const defaultBehaviour: Behaviour = ({ socket }) => {
  socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
};
