/**
 * Headers that a target may not set, because they say how the message is framed, where it goes, or how the connection
 * is used: with them a tenant could reach another virtual host or desynchronise a proxy. Lower case.
 */
export const FORBIDDEN_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
