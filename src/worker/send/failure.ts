import type { FailureReason } from '../../domain/delivery/events.ts';
import { EgressError, errorCode, LocalFault } from '../egress/errors.ts';

export type Failure = { readonly reason: FailureReason; readonly message: string };

/**
 * The class of what undici reports, by code alone: texts change between releases. `undefined` means that no receiver can
 * have caused it. `started` tells whether any byte of an answer had come.
 */
export const classify = (error: unknown, started: boolean): Failure | undefined => {
  if (error instanceof LocalFault) return undefined;
  if (error instanceof EgressError) return { reason: error.reason, message: explain(error) };
  const code = errorCode(error) ?? '';
  if (code.startsWith('HPE_') || INVALID_CODES.has(code)) return INVALID_RESPONSE;
  // The same code for "the other side closed" and for an answer undici does not accept (100, 101).
  if (code === 'UND_ERR_SOCKET') return started ? INVALID_RESPONSE : RESET;
  if (RESET_CODES.has(code)) return RESET;
  if (code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_') || code === 'EPROTO') return TLS;
  if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED') return INVALID_HEADER;
  // An assertion of the parser's that an answer has tripped.
  return started ? INVALID_RESPONSE : undefined;
};

export const TIMEOUT: Failure = { reason: 'timeout', message: 'No answer within the time limit.' };
/** Not the receiver's slowness alone: every connection we allow to its origin was in use. */
export const NEVER_SENT: Failure = {
  reason: 'timeout',
  message: 'Every connection to the origin was in use for the whole time limit; nothing was sent.',
};
export const INVALID_RESPONSE: Failure = {
  reason: 'invalid_response',
  message: 'The answer is not valid HTTP/1.1, or its headers are too large.',
};
export const INVALID_HEADER: Failure = {
  reason: 'invalid_target',
  message: 'A header of the target is not allowed or cannot be sent.',
};
const RESET: Failure = { reason: 'connection_reset', message: 'The connection was closed before an answer came.' };
const TLS: Failure = { reason: 'tls', message: 'The TLS connection failed.' };

/** Certificate errors help the owner of the endpoint and reveal nothing of ours, so their code is shown. */
const explain = ({ reason, message, cause }: EgressError): string => {
  const code = reason === 'tls' || reason === 'connect' ? errorCode(cause) : undefined;
  return code === undefined ? message : `${message} (${code})`;
};

const INVALID_CODES = new Set([
  'UND_ERR_HEADERS_OVERFLOW',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_RES_EXCEEDED_MAX_SIZE',
]);
const RESET_CODES = new Set([
  ...['ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT'],
  ...['EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN', 'ENOTCONN'],
]);
