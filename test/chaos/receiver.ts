import { hash } from 'node:crypto';
import { createServer, type Server as HttpServer, type IncomingMessage, type RequestListener } from 'node:http';
import { Webhook } from 'standardwebhooks';

/** From 127.0.0.0/8, which the egress guard denies unless POSTHORN_ALLOW_TARGET_CIDRS names it. */
export const RECEIVER_HOST = '127.0.0.9';

/** One request as it arrived. */
export type Received = {
  readonly path: string;
  readonly eventId: string;
  /** The `webhook-id`. */
  readonly deliveryId: string;
  readonly attempt: number;
  /** Of `performance.now()`. */
  readonly atMs: number;
  readonly sha256: string;
  readonly isSigned: boolean;
  /** Of the sender, which tells processes apart. */
  readonly port: number;
  /** The status, once it was answered and the sender was still there; undefined otherwise. */
  answered: number | undefined;
  answeredAtMs: number | undefined;
};

export type Reply = { readonly status: number; readonly holdMs: number };
export type Behaviour = (request: Received) => Reply;

export type Receiver = {
  /** Its origins: a sender keeps so many connections to each and no more. */
  readonly urls: readonly string[];
  readonly ports: ReadonlySet<number>;
  readonly received: readonly Received[];
  /** Requests that wait for their answer. */
  readonly open: () => number;
  readonly behave: (behaviour: Behaviour) => void;
  /** The secret (`whsec_...`) that requests to a path are verified with. */
  readonly trust: (path: string, secret: string) => void;
  readonly close: () => Promise<void>;
};

/** Which attempt of which delivery a request is: equal for a request and its duplicate. */
export const attemptKey = ({ deliveryId, attempt }: Pick<Received, 'deliveryId' | 'attempt'>): string =>
  `${deliveryId}#${attempt}`;

const headerOf = (request: IncomingMessage, name: string): string => String(request.headers[name] ?? '');

const isVerified = (webhook: Webhook | undefined, body: Buffer, request: IncomingMessage): boolean => {
  try {
    webhook?.verify(body, request.headers as Record<string, string>, { jsonParse: false });
    return webhook !== undefined;
  } catch {
    return false;
  }
};

/** Logs every request, verifies it, and answers as it is told to. */
export const startReceiver = async (origins: number): Promise<Receiver> => {
  const received: Received[] = [];
  const trusted = new Map<string, Webhook>();
  let behaviour: Behaviour = () => ({ status: 200, holdMs: 0 });
  let open = 0;
  const answer: RequestListener = async (request, response) => {
    response.on('error', () => undefined);
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk as Buffer);
    } catch {
      return; // The sender went away in the middle: this was no request.
    }
    const body = Buffer.concat(chunks);
    const path = request.url ?? '';
    const entry: Received = {
      path,
      eventId: headerOf(request, 'x-event-id'),
      deliveryId: headerOf(request, 'webhook-id'),
      attempt: Number(headerOf(request, 'x-posthorn-attempt')),
      atMs: performance.now(),
      sha256: hash('sha256', body, 'hex'),
      isSigned: isVerified(trusted.get(path), body, request),
      port: request.socket.remotePort ?? 0,
      answered: undefined,
      answeredAtMs: undefined,
    };
    received.push(entry);
    const { status, holdMs } = behaviour(entry);
    open += 1;
    response.once('close', () => {
      open -= 1;
    });
    setTimeout(() => {
      if (response.destroyed || request.socket.destroyed) return;
      response.writeHead(status, { 'content-type': 'text/plain' }).end('noted');
      entry.answered = status;
      entry.answeredAtMs = performance.now();
    }, holdMs);
  };
  const servers = Array.from({ length: origins }, () =>
    createServer({ noDelay: true, keepAliveTimeout: 60_000 }, answer),
  );
  const ports = await Promise.all(servers.map(listen));
  return {
    urls: ports.map((port) => `http://${RECEIVER_HOST}:${port}`),
    ports: new Set(ports),
    received,
    open: () => open,
    behave: (wanted) => {
      behaviour = wanted;
    },
    trust: (path, secret) => trusted.set(path, new Webhook(secret)),
    close: async () => {
      for (const server of servers) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
};

const listen = async (server: HttpServer): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, RECEIVER_HOST, resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The receiver has no port.');
  return address.port;
};
