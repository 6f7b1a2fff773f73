import { describe, expect, it } from 'vitest';
import { runCommand } from '#src/cli/run.ts';
import { APPLICATION, append, ingest, later, NOW, serviceToken, tokens, userClaims } from '../tokens/support.ts';

const service = serviceToken();

const run = async (words: readonly string[], input = '') => {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCommand(['token', ...words], {
    env: { DATABASE_URL: 'postgres://127.0.0.1:1/nowhere' },
    version: '1.2.3',
    out: (text) => out.push(text),
    err: (text) => err.push(text),
    isTerminal: false,
    stdin: (async function* () {
      yield Buffer.from(input.slice(0, 10));
      yield input.slice(10);
    })(),
  });
  return { code, out: out.join('\n'), err: err.join('') };
};

const isAllowed = (token: string, request = ingest): boolean =>
  tokens.permits(tokens.verify(token, NOW), request).allowed;

describe('posthorn token attenuate', () => {
  it.each([
    ['as a word', [service], ''],
    ['from standard input', [], `${service}\n`],
    ['from standard input, asked for', ['-'], `\n ${service} `],
  ])('takes a token %s and prints the new one alone', async (_, words, input) => {
    const { code, out, err } = await run(['attenuate', ...words, '--action', 'event:ingest'], input);
    expect([code, err]).toEqual([0, '']);
    expect(isAllowed(out)).toBe(true);
    expect(isAllowed(out, { ...ingest, action: 'event:get' })).toBe(false);
  });

  it('takes every restriction', async () => {
    const options = ['--application', APPLICATION, '--action', 'event:get', '--action', 'event:ingest'];
    options.push('--event-type', 'order.paid', '--label', 'shop=berlin', '--expires', '2026-11-22T13:01:00+01:00');
    options.push('--check', 'check if allowed_role("editor")', '--check', 'reject if subscription_id("x")');
    const { code, out } = await run(['attenuate', ...options], service);
    expect(code).toBe(0);
    expect(isAllowed(out)).toBe(true);
    const others = [
      { applicationId: 'another' },
      { action: 'event:list' },
      { eventTypeNames: ['order.sent'] },
      { labels: { shop: 'rome' } },
      { now: later(60) },
      { allowedRoles: ['viewer'] },
      { subscriptionId: 'x' },
    ];
    for (const other of others) expect(isAllowed(out, { ...ingest, ...other }), JSON.stringify(other)).toBe(false);
  });

  it('counts the expiry from now', async () => {
    const { out } = await run(['attenuate', '--expires', '30d', '--subscription', 's'], service);
    const token = tokens.verify(out, new Date());
    const at = (days: number) => new Date(Date.now() + days * 86_400_000);
    expect(tokens.permits(token, { ...ingest, subscriptionId: 's', now: at(29) }).allowed).toBe(true);
    expect(tokens.permits(token, { ...ingest, subscriptionId: 's', now: at(31) }).allowed).toBe(false);
  });

  it.each<[number, string[], RegExp]>([
    [2, [], /at least one restriction/],
    [2, ['one', 'two', '--action', 'a:b'], /One token at a time/],
    [2, ['--label', 'shop'], /KEY=VALUE/],
    [2, ['--expires', 'tomorrow'], /--expires takes an instant/],
    [2, ['-', '--action', 'a:b'], /No token is given/],
    [1, ['secret', '--action', 'a:b'], /not well-formed/],
    [1, [service, '--action', 'ingest'], /"ingest" is no action; the nearest is event:ingest/],
    [1, [service, '--check', 'action("a")'], /holds facts/],
    [1, [tokens.mintUserAccess(userClaims).token, '--action', 'a:b'], /sealed/],
  ])('ends with %i for %s', async (expected, words, text) => {
    const { code, out, err } = await run(['attenuate', ...words]);
    expect([code, out]).toEqual([expected, '']);
    expect(err).toMatch(text);
  });
});

describe('posthorn token inspect', () => {
  it('shows people what is in a token', async () => {
    const token = append(service, 'check if action("event:ingest")');
    const [first, second] = tokens.verify(token, NOW).revocationIds;
    const { code, out } = await run(['inspect'], token);
    expect(code).toBe(0);
    for (const text of [
      'kind      service_access',
      'root key  2026; the signature is not checked here',
      `size      ${token.length} characters`,
      'sealed    no',
      'gate      lets it through',
      `block 0: authority, 200 bytes\nrevocation id ${first}\n  version(1);\n  type("service_access");`,
      `revocation id ${second}\n  check if action("event:ingest");`,
    ])
      expect(out).toContain(text);
  });

  it('shows machines the same', async () => {
    const { code, out } = await run(['inspect', '--json', tokens.mintUserAccess(userClaims).token]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      is_signature_checked: false,
      kind: 'user_access',
      root_key_id: 2026,
      is_sealed: true,
      gate: { passes: true },
      blocks: [{ revocation_id: expect.stringMatching(/^[0-9a-f]{128}$/), is_third_party: false }],
    });
  });

  it('ends with 1 for what the gate refuses, and lets no text move the cursor', async () => {
    const { code, out } = await run(['inspect', append(service, 'f("\u001b[2J\u202e")')]);
    expect(code).toBe(1);
    expect(out).toContain('block 1 holds facts');
    expect(out).toContain('f("\\u{1b}[2J\\u{202e}");');
  });

  it('refuses what is no token, and what is endless', async () => {
    expect(await run(['inspect', 'secret'])).toMatchObject({ code: 1, out: '' });
    expect(await run(['inspect'], 'A'.repeat(200_000))).toMatchObject({ code: 2, out: '' });
  });
});
