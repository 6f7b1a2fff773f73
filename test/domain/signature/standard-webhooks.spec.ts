import { createSecretKey, randomUUID, verify } from 'node:crypto';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { describe, expect, it } from 'vitest';
import {
  prepareEd25519Key,
  prepareSymmetricKey,
  publicKeyOfWhpk,
  whpkOf,
  whsecOf,
  whskOf,
} from '#src/domain/signature/keys.ts';
import { signStandardWebhooks } from '#src/domain/signature/standard-webhooks.ts';
import vectors from './vectors.json' with { type: 'json' };

const decoded = (key: string) => Buffer.from(key.slice(key.indexOf('_') + 1), 'base64');
const seed = Uint8Array.from({ length: 32 }, (_, index) => index);
const id = '0195506e-8c7b-8abc-9def-0123456789ab';
const uuid = '3F2B9C64-1D0E-4A7B-8C5D-6E7F8091A2B3';
const nowSeconds = () => Math.floor(Date.now() / 1000);

/** The body with one bit turned over. */
const flipped = (body: Uint8Array, bit: number) => {
  const copy = Buffer.from(body);
  const byte = Math.floor(bit / 8) % copy.length;
  copy[byte] = (copy[byte] ?? 0) ^ (1 << (bit % 8));
  return copy;
};

describe('the vectors of Standard Webhooks', () => {
  const signed = vectors.standardWebhooks.filter(({ secret }) => secret !== undefined);
  it.each(signed)('$name', ({ scheme, webhookId, webhookTimestamp, body, secret = '', signature }) => {
    const bytes = decoded(secret);
    const key = scheme === 'v1' ? createSecretKey(bytes) : prepareEd25519Key(bytes.subarray(0, 32));
    const message = { id: webhookId, timestamp: webhookTimestamp, body: Buffer.from(body), keys: [key] };
    expect(signStandardWebhooks(message)).toBe(signature);
  });
  it('covers all of them but the one that can only be verified', () => expect(signed).toHaveLength(12));
  it.each(vectors.standardWebhooks.filter(({ scheme }) => scheme === 'v1a'))(
    '$name verifies with its published key',
    ({ webhookId, webhookTimestamp, body, publicKey = '', signature }) => {
      const content = Buffer.from(`${webhookId}.${webhookTimestamp}.${body}`);
      const bytes = Buffer.from(signature.slice('v1a,'.length), 'base64');
      expect(verify(null, content, publicKeyOfWhpk(publicKey), bytes)).toBe(true);
      expect(verify(null, flipped(content, 3), publicKeyOfWhpk(publicKey), bytes)).toBe(false);
    },
  );
});

describe('keys', () => {
  it('take the lower-case text of the secret', () => {
    expect(whsecOf(uuid)).toBe(`whsec_${Buffer.from(uuid.toLowerCase()).toString('base64')}`);
    expect(prepareSymmetricKey(uuid).export()).toStrictEqual(Buffer.from(uuid.toLowerCase()));
    expect(decoded(whsecOf(uuid))).toStrictEqual(prepareSymmetricKey(uuid).export());
  });
  it('show an Ed25519 seed as others do', () => {
    expect(whskOf(seed)).toBe(
      'whsk_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8DoQe/884Qvh1w3RjnS8CZZ+TWMJulDV8d3IZkElUxuA==',
    );
    expect(whpkOf(prepareEd25519Key(seed))).toBe('whpk_A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=');
    expect(whpkOf(publicKeyOfWhpk(whpkOf(prepareEd25519Key(seed))))).toBe(whpkOf(prepareEd25519Key(seed)));
  });
  it('refuse an empty secret and a seed of another length', () => {
    expect(() => prepareSymmetricKey('')).toThrow(RangeError);
    expect(() => prepareEd25519Key(seed.subarray(1))).toThrow(RangeError);
    expect(() => publicKeyOfWhpk('whpk_AAEC')).toThrow(RangeError);
  });
});

describe('signStandardWebhooks', () => {
  const key = prepareSymmetricKey(uuid);
  const oldUuid = randomUUID();
  const headersFor = (body: Uint8Array, keys = [key], timestamp = nowSeconds()) => ({
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signStandardWebhooks({ id, timestamp, body, keys }),
  });
  const options = { jsonParse: false };
  // The published verifiers read a body as UTF-8 text, so bytes that are not go to the plain property below.
  const text = fc.string({ unit: 'binary', maxLength: 2_000 }).map((body) => Buffer.from(body.toWellFormed()));
  const verifiers = [
    ['standardwebhooks', (secret: string) => new Webhook(secret)],
    ['svix', (secret: string) => new SvixWebhook(secret)],
  ] as const;

  it.each(verifiers)('is accepted by %s for 1,000 bodies, and refused with a bit flipped', (_, verifierOf) => {
    const verifier = verifierOf(whsecOf(uuid));
    fc.assert(
      fc.property(text, fc.nat(), (body, bit) => {
        const headers = headersFor(body);
        expect(() => verifier.verify(body, headers, options)).not.toThrow();
        if (body.length > 0) expect(() => verifier.verify(flipped(body, bit), headers, options)).toThrow();
        const moved = { ...headers, 'webhook-timestamp': String(Number(headers['webhook-timestamp']) - 1) };
        expect(() => verifier.verify(body, moved, options)).toThrow();
        expect(() => verifier.verify(body, { ...headers, 'webhook-id': `${id}x` }, options)).toThrow();
      }),
      { numRuns: 1_000 },
    );
  });
  it('covers every bit of any bytes, in both versions', () => {
    const keys = [key, prepareEd25519Key(seed)];
    const publicKey = publicKeyOfWhpk(whpkOf(prepareEd25519Key(seed)));
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 500 }), fc.nat(), (body, bit) => {
        const signature = signStandardWebhooks({ id, timestamp: 1, body, keys });
        const [v1, v1a = ''] = signature.split(' ');
        const [otherV1, otherV1a] = signStandardWebhooks({ id, timestamp: 1, body: flipped(body, bit), keys }).split(
          ' ',
        );
        expect(v1).not.toBe(otherV1);
        expect(v1a).not.toBe(otherV1a);
        const content = Buffer.concat([Buffer.from(`${id}.1.`), body]);
        expect(verify(null, content, publicKey, Buffer.from(v1a.slice(4), 'base64'))).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });
  it.each(verifiers)('lets %s accept the old and the new secret during a rotation', (_, verifierOf) => {
    const body = Buffer.from('{"a":1}');
    const headers = headersFor(body, [key, prepareSymmetricKey(oldUuid), prepareEd25519Key(seed)]);
    expect(headers['webhook-signature']).toMatch(/^v1,\S{44} v1,\S{44} v1a,\S{88}$/);
    for (const secret of [uuid, oldUuid])
      expect(() => verifierOf(whsecOf(secret)).verify(body, headers, options)).not.toThrow();
    const after = headersFor(body, [key]);
    expect(() => verifierOf(whsecOf(oldUuid)).verify(body, after, options)).toThrow();
    expect(() => verifierOf(whsecOf(randomUUID())).verify(body, headers, options)).toThrow();
  });
  it.each(verifiers)('is too old for %s after five minutes', (_, verifierOf) => {
    const body = Buffer.from('{}');
    const headers = headersFor(body, [key], nowSeconds() - 302);
    expect(() => verifierOf(whsecOf(uuid)).verify(body, headers, options)).toThrow();
  });
  it('takes 256 KiB', () => {
    const body = Buffer.alloc(262_144, 'a');
    expect(() => new Webhook(whsecOf(uuid)).verify(body, headersFor(body), options)).not.toThrow();
  });
  it('refuses what would be ambiguous', () => {
    const message = { id, timestamp: 1, body: Buffer.from('{}'), keys: [key] };
    expect(() => signStandardWebhooks({ ...message, id: 'a.b' })).toThrow(RangeError);
    expect(() => signStandardWebhooks({ ...message, timestamp: 1.5 })).toThrow(RangeError);
    expect(() => signStandardWebhooks({ ...message, keys: [] })).toThrow(RangeError);
  });
});
