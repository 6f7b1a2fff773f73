import type { Socket } from 'node:net';

export type ParsedRequest = {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
};

/** As much of HTTP/1.1 as our own sender speaks: a head, and a body of a stated length. */
export const parseRequests = (socket: Socket, onRequest: (request: ParsedRequest) => void): void => {
  let bytes: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    for (;;) {
      const end = bytes.indexOf('\r\n\r\n');
      if (end === -1) return;
      const head = parseHead(bytes.toString('latin1', 0, end));
      const bodyEnd = end + 4 + Number(head.headers['content-length'] ?? 0);
      if (bytes.length < bodyEnd) return;
      const body = Buffer.from(bytes.subarray(end + 4, bodyEnd));
      bytes = bytes.subarray(bodyEnd);
      onRequest({ ...head, body });
    }
  });
};

const parseHead = (text: string): Omit<ParsedRequest, 'body'> => {
  const [requestLine = '', ...lines] = text.split('\r\n');
  const [method = '', path = ''] = requestLine.split(' ');
  const headers = Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  return { method, path, headers };
};
