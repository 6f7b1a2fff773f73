import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Duplex, duplexPair } from 'node:stream';
import { behaviourOf } from './behaviours.ts';

export type BuiltInReceiver = {
  /** A connection to it, which never leaves the process. */
  readonly open: () => Duplex;
};

/**
 * An HTTP server that listens nowhere: both ends of a connection are in this process. It reads what arrives, tells what it
 * was, and keeps nothing; a connection ends with the end that asked for it, and so does an answer that was to come later.
 */
export const createBuiltInReceiver = ({ signatureHeader }: { readonly signatureHeader: string }): BuiltInReceiver => {
  const signatures = ['webhook-signature', signatureHeader.toLowerCase()];
  const server = createServer((request, response) => {
    let bytes = 0;
    request
      .on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      })
      .on('end', () => answer(request, response, bytes, signatures));
  });
  return {
    open: () => {
      const [near, far] = duplexPair();
      server.emit('connection', far);
      return near;
    },
  };
};

const answer = (
  { method, url = '/', headers }: IncomingMessage,
  response: ServerResponse,
  bytes: number,
  signatureHeaders: readonly string[],
): void => {
  const [path = '/'] = url.split('?', 1);
  const key = { deliveryId: String(headers['webhook-id']), attempt: String(headers['x-posthorn-attempt']) };
  const found = behaviourOf(path, key);
  const signatures = signatureHeaders.filter((name) => headers[name] !== undefined);
  const body = found
    ? { method, path, bytes, signatures }
    : { error: `There is no ${path} here: try /ok, /status/503, /slow/1000, /flaky/50 or /gone.` };
  const timer = setTimeout(() => {
    response.writeHead(found?.status ?? 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  }, found?.delayMs ?? 0);
  response.once('close', () => clearTimeout(timer));
};
