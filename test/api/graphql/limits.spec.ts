import { getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, askData } from '../../support/graphql.ts';
import { type Answer, startTestService, type Tenant, type TestService } from '../../support/service.ts';

let service: TestService;
let tenant: Tenant;
beforeAll(async () => {
  service = await startTestService();
  tenant = await service.tenant('order.paid');
});
afterAll(() => service.stop());

const post = (body: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  service.call('//graphql', { method: 'POST', body, headers });

const nested = (depth: number): string => {
  const pairs = Math.floor((depth - 2) / 2);
  return `{ application { ${'organization { applications { nodes { '.repeat(pairs)} id ${'} } }'.repeat(pairs)} } }`;
};
const many = (count: number, part: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => part(index)).join(' ');
/** Each fragment spreads the next one twice: doubled as often as there are fragments, were they written out. */
const doubling = (fragments: number): string =>
  `{ instance { ...F0 } } ${many(fragments, (at) => `fragment F${at} on Instance { a${at}: version ...F${at + 1} ...F${at + 1} }`)}
   fragment F${fragments} on Instance { version }`;

const HOSTILE: readonly (readonly [name: string, query: string, limit: string])[] = [
  ['a long text', `{ viewer { kind } } # ${'x'.repeat(33_000)}`, '32768'],
  ['many tokens', `{ ${'viewer { kind } '.repeat(600)} }`, '2000 tokens'],
  ['a million braces', '{'.repeat(32_000), ''],
  ['depth', nested(20), 'depth'],
  [
    'depth behind fragments',
    `{ application { ...A } } ${many(8, (at) => `fragment ${'ABCDEFGHI'[at]} on Application { organization { applications { nodes { ...${'ABCDEFGHI'[at + 1]} } } } }`)} fragment I on Application { id }`,
    'depth',
  ],
  ['aliases', `{ ${many(51, (at) => `a${at}: viewer { kind }`)} }`, 'aliases'],
  ['root fields', `{ ${many(21, () => 'viewer { kind }')} }`, 'rootFields'],
  ['fields of one name, which are compared pairwise', `{ viewer { ${'kind '.repeat(1_900)} } }`, 'fields'],
  ['cost', '{ applications(first: 100) { nodes { events(first: 100) { nodes { id } } } } }', 'cost'],
  [
    'cost behind an alias',
    `{ ${many(3, (at) => `a${at}: applications(first: 100) { nodes { events(first: 50) { nodes { id } } } }`)} }`,
    'cost',
  ],
  [
    'cost of fragments that double',
    `{ application { ...F0 } } ${many(30, (at) => `fragment F${at} on Application { ...F${at + 1} ...F${at + 1} }`)} fragment F30 on Application { counts { events } }`,
    'cost',
  ],
  ['two introspections', `{ a: __schema { types { name } } b: __schema { types { name } } }`, 'cost'],
  [
    'deep introspection',
    `{ __schema { types { ${'ofType { '.repeat(20)} name ${'} '.repeat(20)} } } }`,
    'introspectionDepth',
  ],
];

describe('what is refused before it is executed', () => {
  it.each(HOSTILE)('%s', async (_name, query, limit) => {
    const { data, errors, answer } = await ask(service, query);
    expect(data).toBeUndefined();
    expect(errors?.[0].extensions).toMatchObject({
      id: limit === '' ? expect.any(String) : 'GraphqlLimit',
      status: 400,
    });
    expect(errors?.[0].message).toContain(limit);
    expect(answer.status).toBe(200);
  });

  it('names the limit and its number', async () => {
    const { errors } = await ask(service, nested(20));
    expect(errors?.[0].message).toMatch(/^The operation has \d+ levels of fields; 12 are allowed \(limit `depth`\)\.$/);
  });

  it('variables that ask for more than the defaults count as what they ask for', async () => {
    const query = 'query ($n: Int = 1) { applications(first: $n) { nodes { events(first: $n) { nodes { id } } } } }';
    expect(await ask(service, query)).toMatchObject({ errors: undefined });
    expect(await ask(service, query, { n: 100 })).toMatchObject({ errors: [{ extensions: { id: 'GraphqlLimit' } }] });
    const dear = query.replace('= 1', '= 100');
    expect(await ask(service, dear)).toMatchObject({ errors: [{ extensions: { id: 'GraphqlLimit' } }] });
  });

  it('variables beyond counting', async () => {
    const query = 'query ($types: [String!]!) { application { previewSubscription(eventTypes: $types) { looked } } }';
    for (const types of [Array(300_000).fill('a.b'), Array(3_000).fill('a.b')])
      expect(await ask(service, query, { types }, tenant.secret)).toMatchObject({
        errors: [{ extensions: { id: 'GraphqlLimit' }, message: expect.stringContaining('variableValues') }],
      });
  });

  it.each([
    ['a batch', [{ query: '{ viewer { kind } }' }]],
    ['no query', { variables: {} }],
    ['a query that is none', { query: 1 }],
    ['variables that are a list', { query: '{ viewer { kind } }', variables: [] }],
    ['a document that was parsed elsewhere', { query: JSON.stringify({ kind: 'Document', definitions: [] }) }],
    ['JSON in place of a query', { query: 'null' }],
    ['nothing at all', { query: '' }],
    ['a fragment that spreads itself', { query: '{ viewer { ...A } } fragment A on Viewer { kind ...A }' }],
    [
      'fragments that spread each other',
      { query: '{ viewer { ...A } } fragment A on Viewer { ...B } fragment B on Viewer { ...A }' },
    ],
    ['a subscription', { query: 'subscription { events { position } }' }],
    ['an operation that is not there', { query: 'query A { viewer { kind } }', operationName: 'B' }],
    ['an unknown field', { query: '{ viewer { password } }' }],
    [
      'a variable of the wrong type',
      { query: 'query ($id: UUID!) { application(id: $id) { id } }', variables: { id: 'x' } },
    ],
    ['a UUID that is none', { query: '{ application(id: "x") { id } }' }],
    [
      'a year before the first',
      { query: '{ application { events(filter: { from: "0000-01-01T00:00:00Z" }) { nodes { id } } } }' },
    ],
  ])('as not valid: %s', async (_name, body) => {
    const answer = await post(body);
    expect(answer.json.errors[0].extensions).toMatchObject({ id: 'GraphqlValidation', status: 400 });
    expect(answer.json).not.toHaveProperty('data');
    const modern = await post(body, { accept: 'application/graphql-response+json' });
    expect(modern.status).toBe(400);
    expect(modern.headers['content-type']).toContain('application/graphql-response+json');
  });

  it('is never sent by GET', async () => {
    const answer = await service.get('//graphql?query={viewer{kind}}');
    expect(answer).toMatchObject({ status: 405, json: { id: 'MethodNotAllowed' }, headers: { allow: 'POST' } });
  });
});

it('introspection is answered, once a request', async () => {
  const data = await askData(service, getIntrospectionQuery());
  expect(data.__schema.types.length).toBeGreaterThan(50);
});

it('fragments that double are answered when what they ask for is little', async () => {
  const data = await askData(service, doubling(25));
  expect(data.instance.a0).toBe('0.0.0-test');
});
