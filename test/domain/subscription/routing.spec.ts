import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compileRoutes,
  explainRouting,
  type RoutableEvent,
  type RoutableSubscription,
} from '#src/domain/subscription/routing.ts';

const subscription = (
  subscriptionId: string,
  eventTypes: string[],
  labels: Record<string, string> = {},
  overrides: { isEnabled?: boolean; isDeleted?: boolean } = {},
): RoutableSubscription => ({
  subscriptionId,
  settings: { isEnabled: overrides.isEnabled ?? true, eventTypes, labels },
  isDeleted: overrides.isDeleted ?? false,
});
const idsOf = (subscriptions: readonly RoutableSubscription[], event: RoutableEvent) =>
  compileRoutes(subscriptions)
    .match(event)
    .map(({ subscriptionId }) => subscriptionId);
const matches = (pattern: string, eventType: string) =>
  idsOf([subscription('s', [pattern])], { eventType, labels: {} }).length === 1;

/** A second reading of the rules, by recursion and without preparation. */
const naivePattern = (pattern: string[], parts: string[]): boolean => {
  const [head, ...rest] = pattern;
  if (head === undefined) return parts.length === 0;
  if (head === '**' && rest.length === 0) return parts.length > 0;
  const [part, ...others] = parts;
  return part !== undefined && (head === '*' || head === part) && naivePattern(rest, others);
};
const naiveMatch = ({ settings, isDeleted }: RoutableSubscription, { eventType, labels }: RoutableEvent): boolean =>
  settings.isEnabled &&
  isDeleted !== true &&
  settings.eventTypes.some((p) => naivePattern((p === '*' ? '**' : p).split('.'), eventType.split('.'))) &&
  Object.keys(settings.labels).every((key) => Object.hasOwn(labels, key) && labels[key] === settings.labels[key]);

describe('event types', () => {
  it.each([
    ['user.account.created', 'user.account.created'],
    ['user.*.created', 'user.account.created'],
    ['user.**', 'user.account.created'],
    ['user.**', 'user.created'],
    ['*.*', 'user.created'],
    ['*.**', 'user.account.created'],
    ['**', 'user.created'],
    ['*', 'user.account.created'],
  ])('%s meets %s', (pattern, name) => expect(matches(pattern, name)).toBe(true));
  it.each([
    ['user.account.created', 'user.account.Created'],
    ['user.account.created', 'user.account'],
    ['user.*', 'user.account.created'],
    ['user.*.created', 'user.created'],
    ['user.account.**', 'user.account'],
    ['*.*', 'user.account.created'],
    ['*.created.**', 'user.created'],
    ['**.created', 'user.created'],
    ['us*.created', 'user.created'],
  ])('%s does not meet %s', (pattern, name) => expect(matches(pattern, name)).toBe(false));
});

describe('labels', () => {
  const event = { eventType: 'user.created', labels: { tenant: 'a', region: 'eu' } };
  it.each<Record<string, string>>([{}, { tenant: 'a' }, { region: 'eu', tenant: 'a' }])('%j are contained', (labels) =>
    expect(idsOf([subscription('s', ['**'], labels)], event)).toStrictEqual(['s']),
  );
  it.each<Record<string, string>>([{ tenant: 'b' }, { tenant: 'A' }, { Tenant: 'a' }, { tenant: 'a', zone: '1' }])(
    '%j are not',
    (labels) => expect(idsOf([subscription('s', ['**'], labels)], event)).toStrictEqual([]),
  );
  it('may have names that objects inherit', () => {
    const labels = JSON.parse('{"__proto__":"x","constructor":"y"}');
    expect(idsOf([subscription('s', ['**'], labels)], { eventType: 'a.b', labels })).toStrictEqual(['s']);
    expect(idsOf([subscription('s', ['**'], labels)], { eventType: 'a.b', labels: {} })).toStrictEqual([]);
  });
});

describe('a matcher', () => {
  it('answers once for each subscription, in their order', () =>
    expect(
      idsOf(
        [
          subscription('1', ['a.*', 'a.b', '**'], { k: 'v' }),
          subscription('2', ['a.b'], {}, { isEnabled: false }),
          subscription('3', ['a.b'], {}, { isDeleted: true }),
          subscription('4', ['a.b', 'a.b']),
        ],
        { eventType: 'a.b', labels: { k: 'v' } },
      ),
    ).toStrictEqual(['1', '4']));

  const part = fc.constantFrom('a', 'b', 'c');
  const pattern = fc.oneof(
    fc.array(fc.oneof(part, fc.constant('*')), { minLength: 2, maxLength: 4 }).map((parts) => parts.join('.')),
    fc.array(fc.oneof(part, fc.constant('*')), { maxLength: 3 }).map((parts) => [...parts, '**'].join('.')),
    fc.constant('*'),
  );
  const labels = fc.dictionary(fc.constantFrom('k', 'l', 'm', '__proto__'), fc.constantFrom('v', 'w'), { maxKeys: 3 });
  const anySubscription = fc
    .record({
      eventTypes: fc.array(pattern, { minLength: 1, maxLength: 3 }),
      labels,
      isEnabled: fc.boolean(),
      isDeleted: fc.boolean(),
    })
    .map(({ eventTypes, isEnabled, isDeleted, ...rest }) =>
      subscription('any', eventTypes, rest.labels, { isEnabled: isEnabled || !isDeleted, isDeleted }),
    );
  const anyEvent = fc.record({
    eventType: fc.array(part, { minLength: 2, maxLength: 4 }).map((parts) => parts.join('.')),
    labels,
  });

  it('equals the plain reading of the rules', () =>
    fc.assert(
      fc.property(fc.array(anySubscription, { maxLength: 12 }), fc.array(anyEvent, { maxLength: 6 }), (all, events) => {
        const matcher = compileRoutes(all);
        for (const event of events) {
          const expected = all.filter((one) => naiveMatch(one, event));
          const found = matcher.match(event);
          expect(found).toHaveLength(expected.length);
          for (const [index, one] of found.entries()) expect(one).toBe(expected[index]);
        }
      }),
      { numRuns: 1_000 },
    ));
  it('agrees with the explanation', () =>
    fc.assert(
      fc.property(anySubscription, anyEvent, (one, event) => {
        const { outcome } = explainRouting(one, event);
        expect(outcome === 'matched').toBe(compileRoutes([one]).match(event).length === 1);
      }),
      { numRuns: 1_000 },
    ));
});

describe('the explanation', () => {
  const event = { eventType: 'a.b', labels: { k: 'v' } };
  it.each([
    [subscription('s', ['x.y', 'a.*'], { k: 'v' }), { outcome: 'matched', pattern: 'a.*' }],
    [subscription('s', ['x.y'], {}, { isEnabled: false, isDeleted: true }), { outcome: 'deleted' }],
    [subscription('s', ['x.y'], {}, { isEnabled: false }), { outcome: 'disabled' }],
    [subscription('s', ['x.y'], { k: 'w' }), { outcome: 'event_type', eventTypes: ['x.y'] }],
    [subscription('s', ['a.b'], { k: 'w' }), { outcome: 'label', key: 'k', wanted: 'w', found: 'v' }],
    [subscription('s', ['a.b'], { k: 'v', l: 'w' }), { outcome: 'label', key: 'l', wanted: 'w', found: null }],
  ])('says which rule decided (%#)', (one, explanation) =>
    expect(explainRouting(one, event)).toStrictEqual(explanation),
  );
});
