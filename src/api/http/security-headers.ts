import type { FastifyReply, FastifyRequest } from 'fastify';
import { contentSecurityPolicy } from './content-security-policy.ts';
import { clientRequestId } from './request-log.ts';

/** For answers that are data: nothing is to be guessed, framed, kept or told to others. */
const HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'content-security-policy': contentSecurityPolicy(),
  'cache-control': 'no-store',
  // The filter of old browsers does more harm than good; Hook0 sends the header, too.
  'x-xss-protection': '0',
};

/** Two years. Of this host alone: what else runs below its domain is not ours to decide. */
const SECURE_HEADERS = { ...HEADERS, 'strict-transport-security': 'max-age=63072000' };

/** Sets the headers that every answer has. */
export type SetSecurityHeaders = (request: FastifyRequest, reply: FastifyReply) => void;

/**
 * For every answer, refusals and unknown routes included; pages may set others in their place. Browsers are told to come back over
 * TLS when that is how people reach us: by the public address, or because a trusted proxy says so of the request.
 */
export const createSecurityHeaders = ({
  publicUrl,
  trustedProxies,
}: {
  readonly publicUrl: string;
  readonly trustedProxies: readonly string[];
}): SetSecurityHeaders => {
  const isSecure = publicUrl.startsWith('https:');
  const asksProxy = !isSecure && trustedProxies.length > 0;
  return (request, reply) => {
    reply.headers(isSecure || (asksProxy && request.protocol === 'https') ? SECURE_HEADERS : HEADERS);
    reply.header('x-request-id', clientRequestId(request.headers) ?? request.id);
  };
};
