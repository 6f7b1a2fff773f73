import { createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { verifyWebhookSignatureWithCurrentTime } from 'hook0-client';
import { describe, expect, it } from 'vitest';
import { signHook0 } from '#src/domain/signature/hook0.ts';
import { prepareSymmetricKey } from '#src/domain/signature/keys.ts';
import vectors from './vectors.json' with { type: 'json' };

const secret = '3f2b9c64-1d0e-4a7b-8c5d-6e7f8091a2b3';
const timestampSeconds = 1_700_000_000;
const now = new Date(timestampSeconds * 1000);
const message = {
  key: prepareSymmetricKey(secret),
  timestampSeconds,
  body: Buffer.from('{"a":1}'),
  headers: {
    'X-Event-Type': 'user.created',
    'Content-Type': 'application/json',
    'x-event-id': 'e',
    Authorization: 'Bearer x',
  },
  withV0: false,
};
const accepts = (signature: string, body: Uint8Array, headers: Record<string, string>, key = secret, at = now) => {
  const received = new Headers(headers);
  try {
    return verifyWebhookSignatureWithCurrentTime(signature, Buffer.from(body), received, key, 300, at);
  } catch {
    return false;
  }
};

describe('the vectors of Hook0', () => {
  it.each(vectors.hook0)('$name', ({ secret: text, timestampSeconds: t, body, v0, headers, rest }) => {
    const vector = { key: createSecretKey(Buffer.from(text)), timestampSeconds: t, body: Buffer.from(body), headers };
    expect(signHook0({ ...vector, withV0: false })).toBe(`t=${t},${rest}`);
    expect(signHook0({ ...vector, withV0: true })).toBe(`t=${t},v0=${v0},${rest}`);
  });
});

describe('signHook0', () => {
  it('names the signed headers in lower case and in order', () =>
    expect(signHook0(message)).toMatch(
      /^t=1700000000,h=authorization content-type x-event-id x-event-type,v1=[0-9a-f]{64}$/,
    ));
  it("is accepted by Hook0's own client", () => {
    const signature = signHook0(message);
    expect(accepts(signature, message.body, message.headers)).toBe(true);
    expect(accepts(signHook0({ ...message, withV0: true }), message.body, message.headers)).toBe(true);
    expect(accepts(signature, message.body, { ...message.headers, Authorization: 'Bearer y' })).toBe(false);
    expect(accepts(signature, message.body, message.headers, 'another')).toBe(false);
    expect(accepts(signature, message.body, message.headers, secret, new Date(now.getTime() + 301_000))).toBe(false);
  });
  it('signs values as they arrive, without the blanks around them', () => {
    const headers = { 'x-a': ' \t one  two \t', 'x-b': '  ' };
    const signature = signHook0({ ...message, headers });
    expect(signature).toBe(signHook0({ ...message, headers: { 'x-a': 'one  two', 'x-b': '' } }));
    expect(accepts(signature, message.body, headers)).toBe(true);
  });
  it('is accepted for 1,000 bodies of any bytes, and refused with a bit flipped', () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), fc.nat(), fc.boolean(), (body, bit, withV0) => {
        const signature = signHook0({ ...message, body, withV0 });
        expect(accepts(signature, body, message.headers)).toBe(true);
        if (body.length === 0) return;
        const flipped = Buffer.from(body);
        const byte = Math.floor(bit / 8) % body.length;
        flipped[byte] = (flipped[byte] ?? 0) ^ (1 << (bit % 8));
        expect(accepts(signature, flipped, message.headers)).toBe(false);
      }),
      { numRuns: 1_000 },
    ));
  it('refuses a fractional timestamp', () =>
    expect(() => signHook0({ ...message, timestampSeconds: 1.5 })).toThrow(RangeError));
});
