import { createSecretKey, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openBody, sealBody } from '#src/vault/body.ts';

const dataKey = createSecretKey(randomBytes(32));
const HEAD_BYTES = 33;

/** Random, all alike, or something between; up to where a thread deflates it. */
const bodies = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc.integer({ min: 2_000, max: 70_000 }).map((length) => randomBytes(length)),
  fc.integer({ min: 2_000, max: 200_000 }).map((length) => Buffer.alloc(length, 'one event like the other, ')),
);

describe('a sealed body', () => {
  it('opens to the very bytes, whatever they are', async () => {
    await fc.assert(
      fc.asyncProperty(bodies, fc.string(), async (body, context) => {
        expect((await openBody(dataKey, await sealBody(dataKey, body, context), context)).equals(body)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('does not open with any bit changed, or cut short', async () => {
    const sealed = await sealBody(dataKey, Buffer.from('a payload'), 'here');
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: sealed.length * 8 - 1 }), async (bit) => {
        const changed = Buffer.from(sealed);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        await expect(openBody(dataKey, changed, 'here')).rejects.toThrow();
      }),
    );
    for (let length = 0; length < sealed.length; length += 1)
      await expect(openBody(dataKey, sealed.subarray(0, length), 'here')).rejects.toThrow();
  });

  it('does not open elsewhere, nor with another data key', async () => {
    const sealed = await sealBody(dataKey, Buffer.from('a payload'), 'here');
    await expect(openBody(dataKey, sealed, 'there')).rejects.toThrow();
    await expect(openBody(createSecretKey(randomBytes(32)), sealed, 'here')).rejects.toThrow();
  });

  it('has a key of its own: none begins alike, through many pages of salts', async () => {
    const body = Buffer.from('the same payload');
    const sealed = await Promise.all(Array.from({ length: 1_000 }, () => sealBody(dataKey, body, 'here')));
    expect(new Set(sealed.map((bytes) => bytes.toString('hex', 1, 17))).size).toBe(1_000);
    expect(new Set(sealed.map((bytes) => bytes.toString('hex', HEAD_BYTES))).size).toBe(1_000);
  });

  it('is deflated when that makes it smaller, and then only', async () => {
    const alike = await sealBody(dataKey, Buffer.alloc(100_000, '{"amount":42}'), 'here');
    expect(alike.length).toBeLessThan(2_000);
    const random = await sealBody(dataKey, randomBytes(100_000), 'here');
    expect(random.length).toBe(100_000 + HEAD_BYTES);
    expect((await sealBody(dataKey, Buffer.alloc(1_000), 'here')).length).toBe(1_000 + HEAD_BYTES);
  });
});
