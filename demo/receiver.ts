import { createServer } from 'node:http';

/** How a path of the demo's receiver behaves. */
const BEHAVIOURS: Readonly<Record<string, (attempt: number) => number>> = {
  '/healthy': () => 200,
  '/flaky': (attempt) => (attempt <= 2 ? 503 : 200),
  '/broken': () => 500,
  '/gone': () => 410,
};

export type DemoReceiver = {
  readonly url: string;
  readonly requests: () => number;
  readonly close: () => Promise<void>;
};

/** A receiver on this machine: `/healthy`, `/flaky` (third attempt works), `/broken`, `/gone`. */
export const startDemoReceiver = async (host: string): Promise<DemoReceiver> => {
  let requests = 0;
  const server = createServer((request, response) => {
    requests += 1;
    request.resume().on('end', () => {
      const attempt = Number(request.headers['x-posthorn-attempt'] ?? 1);
      response.statusCode = BEHAVIOURS[request.url ?? '']?.(attempt) ?? 404;
      response.end(response.statusCode === 200 ? 'thank you' : 'not today');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The receiver has no port.');
  return {
    url: `http://${host}:${address.port}`,
    requests: () => requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
