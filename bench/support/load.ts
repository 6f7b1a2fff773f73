import { connect, type Socket } from 'node:net';

export type LoadOptions = {
  readonly host: string;
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  /** Requests per second over all connections, at fixed arrival times; as fast as answers come when undefined. */
  readonly rate?: number;
  /** The bytes of request number `n`. */
  readonly request: (n: number) => Buffer;
};

export type LoadResult = {
  readonly requests: number;
  readonly seconds: number;
  readonly perSecond: number;
  readonly failures: number;
  /** Milliseconds from the time a request was due to its answer, sorted. */
  readonly latencies: readonly number[];
};

const HEAD_END = Buffer.from('\r\n\r\n');

/** Length of the first whole response in `buffer`, or 0; and whether its status is 2xx. */
const responseIn = (buffer: Buffer): { length: number; isOk: boolean } => {
  const head = buffer.indexOf(HEAD_END);
  if (head === -1) return { length: 0, isOk: false };
  const text = buffer.toString('latin1', 0, head);
  const contentLength = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
  const length = head + 4 + contentLength;
  return { length: buffer.length >= length ? length : 0, isOk: text.charCodeAt(9) === 0x32 };
};

/** Plain sockets and no HTTP library: the generator must cost far less than what it measures. */
export const generateLoad = async (options: LoadOptions): Promise<LoadResult> => {
  const { connections, seconds, rate, request } = options;
  const latencies: number[] = [];
  let failures = 0;
  let sent = 0;
  const startedAt = performance.now();
  const endAt = startedAt + seconds * 1000;
  const idle: ((dueAt: number) => void)[] = [];
  const due: number[] = [];

  const runConnection = (socket: Socket): Promise<void> =>
    new Promise((resolve, reject) => {
      let buffered: Buffer = Buffer.alloc(0);
      let askedAt = 0;
      const ask = (dueAt: number): void => {
        askedAt = dueAt;
        socket.write(request(sent++));
      };
      const next = (): void => {
        if (rate === undefined) {
          if (performance.now() < endAt) ask(performance.now());
          else socket.end(resolve);
          return;
        }
        const waiting = due.shift();
        if (waiting !== undefined) ask(waiting);
        else if (performance.now() >= endAt) socket.end(resolve);
        else idle.push(ask);
      };
      socket.on('data', (chunk) => {
        buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk]);
        const { length, isOk } = responseIn(buffered);
        if (length === 0) return;
        buffered = buffered.subarray(length);
        if (!isOk) failures += 1;
        latencies.push(performance.now() - askedAt);
        next();
      });
      socket.on('error', reject);
      socket.on('end', () => resolve());
      finishers.push(() => socket.end(resolve));
      next();
    });

  const finishers: (() => void)[] = [];
  const sockets = await Promise.all(
    Array.from(
      { length: connections },
      () =>
        new Promise<Socket>((resolve, reject) => {
          const socket = connect({ host: options.host, port: options.port, noDelay: true }, () => resolve(socket));
          socket.on('error', reject);
        }),
    ),
  );
  const runs = sockets.map(runConnection);
  if (rate !== undefined) {
    let planned = 0;
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        const now = performance.now();
        while (planned < ((Math.min(now, endAt) - startedAt) / 1000) * rate) {
          const at = startedAt + (planned++ / rate) * 1000;
          const ask = idle.shift();
          if (ask) ask(at);
          else due.push(at);
        }
        if (now < endAt) return;
        clearInterval(timer);
        resolve();
      }, 1);
    });
    for (const finish of finishers) finish();
  }
  await Promise.all(runs);
  const took = (performance.now() - startedAt) / 1000;
  latencies.sort((a, b) => a - b);
  return { requests: latencies.length, seconds: took, perSecond: latencies.length / took, failures, latencies };
};

/** The value below which a share of the sorted numbers lies; NaN when there are none. */
export const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

/** An HTTP/1.1 POST as bytes. */
export const post = (path: string, body: string, headers: Readonly<Record<string, string>> = {}): Buffer =>
  Buffer.from(
    [
      `POST ${path} HTTP/1.1`,
      'host: bench',
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(body)}`,
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
      '',
      body,
    ].join('\r\n'),
  );
