import { gzipSync } from 'node:zlib';
import type { Behaviour, Call } from './receiver.ts';

type Headers = Readonly<Record<string, string>>;

/** A correct answer. */
export const answer =
  (status: number, body: string | Buffer = '', headers: Headers = {}): Behaviour =>
  ({ socket }) => {
    const length = status === 204 || status === 304 ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
    socket.write(head(status, { ...length, ...headers }));
    if (body.length > 0) socket.write(body);
  };

export const redirect = (status: number, location: string): Behaviour => answer(status, '', { Location: location });
export const retryAfter = (status: number, value: string): Behaviour => answer(status, '', { 'Retry-After': value });

/** The first request meets the first behaviour, and so on; the last stays. */
export const sequence =
  (...behaviours: readonly Behaviour[]): Behaviour =>
  (call) =>
    behaviours[Math.min(call.nth, behaviours.length) - 1]?.(call);

/** Answers after a while. */
export const slow =
  (ms: number, then: Behaviour = answer(200, 'late')): Behaviour =>
  (call) => {
    const timer = setTimeout(() => then(call), ms);
    call.onClose(() => clearTimeout(timer));
  };

/** Holds each request until `release` is called, for tests that say when. */
export const gate = (then: Behaviour = answer(200, 'ok')): { behaviour: Behaviour; release: () => void } => {
  const held: Call[] = [];
  let isOpen = false;
  return {
    behaviour: (call) => {
      if (isOpen) then(call);
      else held.push(call);
    },
    release: () => {
      isOpen = true;
      for (const call of held.splice(0)) then(call);
    },
  };
};

export const hang = (): Behaviour => () => undefined;

/** A byte of the head at a time, without end. */
export const dripHead =
  (everyMs: number): Behaviour =>
  (call) => {
    call.socket.write('HTTP/1.1 200 OK\r\nX-Drip: ');
    repeat(call, everyMs, 'a');
  };

/** A byte of the body at a time, of many that were announced. */
export const dripBody =
  (everyMs: number, status = 200): Behaviour =>
  (call) => {
    call.socket.write(head(status, { 'Content-Length': '1000000' }));
    repeat(call, everyMs, 'a');
  };

/** Chunks of one byte, without end; with `extensions`, chunk headers that never end instead. */
export const dripChunks =
  (everyMs: number, extensions = false): Behaviour =>
  (call) => {
    call.socket.write(head(200, { 'Transfer-Encoding': 'chunked' }));
    if (extensions) call.socket.write('1;');
    repeat(call, everyMs, extensions ? 'a=b;' : '1\r\na\r\n');
  };

/** The body is whole, its trailers never end. */
export const dripTrailers =
  (everyMs: number): Behaviour =>
  (call) => {
    call.socket.write(`${head(200, { 'Transfer-Encoding': 'chunked' })}2\r\nok\r\n0\r\nX-Trailer: `);
    repeat(call, everyMs, 'a');
  };

/** Interim answers, never a final one; 0 sends them as fast as they are read. */
export const endlessInformational =
  (everyMs: number, status = 103): Behaviour =>
  (call) => {
    const interim = head(status, { Link: '</a>' });
    if (everyMs > 0) repeat(call, everyMs, interim);
    else flood(call, interim.repeat(100), Number.POSITIVE_INFINITY);
  };

/** As many bytes as asked for, as fast as they are read. */
export const hugeBody =
  (bytes: number, status = 200): Behaviour =>
  (call) => {
    call.socket.write(head(status, { 'Content-Length': String(bytes) }));
    flood(call, Buffer.alloc(65_536, 'a'), bytes);
  };

/** About a thousandth of what it unpacks to. */
export const gzipBomb = (unpackedBytes: number): Behaviour => {
  const packed = gzipSync(Buffer.alloc(unpackedBytes));
  return answer(200, packed, { 'Content-Encoding': 'gzip' });
};

export const manyHeaders = (count: number): Behaviour =>
  raw(`HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(count)}Content-Length: 0\r\n\r\n`);

export const largeHeader = (bytes: number): Behaviour => answer(200, '', { 'X-Large': 'a'.repeat(bytes) });

/** RST, when nothing has been answered. */
export const reset =
  (before = ''): Behaviour =>
  ({ socket }) => {
    if (before === '') socket.resetAndDestroy();
    else socket.write(before, () => socket.resetAndDestroy());
  };

/** FIN, when nothing has been answered; the other direction stays open. */
export const halfClose =
  (before = ''): Behaviour =>
  ({ socket }) => {
    socket.end(before);
  };

/** Answers well and closes, without having said so. */
export const closeAfter =
  (status = 200): Behaviour =>
  ({ socket }) => {
    socket.end(`${head(status, { 'Content-Length': '2' })}ok`);
  };

/** Exactly these bytes. `end` closes after them. */
export const raw =
  (bytes: string | Buffer, { end = false }: { readonly end?: boolean } = {}): Behaviour =>
  ({ socket }) => {
    const written = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
    if (end) socket.end(written);
    else socket.write(written);
  };

/** Each is one answer that is no HTTP/1.1, by a name for the test's title. */
export const MALFORMED: Readonly<Record<string, Behaviour>> = {
  'HTTP/0.9': raw('hello', { end: true }),
  'a status of 000': raw('HTTP/1.1 000 Zero\r\nContent-Length: 0\r\n\r\n'),
  'a status of 099': raw('HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n'),
  'a status of 600': raw('HTTP/1.1 600 High\r\nContent-Length: 0\r\n\r\n'),
  'a status of 999': raw('HTTP/1.1 999 Higher\r\nContent-Length: 0\r\n\r\n'),
  'a status of two digits': raw('HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n'),
  'a status of four digits': raw('HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n'),
  'a negative status': raw('HTTP/1.1 -200 OK\r\nContent-Length: 0\r\n\r\n'),
  'a status in words': raw('HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n'),
  'an unasked 100': raw('HTTP/1.1 100 Continue\r\n\r\n', { end: true }),
  'an unasked 101': raw('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
  'NUL in a header': raw('HTTP/1.1 200 OK\r\nX-Nul: a\0b\r\nContent-Length: 0\r\n\r\n'),
  'a space before the colon': raw('HTTP/1.1 200 OK\r\nX-Space : a\r\nContent-Length: 0\r\n\r\n'),
  'a folded header': raw('HTTP/1.1 200 OK\r\nX-Fold: a\r\n b\r\nX\r\nContent-Length: 0\r\n\r\n'),
  'a header without a name': raw('HTTP/1.1 200 OK\r\n: a\r\nContent-Length: 0\r\n\r\n'),
  'a length and chunks': raw('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
  'two lengths': raw('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'),
  'a negative length': raw('HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n'),
  'a length as a float': raw('HTTP/1.1 200 OK\r\nContent-Length: 1e15\r\n\r\n'),
  'a length beyond 64 bits': raw(`HTTP/1.1 200 OK\r\nContent-Length: ${'9'.repeat(30)}\r\n\r\n`),
  'HTTP/2 on HTTP/1.1': raw(Buffer.from('0000060400000000000005000040', 'hex')),
  'a TLS alert in the clear': raw(Buffer.from('15030100020228', 'hex'), { end: true }),
  'another protocol': raw('SSH-2.0-OpenSSH_9.2\r\n', { end: true }),
  'a head cut short': raw('HTTP/1.1 200 OK\r\nContent-Le', { end: true }),
};

const REASONS: Readonly<Record<number, string>> = { 103: 'Early Hints', 200: 'OK', 204: 'No Content' };

const head = (status: number, headers: Headers): string =>
  `HTTP/1.1 ${status} ${REASONS[status] ?? 'Status'}\r\n${Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`;

const repeat = ({ socket, onClose }: Call, everyMs: number, bytes: string): void => {
  const timer = setInterval(() => socket.write(bytes), everyMs);
  onClose(() => clearInterval(timer));
};

const flood = ({ socket }: Call, chunk: string | Buffer, bytes: number): void => {
  let left = bytes;
  const pump = (): void => {
    while (left > 0 && !socket.destroyed) {
      const part = left >= chunk.length ? chunk : chunk.slice(0, left);
      left -= part.length;
      if (!socket.write(part)) return;
    }
  };
  socket.on('drain', pump);
  pump();
};
