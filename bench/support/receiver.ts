import { createServer, type Socket } from 'node:net';

const HEAD_END = Buffer.from('\r\n\r\n');
const OK = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');

export type Receiver = {
  readonly port: number;
  readonly count: () => number;
  /** Milliseconds on the wall clock at which each request arrived, by `x-event-id`. */
  readonly arrivals: ReadonlyMap<string, number>;
  readonly close: () => Promise<void>;
};

/** Answers every POST with 200 as cheaply as can be; remembers arrivals when asked to. */
export const startReceiver = async (host: string, remember: boolean): Promise<Receiver> => {
  let count = 0;
  const arrivals = new Map<string, number>();
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    let buffered: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk]);
      for (;;) {
        const head = buffered.indexOf(HEAD_END);
        if (head === -1) return;
        const text = buffered.toString('latin1', 0, head);
        const length = head + 4 + Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
        if (buffered.length < length) return;
        buffered = buffered.subarray(length);
        count += 1;
        if (remember) {
          const id = /x-event-id: (\S+)/i.exec(text)?.[1];
          if (id !== undefined) arrivals.set(id, performance.timeOrigin + performance.now());
        }
        socket.write(OK);
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The receiver has no port.');
  return {
    port: address.port,
    count: () => count,
    arrivals,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
};
