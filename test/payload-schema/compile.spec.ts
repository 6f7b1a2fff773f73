import { describe, expect, it } from 'vitest';
import type { JsonSchema } from '#src/domain/event-type/events.ts';
import { compileSchema, FINDINGS_MAX } from '#src/payload-schema/compile.ts';
import type { FORMATS } from '#src/payload-schema/formats.ts';

const findings = (schema: JsonSchema, payload: unknown) =>
  compileSchema(schema)(payload, JSON.stringify(payload).length);
const pathsOf = (schema: JsonSchema, payload: unknown) => findings(schema, payload).map(({ path }) => path);
const refusal = (schema: JsonSchema): { path: string; message: string } => {
  try {
    compileSchema(schema);
  } catch (error) {
    return error as { path: string; message: string };
  }
  throw new Error('The schema was not refused.');
};

const order: JsonSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'https://shop.example/order.json',
  title: 'An order',
  type: 'object',
  required: ['id', 'lines'],
  additionalProperties: false,
  properties: {
    id: { type: 'string', format: 'uuid' },
    lines: { type: 'array', items: { $ref: '#/$defs/line' }, uniqueItems: true, minItems: 1 },
    'a/b': { type: 'string', pattern: '^[a-z]+$' },
    c: { type: 'string', pattern: '^[0-9]+$' },
  },
  $defs: {
    line: { type: 'object', required: ['sku'], properties: { sku: { type: 'string' }, quantity: { minimum: 1 } } },
  },
};
const fine = { id: '00000000-0000-4000-8000-000000000000', lines: [{ sku: 'a', quantity: 1 }] };

describe('a payload', () => {
  it('matches', () => expect(findings(order, fine)).toEqual([]));
  it('is told every place that does not, and nothing of what is there', () => {
    const payload = {
      id: 'SECRET',
      lines: [{ quantity: 0 }, { sku: 'b' }, { sku: 'b' }],
      'a/b': 'SECRET',
      c: 'x',
      d: 1,
    };
    const found = findings(order, payload);
    expect(found.map(({ path, keyword }) => `${path} ${keyword}`).sort()).toEqual([
      '/a~1b pattern',
      '/c pattern',
      '/d additionalProperties',
      '/id format',
      '/lines uniqueItems',
      '/lines/0/quantity minimum',
      '/lines/0/sku required',
    ]);
    expect(JSON.stringify(found)).not.toContain('SECRET');
  });
  it('is told a bounded number of them', () =>
    expect(findings({ items: { type: 'string' } }, Array(500).fill(1))).toHaveLength(FINDINGS_MAX));
  it('has only the members that are its own', () =>
    expect(pathsOf({ required: ['toString'] }, {})).toEqual(['/toString']));
  it('may recurse as deep as it goes', () => {
    const list: JsonSchema = { properties: { next: { $ref: '#' }, value: { type: 'integer' } } };
    expect(pathsOf(list, { next: { next: { value: 'x' } } })).toEqual(['/next/next/value']);
  });
  it('matches true, and never false', () => {
    expect(findings(true, 1)).toEqual([]);
    expect(findings(false, 1)).toHaveLength(1);
  });
});

describe('what an evaluation costs is bounded by the payload', () => {
  const many = (of: unknown) => Array(50_000).fill(of);
  const doubling = Object.fromEntries(
    Array.from({ length: 60 }, (_, index) => {
      const next = { $ref: `#/$defs/d${index + 1}` };
      return [`d${index}`, { anyOf: [next, next] }];
    }),
  );
  const chain = Object.fromEntries(
    Array.from({ length: 300 }, (_, index) => [`d${index}`, { $ref: `#/$defs/d${index + 1}` }]),
  );
  it.each<[string, JsonSchema, unknown]>([
    ['references that double', { $ref: '#/$defs/d0', $defs: { ...doubling, d60: { type: 'string' } } }, 1],
    [
      'alternatives that double at each level of the payload',
      { properties: { a: { anyOf: [{ $ref: '#' }, { $ref: '#' }] }, b: false } },
      JSON.parse(`${'{"a":'.repeat(60)}{"b":1}${'}'.repeat(60)}`),
    ],
    ['every schema for every element', { items: { allOf: Array(300).fill({ multipleOf: 1 }) } }, many(1)],
    ['a big enum for every element', { items: { enum: Array.from({ length: 900 }, (_, n) => [n]) } }, many([899])],
    ['a big pattern on a long text', { pattern: '((a?){30}){30}b' }, 'a'.repeat(200_000)],
    ['a long text over and over', { allOf: Array(300).fill({ maxLength: 1e9 }) }, 'x'.repeat(400_000)],
    ['members over and over', { allOf: Array(300).fill({ propertyNames: true }) }, { ...many(1) }],
  ])('%s', (_, schema, payload) =>
    expect(findings(schema, payload)).toEqual([
      { path: '', keyword: 'cost', message: 'takes too long to be checked against the schema' },
    ]),
  );
  it('comparing long texts over and over', () => {
    const again = (schema: JsonSchema): JsonSchema => ({ allOf: Array(200).fill(schema) });
    const keyed = [[{ ['x'.repeat(200_000)]: 1 }]];
    for (const payload of [[['x'.repeat(200_000)]], keyed])
      expect(findings(again({ uniqueItems: true }), payload)).toMatchObject([{ keyword: 'cost' }]);
  });
  it('names that others ask for', () => {
    const names = Array.from({ length: 5_000 }, (_, index) => `n${index}`);
    const complete = Object.fromEntries(names.map((name) => [name, 1]));
    const asked: JsonSchema = { items: { dependentRequired: { n0: names } } };
    expect(findings(asked, [complete, {}])).toEqual([]);
    expect(findings(asked, [{ n0: 1, n1: 1 }])).toEqual([
      {
        path: '/0/n2',
        keyword: 'dependentRequired',
        message: 'must have property n2 when property n0 is present',
      },
    ]);
    const others: JsonSchema = { items: { anyOf: [{ dependentRequired: { n0: names } }, true] } };
    expect(findings(others, Array(9_000).fill({ n0: 1 }))).toMatchObject([{ keyword: 'cost' }]);
  });
  it('nothing is kept of branches that do not match', () => {
    const branches = (name: string) => Array.from({ length: 200 }, () => ({ $ref: `#/$defs/${name}` }));
    const schema: JsonSchema = {
      anyOf: branches('a'),
      $defs: { a: { oneOf: branches('b') }, b: { anyOf: Array(20).fill(false) } },
    };
    // More fails than is looked for in detail, so that this is what was kept.
    expect(findings(schema, { text: 'x'.repeat(500_000) })).toEqual([
      { path: '', keyword: 'anyOf', message: 'must match a schema in anyOf' },
    ]);
  });
  it('calls within calls', () => {
    const nested = JSON.parse(`${'{"a":'.repeat(60)}1${'}'.repeat(60)}`);
    const schema = { $ref: '#/$defs/d0', $defs: { ...chain, d300: { properties: { a: { $ref: '#' } } } } };
    expect(() => findings(schema, nested)).not.toThrow();
  });
  it('patterns take time in proportion', () =>
    expect(pathsOf({ pattern: '^(a+)+$' }, `${'a'.repeat(100_000)}b`)).toEqual(['']));
  it('large payloads of little schemas are fine', () => {
    expect(findings({ items: { type: 'integer', minimum: 0 } }, many(7))).toEqual([]);
    const distinct = many(0).map((_, index) => ({ index }));
    expect(findings({ uniqueItems: true }, distinct)).toEqual([]);
    expect(pathsOf({ uniqueItems: true }, [{ a: 1, b: [2] }, 1, '1', { b: [2], a: 1 }])).toEqual(['']);
  });
});

describe('a schema is refused', () => {
  it.each<[string, JsonSchema, string]>([
    ['that refers elsewhere', { $ref: 'https://example.org/x' }, '/$ref'],
    ['that refers to a file', { properties: { a: { $ref: 'file:///etc/passwd' } } }, '/properties/a/$ref'],
    ['that refers to what is not a schema', { $ref: '#/properties' }, '/$ref'],
    ['that refers to nothing', { $ref: '#/$defs/none' }, '/$ref'],
    ['that goes round', { allOf: [{ $ref: '#' }] }, ''],
    ['that goes round through others', { $ref: '#/$defs/a', $defs: { a: { not: { $ref: '#/$defs/a' } } } }, '/$defs/a'],
    ['with references that cannot be bounded', { $dynamicRef: '#a' }, '/$dynamicRef'],
    ['with ids within', { $defs: { a: { $id: 'https://example.org/a' } } }, '/$defs/a/$id'],
    ['with a keyword that nobody knows', { properties: { a: { requried: ['b'] } } }, '/properties/a/requried'],
    ['of another draft', { $schema: 'http://json-schema.org/draft-07/schema#' }, '/$schema'],
    ['with a wrong value of a keyword', { properties: { a: { type: 'strin' } } }, '/properties/a/type'],
    ['that is none', { properties: { a: 1 } } as JsonSchema, '/properties/a'],
    ['with data for a value', { maximum: { $data: '1/x' } }, '/maximum'],
    ['with a format that is not checked', { format: 'iri' }, '/format'],
    ['with look-around', { pattern: '(?=a)b' }, ''],
    ['with a pattern that grows too big', { pattern: '(a{1000}){1000}' }, ''],
    ['with a long pattern', { pattern: 'a'.repeat(1_001) }, ''],
    ['that is too large', { enum: ['x'.repeat(64 * 1024)] }, ''],
    ['that nests too deep', JSON.parse(`${'{"not":'.repeat(40)}{}${'}'.repeat(40)}`), ''],
    ['with too many nodes', { allOf: Array(1_001).fill(true) }, '/allOf/998'],
  ])('%s', (_, schema, path) => expect(refusal(schema)).toMatchObject({ name: 'UnusableSchema', path }));
  it('with a member that would reach a prototype', () => {
    const schema = JSON.parse('{"properties": {"__proto__": {"type": "string"}}}') as JsonSchema;
    expect(refusal(schema)).toMatchObject({ path: '/properties' });
  });
  it('but not for what it says to people', () =>
    expect(findings({ description: 'x', examples: [1], 'x-owner': 'shop', $comment: 'y' }, 1)).toEqual([]));
});

describe('formats', () => {
  it.each<[keyof typeof FORMATS & string, readonly string[], readonly string[]]>([
    ['date-time', ['2026-03-01T10:00:00Z', '2024-02-29t23:59:60.5+01:00'], ['2026-02-29T10:00:00Z', '2026-03-01']],
    ['date', ['2026-12-31'], ['2026-13-01', '2026-04-31', '26-01-01']],
    ['time', ['10:00:00Z'], ['24:00:00Z', '10:00:00']],
    ['uuid', ['0192d3c4-0000-7000-8000-000000000000'], ['0192d3c4']],
    ['email', ['a.b+c@example.org'], ['a@', '@b', '.a@example.org', 'a..b@example.org', 'a@-x.org']],
    ['hostname', ['a.example', 'x'], ['-a.example', 'a..b', '']],
    ['ipv4', ['192.0.2.1'], ['192.0.2.256']],
    ['ipv6', ['2001:db8::1'], ['2001:db8::g']],
    ['uri', ['https://example.org/a?b#c', 'urn:isbn:1'], ['/a', 'https://a b', 'example.org']],
  ])('%s', (format, valid, invalid) => {
    for (const text of valid) expect(findings({ format }, text), text).toEqual([]);
    for (const text of invalid) expect(findings({ format }, text), text).toHaveLength(1);
    expect(findings({ format }, 'a'.repeat(100_000))).toHaveLength(1);
    expect(findings({ format }, 7)).toEqual([]);
  });
});
