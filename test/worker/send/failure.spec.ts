import { describe, expect, it } from 'vitest';
import { EgressError, LocalFault } from '#src/worker/egress/errors.ts';
import { classify } from '#src/worker/send/failure.ts';

const coded = (code: string, message = ''): Error => Object.assign(new Error(message), { code });

describe('the class of an error', () => {
  it.each([
    ['HPE_INVALID_CONSTANT', 'invalid_response'],
    ['UND_ERR_HEADERS_OVERFLOW', 'invalid_response'],
    ['UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'invalid_response'],
    ['UND_ERR_SOCKET', 'connection_reset'],
    ['ECONNRESET', 'connection_reset'],
    ['EPIPE', 'connection_reset'],
    ['ETIMEDOUT', 'connection_reset'],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'tls'],
    ['EPROTO', 'tls'],
    ['UND_ERR_INVALID_ARG', 'invalid_target'],
  ])('%s is %s, before any answer', (code, reason) => expect(classify(coded(code), false)?.reason).toBe(reason));

  it('is an invalid answer when one had begun and was not accepted', () => {
    expect(classify(coded('UND_ERR_SOCKET'), true)?.reason).toBe('invalid_response');
    expect(classify(coded('ERR_ASSERTION'), true)?.reason).toBe('invalid_response');
    expect(classify(coded('ECONNRESET'), true)?.reason).toBe('connection_reset');
  });

  it('does not depend on the text', () => {
    expect(classify(coded('', 'ECONNRESET: other side closed'), false)).toBeUndefined();
  });

  it('is none when no receiver can have caused it', () => {
    expect(classify(new TypeError('a bug'), false)).toBeUndefined();
    expect(classify(coded('UND_ERR_DESTROYED'), false)).toBeUndefined();
    expect(classify(new LocalFault('EMFILE'), true)).toBeUndefined();
  });

  it('keeps the code of a certificate error, and hides what a resolver or a guard saw', () => {
    const cause = coded('CERT_HAS_EXPIRED');
    expect(classify(new EgressError('tls', 'Failed.', { cause }), false)?.message).toBe('Failed. (CERT_HAS_EXPIRED)');
    expect(classify(new EgressError('dns', 'Failed.', { cause }), false)?.message).toBe('Failed.');
    expect(classify(new EgressError('blocked_target', 'No.', { cause }), false)?.message).toBe('No.');
  });
});
