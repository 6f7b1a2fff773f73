import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attenuate, type Restrictions } from '#src/tokens/attenuate.ts';
import { inspect } from '#src/tokens/inspect.ts';
import { Biscuit } from '#src/tokens/library.ts';
import { TokenRefused } from '#src/tokens/refused.ts';
import type { TokenRequest } from '#src/tokens/vocabulary.ts';
import { APPLICATION, append, ingest, later, NOW, ROOT, serviceToken, tokens } from './support.ts';

const service = serviceToken();
const isAllowed = (token: string, request: TokenRequest): boolean =>
  tokens.permits(tokens.verify(token, NOW), request).allowed;

describe('attenuating', () => {
  const cases: [string, Restrictions, Partial<TokenRequest>, Partial<TokenRequest>[]][] = [
    [
      'an application',
      { applicationId: APPLICATION },
      {},
      [{ applicationId: 'another' }, { applicationId: undefined }],
    ],
    ['actions', { actions: ['event:ingest', 'event:get'] }, { action: 'event:get' }, [{ action: 'event:list' }]],
    [
      'subscriptions',
      { subscriptionIds: ['one', 'two'] },
      { subscriptionId: 'two' },
      [{}, { subscriptionId: 'three' }],
    ],
    [
      'event types',
      { eventTypes: ['order.paid', 'order.sent'] },
      {},
      [
        { eventTypeNames: undefined },
        { eventTypeNames: [] },
        { eventTypeNames: ['user.made'] },
        { eventTypeNames: ['order.paid', 'user.made'] },
      ],
    ],
    [
      'labels',
      { labels: { shop: 'berlin', 'a "quoted" key': '' } },
      { labels: { shop: 'berlin', 'a "quoted" key': '' } },
      [{}, { labels: undefined }, { labels: { shop: 'rome' } }],
    ],
    ['an expiry', { expiresAt: later(60) }, { now: later(59) }, [{ now: later(60) }]],
    [
      'Datalog',
      { datalog: 'check if action("event:ingest"); reject if allowed_role("viewer")' },
      {},
      [{ action: 'event:get' }, { allowedRoles: ['viewer'] }],
    ],
  ];

  it.each(cases)('restricts to %s', (_, restrictions, allowed, refused) => {
    const token = attenuate(service, restrictions);
    expect(isAllowed(token, { ...ingest, ...allowed })).toBe(true);
    for (const changes of refused) expect(isAllowed(token, { ...ingest, ...changes })).toBe(false);
  });

  it('keeps what was restricted before', () => {
    const child = attenuate(attenuate(service, { actions: ['event:ingest'] }), {
      actions: ['event:get', 'event:ingest'],
    });
    expect(isAllowed(child, ingest)).toBe(true);
    expect(isAllowed(child, { ...ingest, action: 'event:get' })).toBe(false);
    expect(tokens.verify(child, NOW).revocationIds.slice(0, 1)).toEqual(tokens.verify(service, NOW).revocationIds);
  });

  it('goes on from blocks that other libraries appended, and they from ours', () => {
    const mixed = append(
      attenuate(append(service, 'check if time($t)'), { applicationId: APPLICATION }),
      'check if action($a)',
    );
    expect(tokens.verify(mixed, NOW).revocationIds).toHaveLength(4);
    const biscuit = Biscuit.fromBase64(mixed, ROOT);
    expect(biscuit.getBlockSource(2)).toBe(`check if application_id("${APPLICATION}");\n`);
    biscuit.free();
  });

  it.each<[string, Restrictions, RegExp]>([
    ['nothing', {}, /No restriction/],
    ['an empty list', { actions: [] }, /list of actions is empty/],
    ['a word that is no action', { actions: ['ingest'] }, /"ingest" is no action/],
    [
      'a misspelt action',
      { actions: ['event:get', 'evnt:injest'] },
      /"evnt:injest" is no action; the nearest is event:ingest/,
    ],
    ['no instant', { expiresAt: new Date('x') }, /not an instant/],
    ['what is not Datalog', { datalog: 'check when possible' }, /cannot be read/],
    ['a placeholder', { datalog: 'check if action({action})' }, /cannot be read/],
    ['too much Datalog', { datalog: `check if action("${'a'.repeat(1_024)}")` }, /1024 are the most/],
    ['brackets on end', { datalog: `check if ${'('.repeat(400)}true${')'.repeat(400)}` }, /nests more than/],
    ['a fact', { datalog: 'action("event:get")' }, /holds facts/],
    ['a pattern', { datalog: 'check if action($a), $a.matches("e.*")' }, /uses \.matches/],
    ['a policy', { datalog: 'allow if true' }, /cannot be read/],
    [
      'too many subscriptions',
      { subscriptionIds: Array.from({ length: 100 }, (_, index) => `subscription ${index}`) },
      /the most/,
    ],
  ])('refuses %s', (_, restrictions, text) => {
    expect(() => attenuate(service, restrictions)).toThrow(TokenRefused);
    expect(() => attenuate(service, restrictions)).toThrow(text);
  });

  it('refuses an eighth block', () => {
    let token = service;
    for (let round = 0; round < 7; round += 1) token = attenuate(token, { actions: ['event:ingest'] });
    expect(isAllowed(token, ingest)).toBe(true);
    expect(() => attenuate(token, { actions: ['event:ingest'] })).toThrow(/9 blocks; 8 are the most/);
  });
});

describe('attenuation', () => {
  const action = fc.constantFrom('event:ingest', 'event:get', 'subscription:create');
  const id = fc.constantFrom('a', 'b', 'c');
  const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
  const list = <T>(value: fc.Arbitrary<T>) => fc.array(value, { minLength: 1, maxLength: 3 });
  const restrictions: fc.Arbitrary<Restrictions> = fc.oneof(
    fc.record({ applicationId: id }),
    fc.record({ actions: list(action) }),
    fc.record({ subscriptionIds: list(id) }),
    fc.record({ eventTypes: list(id) }),
    fc.record({ labels: fc.dictionary(id, id, { minKeys: 1, maxKeys: 2, noNullPrototype: true }) }),
    fc.record({ expiresAt: fc.integer({ min: -5, max: 5 }).map(later), actions: list(action) }),
    fc.record({
      datalog: fc.constantFrom(
        'check if allowed_role("editor") or allowed_role("viewer")',
        'reject if subscription_id("a")',
      ),
    }),
  );
  const request = fc.record({
    action,
    now: fc.integer({ min: -5, max: 5 }).map(later),
    applicationId: optional(id),
    subscriptionId: optional(id),
    allowedRoles: optional(list(fc.constantFrom('editor', 'viewer'))),
    eventTypeNames: optional(list(id)),
    labels: optional(fc.dictionary(id, id, { maxKeys: 2, noNullPrototype: true })),
  });

  it('never widens', () => {
    let [allowed, refused] = [0, 0];
    fc.assert(
      fc.property(
        restrictions,
        restrictions,
        fc.array(request, { minLength: 5, maxLength: 10 }),
        (first, second, requests) => {
          const parent = attenuate(service, first);
          const child = attenuate(parent, second);
          for (const asked of requests) {
            const isParentAllowed = isAllowed(parent, asked);
            if (!isAllowed(child, asked)) refused += 1;
            else {
              allowed += 1;
              expect(isParentAllowed).toBe(true);
            }
          }
        },
      ),
      { numRuns: 60, seed: 1 },
    );
    expect(allowed).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(0);
  });
});

describe('inspecting', () => {
  it('shows blocks without any key, and says that it checked no signature', () => {
    const token = attenuate(service, { actions: ['event:ingest'] });
    expect(inspect(token)).toMatchObject({
      isSignatureChecked: false,
      characters: token.length,
      rootKeyId: 2026,
      isSealed: false,
      kind: 'service_access',
      gate: { passes: true },
      blocks: [
        { source: expect.stringContaining('type("service_access");'), isThirdParty: false },
        { source: 'check if action($value), {"event:ingest"}.contains($value);' },
      ],
    });
    expect(inspect(token).blocks.map(({ revocationId }) => revocationId)).toEqual(
      tokens.verify(token, NOW).revocationIds,
    );
  });

  it('shows what the gate refuses, and why', () => {
    const { gate, blocks } = inspect(append(service, 'f(1); g($x) <- f($x)'));
    expect(gate).toEqual({ passes: false, reason: 'gate', why: expect.stringContaining('block 1 holds rules') });
    expect(blocks[1]?.source).toBe('f(1);\ng($x) <- f($x);');
  });

  it('shows what is too long to be verified', () => {
    let token = service;
    for (let round = 0; round < 25; round += 1) token = append(token, 'check if action("event:ingest")');
    expect(inspect(token)).toMatchObject({ gate: { passes: false, reason: 'too_big' } });
    expect(inspect(token).blocks).toHaveLength(26);
  });

  it('refuses what is no token', () => expect(() => inspect('secret')).toThrow(TokenRefused));
});
