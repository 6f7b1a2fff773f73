import { Problem } from '../problems.ts';

/**
 * How much one operation may ask for. The text is bounded before it is parsed, its shape before it is validated, since
 * graphql compares all fields of one name with each other, and its cost before it is executed. The dashboard's largest query
 * takes a fifth of each.
 */
export const LIMITS = {
  /** Of the query's text, in bytes. */
  documentBytes: 32 * 1024,
  tokens: 2_000,
  /** Fields within each other. */
  depth: 12,
  /** The same within `__schema` and `__type`: what tools ask for goes 14 deep. */
  introspectionDepth: 15,
  /** Fields of all operations and fragments, as written. */
  fields: 500,
  aliases: 50,
  /** Fields of an operation's root; each mutation is a commit or more. */
  rootFields: 20,
  /** Strings, numbers, objects and lists in all variables together. */
  variableValues: 2_000,
  /** Roughly one for each object of the answer. */
  cost: 10_000,
} as const;

const NOUNS: Readonly<Record<keyof typeof LIMITS, string>> = {
  documentBytes: 'bytes of query text',
  tokens: 'tokens',
  depth: 'levels of fields',
  introspectionDepth: 'levels of fields in an introspection',
  fields: 'fields',
  aliases: 'aliases',
  rootFields: 'root fields',
  variableValues: 'values in the variables',
  cost: 'points of cost',
};

/** Throws GraphqlLimit when `found` is more than the limit. */
export const within = (limit: keyof typeof LIMITS, found: number): void => {
  if (found > LIMITS[limit]) throw beyond(limit, `has ${found} ${NOUNS[limit]}`);
};

/** The refusal of an operation that goes beyond a limit, which names the limit and its number. */
export const beyond = (limit: keyof typeof LIMITS, what: string): Problem =>
  new Problem('GraphqlLimit', `The operation ${what}; ${LIMITS[limit]} are allowed (limit \`${limit}\`).`);

/** Counts what the variables hold, and stops counting once it is too much. */
export const checkVariables = (variables: Readonly<Record<string, unknown>>): void => {
  const open: object[] = [variables];
  let found = 0;
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    const inner: unknown[] = Array.isArray(value) ? value : Object.values(value);
    found += inner.length;
    if (found > LIMITS.variableValues)
      throw beyond('variableValues', `has more than ${LIMITS.variableValues} ${NOUNS.variableValues}`);
    for (const one of inner) if (typeof one === 'object' && one !== null) open.push(one);
  }
};
