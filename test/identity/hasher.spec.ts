import { argon2Sync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createPasswordHasher, PasswordHashingBusy } from '#src/identity/hasher.ts';

const { hash, verify, verifyNobody, needsRehash } = createPasswordHasher();
const PASSWORD = 'tuba lantern crisp otter';

/** From the reference implementation's own tests (github.com/P-H-C/phc-winner-argon2, src/test.c): password and hash. */
const REFERENCE = [
  ['password', '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'],
  ['password', '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4'],
  ['password', '$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc'],
] as const;

describe('hashing', () => {
  it('computes the test vector of RFC 9106, section 5.3', () => {
    const tag = argon2Sync('argon2id', {
      message: Buffer.alloc(32, 1),
      nonce: Buffer.alloc(16, 2),
      secret: Buffer.alloc(8, 3),
      associatedData: Buffer.alloc(12, 4),
      parallelism: 4,
      tagLength: 32,
      memory: 32,
      passes: 3,
    });
    expect(tag.toString('hex')).toBe('0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659');
  });

  it.each(REFERENCE)('verifies %s against %s', async (password, reference) => {
    expect(await verify(reference, password)).toBe(true);
    expect(await verify(reference, `${password} `)).toBe(false);
    expect(needsRehash(reference)).toBe(true);
  });

  it('verifies what it hashed, and nothing else', async () => {
    const [first, second] = await Promise.all([hash(PASSWORD), hash(PASSWORD)]);
    expect(first).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(first).not.toBe(second);
    expect(await Promise.all([verify(first, PASSWORD), verify(second, PASSWORD), verify(first, 'tuba')])).toEqual([
      true,
      true,
      false,
    ]);
    expect(needsRehash(first)).toBe(false);
    expect(needsRehash(first.replace('t=2', 't=1'))).toBe(true);
  });

  it('takes the same characters in any of their forms', async () => {
    expect(await verify(await hash('u\u0308bungsplatz-42'), '\u00fcbungsplatz-42')).toBe(true);
  });

  it('verifies nothing longer than a password may be', async () => {
    const long = 'x'.repeat(300);
    expect(await verify(await hash(long), `${long}y`)).toBe(false);
  });

  it('knows nobody', async () => expect(await verifyNobody(PASSWORD)).toBe(false));

  it.each([
    '',
    'plain',
    '$2b$10$rI7Qo3.7fZFQZQYQXYQXeOzQ7fZFQZQYQXYQXeOzQ7fZFQZQYQXYQXe',
    '$argon2id$v=16$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4',
    '$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4',
    '$argon2id$v=19$m=256,t=99,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4',
    '$argon2id$v=19$m=256,t=2,p=0$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4',
  ])('throws at the stored hash "%s"', async (stored) => {
    await expect(verify(stored, PASSWORD)).rejects.toThrow(RangeError);
    expect(() => needsRehash(stored)).toThrow(RangeError);
  });
});

describe('under load', () => {
  it('lets some wait and turns the others away', async () => {
    const hasher = createPasswordHasher({ concurrency: 1, queue: 2 });
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => hasher.verifyNobody(PASSWORD)));
    expect(outcomes.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
      'rejected',
    ]);
    expect(outcomes[4]).toMatchObject({ reason: expect.any(PasswordHashingBusy) });
    expect(await hasher.verifyNobody(PASSWORD)).toBe(false);
  });

  it('goes on after a fault', async () => {
    const hasher = createPasswordHasher({ concurrency: 1, queue: 0 });
    await expect(hasher.verify('no hash', PASSWORD)).rejects.toThrow(RangeError);
    expect(await hasher.verifyNobody(PASSWORD)).toBe(false);
  });
});
