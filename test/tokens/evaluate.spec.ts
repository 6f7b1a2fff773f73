import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openEnvelope } from '#src/tokens/envelope.ts';
import { runChecks } from '#src/tokens/evaluate.ts';
import { passGate } from '#src/tokens/gate.ts';
import { inspect } from '#src/tokens/inspect.ts';
import { Biscuit } from '#src/tokens/library.ts';
import { printCheck } from '#src/tokens/print.ts';
import { TokenRefused } from '#src/tokens/refused.ts';
import { factsOf, type TokenRequest } from '#src/tokens/vocabulary.ts';
import { type LibraryDecision, libraryDecision } from './library-decision.ts';
import { append, ingest, later, ROOT, serviceToken } from './support.ts';

const service = serviceToken();

const run = (token: string, request: TokenRequest, stepsMax = 1_000_000) => {
  const blocks = passGate(openEnvelope(token));
  const checks = blocks.flatMap((block) => block.checks);
  return runChecks(checks, [...(blocks[0]?.facts ?? []), ...factsOf(request)], stepsMax);
};

/** Ours, in the library's words. */
const decision = (
  token: string,
  request: TokenRequest,
): { readonly kind: string; readonly checks?: readonly string[] } => {
  const outcome = run(token, request);
  return outcome.kind === 'failed' ? { kind: 'failed', checks: outcome.checks.map(printCheck) } : outcome;
};

type Kind = LibraryDecision['kind'];

describe('a check', () => {
  const text = `"${'x'.repeat(300)}"`;
  it.each<[Kind, string]>([
    // Comparing
    ['passed', 'check if 1 < 2, 2 > 1, 2 <= 2, 2 >= 2, -1 < 0'],
    ['failed', 'check if 2 < 2'],
    ['passed', 'check if 9223372036854775807 > -9223372036854775808'],
    ['broken', 'check if "a" < "b"'],
    ['broken', 'check if 1 < 2026-01-01T00:00:00Z'],
    ['broken', 'check if true > false'],
    [
      'passed',
      'check if time($t), $t <= 2026-11-22T12:00:00Z, $t >= 2026-11-22T12:00:00Z, $t == 2026-11-22T13:00:00+01:00',
    ],
    ['failed', 'check if time($t), $t < 2026-11-22T12:00:00Z'],
    ['failed', 'check if time($t), $t > 2026-11-22T12:00:00Z'],
    ['passed', 'check if time(2026-11-22T12:00:00Z)'],
    // Equality, which takes different kinds for different values, and the strict one, which does not take them
    ['passed', 'check if 1 == 1, "1" != 1, 1 != "1", null == null, null != 1, "" != null, true != 1'],
    ['failed', 'check if "1" == 1'],
    ['passed', 'check if 1 === 1, "a" !== "b", null === null, hex:00 === hex:00, {1} === {1}, [1] === [1]'],
    ['failed', 'check if 1 !== 1'],
    ['failed', 'check if null !== null'],
    ['broken', 'check if "1" === 1'],
    ['broken', 'check if null === 1'],
    ['broken', 'check if 1 !== null'],
    ['broken', 'check if {1} === [1]'],
    ['passed', 'check if {1} != [1], {1, 2} == {2, 1}, {1, 1} == {1}, [1, 2] != [2, 1], [1] != [1, 1]'],
    ['passed', 'check if {,} == {,}, {,} != {1}, [] == [], [] != {,}'],
    ['failed', 'check if [1, "1"] == ["1", 1]'],
    // Collections
    [
      'passed',
      'check if {1, 2}.contains(1), {1, 2}.contains({1}), {1, 2}.contains({,}), {,}.contains({,}), !{,}.contains(1)',
    ],
    [
      'passed',
      'check if !{1}.contains("1"), !{1}.contains({2}), {true, false}.contains(true), {hex:01, hex:00}.contains(hex:00)',
    ],
    ['broken', 'check if {1}.contains(null)'],
    ['broken', 'check if {1}.contains([1])'],
    ['broken', 'check if 1.contains(1)'],
    ['passed', 'check if [1, null].contains(null), ![1].contains({1}), ![].contains(1), ["a"].contains("a")'],
    ['passed', 'check if [1, 2].starts_with([1]), [1, 2].ends_with([2]), [1].starts_with([]), ![1].ends_with([1, 1])'],
    ['passed', 'check if ![1, 2].starts_with([2]), ![1, 2].ends_with([1]), [].ends_with([])'],
    ['broken', 'check if [1].starts_with(1)'],
    ['broken', 'check if {1}.starts_with({1})'],
    ['passed', 'check if [1, 2].get(1) == 2, [1].get(1) == null, [1].get(-1) == null, [1].get(4294967296) == null'],
    ['broken', 'check if [1].get("0")'],
    ['broken', 'check if {1}.get(0) == 1'],
    // Texts
    [
      'passed',
      'check if "".length() == 0, "é𝒜".length() == 6, hex:0011.length() == 2, {1, 2, 2}.length() == 2, [1, 1].length() == 2',
    ],
    ['broken', 'check if 1.length() == 1'],
    ['broken', 'check if null.length() == 0'],
    [
      'passed',
      'check if "abc".contains("b"), "abc".contains(""), "abc".starts_with("a"), "abc".ends_with("c"), !"abc".contains("d")',
    ],
    ['broken', 'check if "abc".contains(1)'],
    ['broken', 'check if hex:00.contains(hex:00)'],
    ['failed', `check if ${text}.length() == 299`],
    // Booleans
    ['passed', 'check if !false, !(false && true), true && true, false || true, (true)'],
    ['broken', 'check if !1'],
    ['broken', 'check if true && 1'],
    ['broken', 'check if 1 && true'],
    ['broken', 'check if 1'],
    ['failed', 'check if false && 1 < "a"'],
    ['passed', 'check if true || 1 < "a"'],
    ['broken', 'check if true && 1 < "a"'],
    ['broken', 'check if false || 1 < "a"'],
    ['passed', 'check if true || (1 < "a" && 2 < "b")'],
    // Facts
    ['passed', 'check if action("event:ingest")'],
    ['failed', 'check if action("event:get")'],
    ['failed', 'check if action($a, $b)'],
    ['failed', 'check if action("a \\"quoted\\" \\\\ word")'],
    ['failed', 'check if action(9999-12-31T23:59:59Z)'],
    ['failed', 'check if action(1)'],
    ['failed', 'check if nothing($a)'],
    ['failed', 'check if nothing($a), 1 < "a"'],
    ['broken', 'check if action($a), 1 < "a"'],
    ['failed', 'check if action($a), 1 == 2, 1 < "a"'],
    ['passed', 'check if organization_id($a), organization_id($a), $a != ""'],
    ['failed', 'check if organization_id($a), application_id($a)'],
    ['passed', 'check if type("service_access"), version(1)'],
    ['passed', 'check if allowed_role("editor"), allowed_role("viewer")'],
    ['passed', 'check if allowed_role($a), allowed_role($b), $a != $b'],
    ['failed', 'check if allowed_role($a), action($a)'],
    ['passed', 'check if event_type_names({"order.paid"})'],
    ['failed', 'check if event_type_names(["order.paid"])'],
    [
      'passed',
      'check if event_type_names($n), {"order.paid", "order.sent"}.contains($n), $n.contains("order.paid"), $n.length() == 1',
    ],
    [
      'passed',
      'check if labels($l), $l.get("shop") == "berlin", $l.get("x") == null, $l.get(1) == null, $l.length() == 1',
    ],
    [
      'passed',
      'check if labels($l), $l.contains("shop"), !$l.contains("berlin"), !$l.contains(1), $l == $l, labels($l)',
    ],
    ['broken', 'check if labels($l), $l.get("x") === "berlin"'],
    ['broken', 'check if labels($l), $l.get(true)'],
    // Checks of several queries, and those that reject
    ['passed', 'check if action("event:get") or action("event:ingest")'],
    ['passed', 'check if true or 1 < "a"'],
    ['broken', 'check if false or 1 < "a"'],
    ['failed', 'reject if action("event:ingest")'],
    ['passed', 'reject if action("event:get")'],
    ['broken', 'reject if 1 < "a"'],
    ['passed', 'reject if action("event:ingest") or action("event:get")'],
    ['failed', 'reject if action("event:ingest") or time($t)'],
    ['broken', 'check if action("event:get"); check if 1 < "a"'],
  ])('is %s: %s', (kind, datalog) => {
    const token = append(service, datalog);
    const request = { ...ingest, allowedRoles: ['editor', 'viewer'] };
    expect(decision(token, request)).toEqual(libraryDecision(token, request));
    expect(decision(token, request).kind).toBe(kind);
    const biscuit = Biscuit.fromBase64(token, ROOT);
    const sources = [0, 1].map((block) => biscuit.getBlockSource(block).trimEnd());
    biscuit.free();
    expect(inspect(token).blocks.map(({ source }) => source)).toEqual(sources);
  });

  it('is broken when any of the facts it could choose from breaks it, whichever comes first', () => {
    const token = append(service, 'check if allowed_role($a), $a == "editor" || $a < 1');
    for (const allowedRoles of [
      ['editor', 'viewer'],
      ['viewer', 'editor'],
    ])
      expect(run(token, { ...ingest, allowedRoles }).kind).toBe('broken');
    expect(run(token, { ...ingest, allowedRoles: ['editor'] }).kind).toBe('passed');
  });
});

describe('steps', () => {
  const stepsOf = (token: string, request: TokenRequest): number => {
    let steps = 0;
    while (run(token, request, steps).kind === 'limit') steps += 1;
    return steps;
  };

  it.each<[string, Partial<TokenRequest>, number]>([
    ['check if true', {}, 2], // The query and the value.
    ['check if action("event:ingest")', {}, 2],
    ['check if nothing(1)', {}, 1],
    ['check if true && true', {}, 5],
    ['check if false && true', {}, 4],
    ['check if allowed_role($a), allowed_role($b)', { allowedRoles: ['a', 'b', 'c'] }, 3],
    ['check if allowed_role($a), allowed_role($b), $a == "x"', { allowedRoles: ['a', 'b', 'c'] }, 1 + 3 + 9 + 9 * 3],
    ['check if {1, 2, 3}.contains(4)', {}, 1 + 3 + 3],
    ['check if event_type_names($n), $n == $n', { eventTypeNames: ['a', 'b'] }, 1 + 1 + 3 + 4],
  ])('of %s are counted', (datalog, request, steps) => {
    expect(stepsOf(append(service, datalog), { ...ingest, ...request })).toBe(steps);
  });
});

describe('evaluating', () => {
  const string = fc.constantFrom('"event:ingest"', '"a"', '"b"', '"ab"', '""', '"shop"', '"berlin"', '"editor"');
  const integer = fc.constantFrom('0', '1', '2', '-1');
  const date = fc.constantFrom('2026-11-22T12:00:00Z', '2026-11-22T12:00:01Z');
  const bytes = fc.constantFrom('hex:00', 'hex:0001');
  const other = fc.constantFrom('null', 'true', 'false');
  const listed = (open: string, close: string, item: fc.Arbitrary<string>) =>
    fc.array(item, { minLength: 1, maxLength: 3 }).map((items) => `${open}${items.join(', ')}${close}`);
  const scalar = fc.oneof(string, string, integer, date, bytes, other);
  const set = fc.oneof(
    listed('{', '}', string),
    listed('{', '}', integer),
    listed('{', '}', date),
    fc.constantFrom('{,}', '{null}', '{true}'),
  );
  const array = fc.oneof(listed('[', ']', scalar), fc.constant('[]'));
  const variable = fc.constantFrom('$a', '$a', '$b', '$c', '$n', '$l', '$t');
  const value = fc.oneof(
    { weight: 4, arbitrary: scalar },
    { weight: 2, arbitrary: fc.oneof(set, array) },
    { weight: 6, arbitrary: variable },
  );
  const { condition } = fc.letrec<{ condition: string; operand: string }>((tie) => {
    const infix = (names: readonly string[], of: fc.Arbitrary<string>) =>
      fc.tuple(of, fc.constantFrom(...names), of).map(([left, name, right]) => `(${left} ${name} ${right})`);
    const method = (names: readonly string[]) =>
      fc
        .tuple(tie('operand'), fc.constantFrom(...names), tie('operand'))
        .map(([left, name, right]) => `${left}.${name}(${right})`);
    return {
      condition: fc.oneof(
        { maxDepth: 4, withCrossShrink: true },
        fc.constantFrom('true', 'false'),
        infix(['==', '!=', '==', '!=', '===', '!=='], tie('operand')),
        infix(['<', '<=', '>', '>='], fc.oneof(date, integer, fc.constant('$t'))),
        method(['contains', 'contains', 'starts_with', 'ends_with']),
        infix(['&&', '||'], tie('condition')),
        tie('condition').map((inner) => `!(${inner})`),
        tie('operand'),
      ),
      operand: fc.oneof(
        { maxDepth: 3 },
        { weight: 6, arbitrary: value },
        { weight: 1, arbitrary: tie('operand').map((inner) => `${inner}.length()`) },
        { weight: 1, arbitrary: fc.tuple(tie('operand'), value).map(([left, right]) => `${left}.get(${right})`) },
        { weight: 1, arbitrary: tie('condition').map((inner) => `(${inner})`) },
      ),
    };
  });
  /** The usual names for what the facts hold, and any others. */
  const predicate = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.constantFrom(
        'action($a)',
        'allowed_role($b)',
        'allowed_role($c)',
        'event_type_names($n)',
        'labels($l)',
        'time($t)',
        'application_id($a)',
        'subscription_id($b)',
      ),
    },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.constantFrom('action', 'allowed_role', 'event_type_names', 'version', 'type', 'x'), value)
        .map(([name, term]) => `${name}(${term})`),
    },
  );
  const query = fc
    .tuple(fc.uniqueArray(predicate, { maxLength: 3 }), fc.array(condition, { maxLength: 2 }))
    .map(([predicates, conditions]) => [...predicates, ...conditions].join(', ') || 'true');
  const block = fc
    .array(
      fc
        .tuple(fc.constantFrom('check if', 'check if', 'reject if'), fc.array(query, { minLength: 1, maxLength: 2 }))
        .map(([kind, queries]) => `${kind} ${queries.join(' or ')};`),
      { minLength: 1, maxLength: 2 },
    )
    .map((checks) => checks.join(' '));
  const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
  const word = fc.constantFrom('a', 'b', 'ab', 'event:ingest', '');
  const request: fc.Arbitrary<TokenRequest> = fc.record({
    action: fc.constantFrom('event:ingest', 'a'),
    now: fc.integer({ min: -1, max: 1 }).map(later),
    applicationId: optional(word),
    subscriptionId: optional(word),
    allowedRoles: fc.uniqueArray(fc.constantFrom('editor', 'viewer', 'a'), { maxLength: 2 }),
    eventTypeNames: fc.uniqueArray(word, { maxLength: 3 }),
    labels: optional(fc.dictionary(word, word, { maxKeys: 2, noNullPrototype: true })),
  });

  const appended = (datalog: string): string | undefined => {
    try {
      return append(service, datalog);
    } catch {
      return undefined; // Variables that no predicate binds, sets of different kinds.
    }
  };
  const passesGate = (token: string): boolean => {
    try {
      passGate(openEnvelope(token));
      return true;
    } catch (error) {
      if (error instanceof TokenRefused) return false;
      throw error;
    }
  };

  it('decides as the library does, in the same words', { timeout: 60_000 }, () => {
    const outcomes = { passed: 0, failed: 0, broken: 0, byChance: 0, refused: 0 };
    fc.assert(
      fc.property(block, fc.array(request, { minLength: 4, maxLength: 4 }), (datalog, requests) => {
        const token = appended(datalog);
        if (token === undefined || !passesGate(token)) {
          outcomes.refused += 1;
          return;
        }
        for (const asked of requests) {
          const ours = decision(token, asked);
          const theirs = libraryDecision(token, asked);
          if (ours.kind === 'broken' && theirs.kind !== 'broken') {
            // The library came upon the facts that match, or upon no others, before those that break the check.
            expect(asked.allowedRoles?.length).toBeGreaterThan(1);
            outcomes.byChance += 1;
            continue;
          }
          expect(ours).toEqual(theirs);
          if (ours.kind in outcomes) outcomes[ours.kind as 'passed'] += 1;
        }
      }),
      { numRuns: 400 },
    );
    for (const kind of ['passed', 'failed', 'broken'] as const) expect(outcomes[kind]).toBeGreaterThan(50);
  });
});
