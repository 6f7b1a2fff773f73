import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { attenuate } from '#src/tokens/attenuate.ts';
import type { Claims } from '#src/tokens/claims.ts';
import { inspect } from '#src/tokens/inspect.ts';
import { rootKeyIdOf } from '#src/tokens/keys.ts';
import { AuthorizerBuilder, Biscuit } from '#src/tokens/library.ts';
import { without } from '#src/tokens/quiet.ts';
import { TokenRefused } from '#src/tokens/refused.ts';
import { createTokens, type Tokens, type VerifiedToken } from '#src/tokens/tokens.ts';
import {
  APPLICATION,
  append,
  ingest,
  later,
  NOW,
  ORGANIZATION,
  OTHER_SEED,
  ROOT,
  SEED,
  serviceToken,
  tokens,
  userClaims,
} from './support.ts';

const refusalOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof TokenRefused) return error.reason;
    throw error;
  }
  throw new Error('It was taken.');
};

const { tokenId, sessionId, userId } = userClaims;
const session = { tokenId, sessionId, userId, createdAt: NOW, expiresAt: later(1_800) };
const mail = { tokenId, userId, createdAt: NOW, expiresAt: later(86_400) };

describe('minting', () => {
  const minted: [string, string, Claims][] = [
    ['user access', tokens.mintUserAccess(userClaims).token, { kind: 'user_access', ...userClaims }],
    ['refresh', tokens.mintRefresh(session).token, { kind: 'refresh', ...session }],
    [
      'service',
      tokens.mintService({ tokenId, organizationId: ORGANIZATION, createdAt: NOW }).token,
      { kind: 'service_access', tokenId, organizationId: ORGANIZATION, createdAt: NOW },
    ],
    [
      'verification',
      tokens.mintMail({ purpose: 'email_verification', ...mail }).token,
      { kind: 'email_verification', ...mail },
    ],
    ['reset', tokens.mintMail({ purpose: 'password_reset', ...mail }).token, { kind: 'password_reset', ...mail }],
  ];

  it.each(minted)('makes a %s token that says what it was given', (_, token, claims) => {
    expect(tokens.verify(token, NOW)).toStrictEqual({
      ...claims,
      rootKeyId: 2026,
      isAttenuated: false,
      revocationIds: [expect.stringMatching(/^[0-9a-f]{128}$/)],
    });
  });

  it('answers with the revocation id of the first block', () => {
    const { token, revocationId } = tokens.mintService({ tokenId, organizationId: ORGANIZATION, createdAt: NOW });
    expect(tokens.verify(token, NOW).revocationIds).toEqual([revocationId]);
    const biscuit = Biscuit.fromBase64(token, ROOT);
    expect(biscuit.getRevocationIdentifiers()).toEqual([revocationId]);
    biscuit.free();
  });

  it.each(minted.filter(([name]) => name !== 'service'))('seals a %s token', (_, token) => {
    expect(inspect(token).isSealed).toBe(true);
    expect(() => append(token, 'check if true')).toThrow();
    expect(refusalOf(() => attenuate(token, { applicationId: APPLICATION }))).toBe('sealed');
  });

  it('takes no text for Datalog, and none for a key', () => {
    const names = {
      firstName: '"); organization_role("x", "editor',
      lastName: `ed25519/${'0'.repeat(64)}`,
      email: '{p0_0}',
    };
    const verified = tokens.verify(tokens.mintUserAccess({ ...userClaims, ...names }).token, NOW);
    expect(verified).toMatchObject({ ...names, roles: userClaims.roles });
  });

  it('keeps 20 roles, and with the longest names stays within what is verified', () => {
    const roles = Array.from({ length: 30 }, (_, index) => ({
      organizationId: `7f2b9d2e-0d0c-4a0e-9b53-0000000000${index + 10}`,
      role: 'editor',
    }));
    const long = { firstName: '𝒜'.repeat(50), lastName: '𝒵'.repeat(50), email: 'e'.repeat(100) };
    const verified = tokens.verify(tokens.mintUserAccess({ ...userClaims, ...long, roles }).token, NOW);
    expect(verified).toMatchObject({ ...long, roles: roles.slice(0, 20) });
  });

  it('writes an expiry that any Biscuit library enforces', () => {
    const biscuit = Biscuit.fromBase64(tokens.mintRefresh(session).token, ROOT);
    const at = (instant: Date) => {
      const builder = new AuthorizerBuilder();
      builder.addCode(`time(${instant.toISOString()}); allow if true;`);
      return builder.buildAuthenticated(biscuit).authorizeWithLimits({ max_time_micro: 5_000_000 });
    };
    expect(at(later(1_799))).toBe(0);
    expect(() => at(later(1_800))).toThrow();
    biscuit.free();
  });
});

describe('verifying', () => {
  it('refuses from the second of the expiry on', () => {
    const { token } = tokens.mintUserAccess(userClaims);
    expect(tokens.verify(token, later(299))).toMatchObject({ kind: 'user_access' });
    expect(refusalOf(() => tokens.verify(token, later(300)))).toBe('expired');
  });

  it('takes facts from the authority block only', () => {
    const forged = append(serviceToken(), 'organization_id("another"); type("user_access")');
    expect(refusalOf(() => tokens.verify(forged, NOW))).toBe('gate');
  });

  it.each([
    ['', 'malformed'],
    ['AAAA', 'malformed'],
    ['no token', 'malformed'],
    [`${'A'.repeat(4_097)}`, 'too_big'],
  ])('refuses "%.10s" as %s', (token, reason) => expect(refusalOf(() => tokens.verify(token, NOW))).toBe(reason));

  it('refuses another text for the same bytes', () => {
    const token = tokens.mintRefresh(session).token.replace(/=+$/, '');
    expect(tokens.verify(token, NOW)).toMatchObject({ kind: 'refresh' });
    for (const other of [` ${token}`, `${token}===`, `${token}\n`, token.replaceAll('-', '+').concat('+')])
      expect(refusalOf(() => tokens.verify(other, NOW))).toBe('malformed');
  });

  it('refuses bits behind the last byte', () => {
    const padded = ['a', 'ab', 'abc']
      .map((id) => tokens.mintService({ tokenId: id, organizationId: ORGANIZATION, createdAt: NOW }).token)
      .find((token) => token.endsWith('='));
    const last = padded?.replace(/=+$/, '').at(-1) ?? '';
    const next = String.fromCharCode(last.charCodeAt(0) + 1);
    const other = padded?.replace(new RegExp(`${last}(=+)$`), `${next}$1`) ?? '';
    expect(Buffer.from(other, 'base64url').equals(Buffer.from(padded ?? '', 'base64url'))).toBe(true);
    expect(other).not.toBe(padded);
    expect(refusalOf(() => tokens.verify(other, NOW))).toBe('malformed');
  });

  it('refuses a block that was signed by another key', () => {
    const theirs = createTokens({ keys: [{ id: '2026', key: OTHER_SEED }] });
    const { token } = theirs.mintService({ tokenId, organizationId: ORGANIZATION, createdAt: NOW });
    expect(refusalOf(() => tokens.verify(token, NOW))).toBe('signature');
  });
});

describe('root keys', () => {
  const mintedBy = ({ mintService }: Tokens) =>
    mintService({ tokenId, organizationId: ORGANIZATION, createdAt: NOW }).token;
  const both = createTokens({
    keys: [
      { id: 'next', key: OTHER_SEED },
      { id: '2026', key: SEED },
    ],
  });

  it('sign with the first and verify with all', () => {
    expect(both.verify(serviceToken(), NOW)).toMatchObject({ rootKeyId: 2026 });
    expect(both.verify(mintedBy(both), NOW)).toMatchObject({ rootKeyId: rootKeyIdOf('next') });
  });

  it('verify nothing any more once removed', () => {
    const rotated = createTokens({ keys: [{ id: 'next', key: OTHER_SEED }] });
    expect(refusalOf(() => rotated.verify(serviceToken(), NOW))).toBe('unknown_key');
    expect(refusalOf(() => tokens.verify(mintedBy(both), NOW))).toBe('unknown_key');
  });

  it.each([
    ['0', 0],
    ['1', 1],
    ['4294967295', 4_294_967_295],
    // The first eight digits of `printf 4294967296 | sha256sum`, and so on.
    ['4294967296', 0x6c1ca400],
    ['01', 0x938db8c9],
    ['main', 0x0d6e4079],
  ])('have a number for the id %s', (id, number) => expect(rootKeyIdOf(id)).toBe(number));

  it('are refused when tokens could not tell them apart', () => {
    const keys = [
      { id: 'main', key: SEED },
      { id: String(rootKeyIdOf('main')), key: OTHER_SEED },
    ];
    expect(() => createTokens({ keys })).toThrow(/root keys main and \d+ would both be number \d+/);
    expect(() => createTokens({ keys: [] })).toThrow(RangeError);
  });
});

describe('permits', () => {
  const verified = (token: string): VerifiedToken => tokens.verify(token, NOW);

  it('allows everything to a token without restrictions, until it expires', () => {
    const user = verified(tokens.mintUserAccess(userClaims).token);
    expect(tokens.permits(user, ingest)).toEqual({ allowed: true });
    expect(tokens.permits(user, { ...ingest, now: later(300) })).toMatchObject({ allowed: false, because: 'checks' });
    expect(tokens.permits(verified(serviceToken()), { action: 'x:y', now: NOW })).toEqual({ allowed: true });
  });

  it('names the checks that failed', () => {
    const token = verified(
      append(serviceToken(), 'check if action("event:get"); check if application_id($a); reject if time($t)'),
    );
    expect(tokens.permits(token, ingest)).toEqual({
      allowed: false,
      because: 'checks',
      failed: ['check if action("event:get")', 'reject if time($t)'],
    });
  });

  it('fails a check that compares different kinds of values', () => {
    const token = verified(append(serviceToken(), 'check if action($a), $a > 3'));
    expect(tokens.permits(token, ingest)).toMatchObject({ allowed: false, because: 'checks' });
  });

  it('refuses what takes too many steps, and says so', () => {
    const token = verified(append(serviceToken(), 'check if event_type_names($n), $n == $n'));
    const eventTypeNames = Array.from({ length: 6_000 }, (_, index) => `type ${index}`);
    expect(tokens.permits(token, { ...ingest, eventTypeNames: eventTypeNames.slice(0, 2_000) })).toEqual({
      allowed: true,
    });
    expect(tokens.permits(token, { ...ingest, eventTypeNames })).toEqual({
      allowed: false,
      because: 'limit',
      failed: ['the checks take more than 10000 steps'],
    });
  });

  it('decides for any number of tokens in turn', () => {
    const many = Array.from({ length: 300 }, (_, index) =>
      verified(attenuate(serviceToken(), { applicationId: `app ${index}` })),
    );
    for (const round of [0, 1])
      for (const [index, token] of many.entries())
        expect(tokens.permits(token, { ...ingest, applicationId: `app ${index + round}` }).allowed).toBe(round === 0);
  });

  it('takes what verify returned, and no copy', () => {
    const token = verified(attenuate(serviceToken(), { applicationId: APPLICATION }));
    expect(() => tokens.permits({ ...token }, ingest)).toThrow('no copy');
  });
});

it('loads without a word on standard output', async () => {
  const script = `const { createTokens } = await import('./src/tokens/tokens.ts');
    createTokens({ keys: [{ id: '1', key: Buffer.alloc(32, 1) }] });
    await import('./src/tokens/inspect.ts');
    console.log('done')`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script],
    { cwd: new URL('../../', import.meta.url) },
  );
  expect(stdout).toBe('done\n');
});

it('keeps one line back and no other', async () => {
  const heard: unknown[][] = [];
  const output = globalThis.console;
  const write = output.log;
  output.log = (...words: unknown[]) => heard.push(words);
  try {
    await without('noise', async () => {
      for (const words of [['noise'], ['noise', 1], ['news'], []]) output.log(...words);
    });
    output.log('noise');
  } finally {
    output.log = write;
  }
  expect(heard).toEqual([['noise', 1], ['news'], [], ['noise']]);
});
