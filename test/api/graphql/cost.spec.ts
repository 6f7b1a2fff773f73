import { readFileSync } from 'node:fs';
import { buildSchema, parse } from 'graphql';
import { expect, it } from 'vitest';
import { costOf } from '#src/api/graphql/cost.ts';

const schema = buildSchema(readFileSync(new URL('../../../src/api/graphql/schema.graphql', import.meta.url), 'utf8'));
const cost = (query: string, variables = {}, operationName?: string): number =>
  costOf(schema, parse(query), variables, operationName);

it.each<[what: string, query: string, points: number]>([
  ['an object', '{ viewer { kind } }', 1],
  ['objects within each other', '{ application { organization { name } } }', 2],
  ['a page, by what it is asked for', '{ applications(first: 3) { nodes { id } } }', 20 + 1 + 3],
  ['a page, by what it has unless it is asked', '{ applications { nodes { id } } }', 20 + 1 + 25],
  [
    'a list without a size',
    '{ application { events(first: 2) { nodes { deliveries { id } } } } }',
    1 + 20 + 1 + 2 * 11,
  ],
  [
    'what is dear',
    '{ application { events(first: 2) { nodes { payload } totalCount { value } } } }',
    1 + 20 + 1 + 2 * 201 + 51,
  ],
  ['aliases, each', '{ a: viewer { kind } b: viewer { kind } }', 2],
  [
    'fragments, where they stand',
    'fragment V on Viewer { application { id } } { a: viewer { ...V } b: viewer { ...V ...V } }',
    5,
  ],
  [
    'a size that makes no sense, as the largest or the least',
    '{ applications(first: -5) { nodes { id } } }',
    20 + 1 + 1,
  ],
  ['a mutation', 'mutation { deleteSubscription(id: "x") { id } }', 51],
  ['names of types alone', '{ viewer { __typename } __typename }', 1],
])('counts %s', (_what, query, points) => {
  expect(cost(query)).toBe(points);
});

it('takes the sizes of variables, given or by default, of the operation that is asked for', () => {
  const query = `query A($n: Int = 7) { applications(first: $n) { nodes { id } } } query B { viewer { kind } }`;
  expect(cost(query, { n: 9 }, 'A')).toBe(30);
  expect(cost(query, {}, 'A')).toBe(28);
  expect(cost(query, {}, 'B')).toBe(1);
});
