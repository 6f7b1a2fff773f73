import { jsonDepthExceeds } from '../domain/event/payload.ts';
import type { JsonSchema } from '../domain/event-type/events.ts';
import { FORMATS } from './formats.ts';

export const SCHEMA_BYTES_MAX = 64 * 1024;
const DEPTH_MAX = 32;
/** Subschemas and keywords, over the whole schema. */
const NODES_MAX = 1_000;
const DRAFT = 'https://json-schema.org/draft/2020-12/schema';

/** Why a schema cannot be used, and where; the path is a JSON Pointer into it. */
export class UnusableSchema extends Error {
  readonly path: string;

  constructor(path: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'UnusableSchema';
    this.path = path;
  }
}

/** Carries what an evaluation of a subschema costs into the code that is compiled of it: see `compile.ts`. */
export const COST = 'x-posthorn-cost';
export type Cost = {
  /** Of each value that the subschema is asked about. */
  readonly each: number;
  /** Further, for each element of a list or member of an object: how many keywords go through them. */
  readonly perElement: number;
  readonly perMember: number;
};

const ONE = ['additionalProperties', 'propertyNames', 'items', 'contains', 'unevaluatedItems', 'unevaluatedProperties'];
const ONE_IN_PLACE = ['not', 'if', 'then', 'else'];
const LIST_IN_PLACE = ['allOf', 'anyOf', 'oneOf'];
const MAP = ['properties', 'patternProperties', '$defs', 'definitions'];
const PLAIN =
  `type enum const multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems
  minItems uniqueItems maxContains minContains maxProperties minProperties required dependentRequired format $ref`.split(
    /\s+/,
  );
const KEYWORDS = new Set([
  ...ONE,
  ...ONE_IN_PLACE,
  ...LIST_IN_PLACE,
  ...MAP,
  ...PLAIN,
  'prefixItems',
  'dependentSchemas',
]);
/** They say something to people and nothing to a validator. */
const ANNOTATIONS = new Set(
  'title description default example examples deprecated readOnly writeOnly $comment contentEncoding contentMediaType contentSchema'.split(
    ' ',
  ),
);
const GOES_THROUGH_LISTS = new Set(['items', 'prefixItems', 'contains', 'unevaluatedItems', 'uniqueItems']);
const GOES_THROUGH_OBJECTS = new Set([
  'additionalProperties',
  'propertyNames',
  'patternProperties',
  'unevaluatedProperties',
  'minProperties',
  'maxProperties',
]);

type Node = {
  /** Subschemas that are asked about the same value: going round among them would never end. */
  readonly inPlace: string[];
  /** Where its `$ref` points. */
  refersTo?: { readonly path: string; readonly target: string };
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const escaped = (token: string): string => token.replaceAll('~', '~0').replaceAll('/', '~1');

/**
 * A copy of a JSON Schema (2020-12) that may be compiled: without annotations, and with the cost of each subschema. Throws
 * UnusableSchema for what is too big, not understood, points elsewhere than into itself, or would go round for ever. Whether
 * each keyword has a value of the right kind is left to the meta-schema.
 */
export const vetSchema = (schema: JsonSchema): JsonSchema => {
  const text = JSON.stringify(schema);
  if (Buffer.byteLength(text) > SCHEMA_BYTES_MAX)
    throw new UnusableSchema('', `must have at most ${SCHEMA_BYTES_MAX} bytes of JSON`);
  if (jsonDepthExceeds(text, DEPTH_MAX)) throw new UnusableSchema('', `must nest at most ${DEPTH_MAX} levels deep`);
  const nodes = new Map<string, Node>();
  const vetted = createWalk(nodes)(schema, '');
  for (const { refersTo } of nodes.values())
    if (refersTo && !nodes.has(refersTo.target))
      throw new UnusableSchema(refersTo.path, 'must point to a subschema within this schema');
  refuseCircles(nodes);
  return vetted;
};

/** Copies one subschema and all below it, noting each by its JSON Pointer. */
const createWalk = (nodes: Map<string, Node>) => {
  let left = NODES_MAX;
  const count = (path: string, by: number): void => {
    left -= by;
    if (left < 0) throw new UnusableSchema(path, `goes beyond ${NODES_MAX} subschemas and keywords in all`);
  };

  const walk = (schema: unknown, path: string): JsonSchema => {
    count(path, 1);
    const node: Node = { inPlace: [] };
    nodes.set(path, node);
    if (typeof schema === 'boolean') return schema;
    if (!isObject(schema)) throw new UnusableSchema(path, 'must be a schema: an object, or true or false');
    const copy: [string, unknown][] = [];
    for (const [keyword, value] of Object.entries(schema)) {
      const at = `${path}/${escaped(keyword)}`;
      if (ANNOTATIONS.has(keyword) || keyword.startsWith('x-')) continue;
      if (path === '' && (keyword === '$schema' || keyword === '$id')) {
        if (keyword === '$schema' && value !== DRAFT && value !== `${DRAFT}#`)
          throw new UnusableSchema(at, `must be ${DRAFT}: other drafts are not supported`);
        continue;
      }
      if (!KEYWORDS.has(keyword)) throw new UnusableSchema(at, 'is not a keyword that is supported');
      count(at, 1);
      copy.push([keyword, copyOf(keyword, value, at, node)]);
    }
    const kept = Object.fromEntries(copy);
    return { ...kept, [COST]: costOf(kept, node) };
  };

  const copyOf = (keyword: string, value: unknown, at: string, node: Node): unknown => {
    const below = (key: string | number, schema: unknown, isInPlace: boolean): JsonSchema => {
      const path = key === '' ? at : `${at}/${escaped(String(key))}`;
      if (isInPlace) node.inPlace.push(path);
      return walk(schema, path);
    };
    if (ONE.includes(keyword)) return below('', value, false);
    if (ONE_IN_PLACE.includes(keyword)) return below('', value, true);
    if (LIST_IN_PLACE.includes(keyword) || keyword === 'prefixItems') {
      if (!Array.isArray(value)) throw new UnusableSchema(at, 'must be a list of schemas');
      return value.map((schema, index) => below(index, schema, keyword !== 'prefixItems'));
    }
    if (MAP.includes(keyword) || keyword === 'dependentSchemas') {
      if (!isObject(value)) throw new UnusableSchema(at, 'must be an object of schemas');
      const isInPlace = keyword === 'dependentSchemas';
      return Object.fromEntries(
        Object.entries(value).map(([key, schema]) => {
          if (key === '' || key === '__proto__') throw new UnusableSchema(at, `must not name ${JSON.stringify(key)}`);
          return [key, below(key, schema, isInPlace)] as const;
        }),
      );
    }
    return plain(keyword, value, at, node);
  };

  const plain = (keyword: string, value: unknown, at: string, node: Node): unknown => {
    if (keyword === '$ref') {
      const target = pointerOf(value);
      if (target === undefined) throw new UnusableSchema(at, 'must be # or begin with #/: nothing else is looked up');
      node.refersTo = { path: at, target };
      node.inPlace.push(target);
    }
    if (keyword === 'format' && !(typeof value === 'string' && Object.hasOwn(FORMATS, value)))
      throw new UnusableSchema(at, `must be one of ${Object.keys(FORMATS).join(', ')}`);
    if (keyword === 'enum' && Array.isArray(value)) count(at, value.length);
    return value;
  };
  return walk;
};

/** The JSON Pointer of a reference into the same schema, written as this file writes them. */
const pointerOf = (reference: unknown): string | undefined => {
  if (reference === '#') return '';
  if (typeof reference !== 'string' || !reference.startsWith('#/')) return undefined;
  try {
    const tokens = decodeURIComponent(reference.slice(2)).split('/');
    return tokens.map((token) => `/${escaped(token.replaceAll('~1', '/').replaceAll('~0', '~'))}`).join('');
  } catch {
    return undefined;
  }
};

/** Values of plain JSON: what comparing with them may cost. */
const valuesIn = (value: unknown): number =>
  typeof value === 'object' && value !== null
    ? Object.values(value).reduce<number>((sum, item) => sum + valuesIn(item), 1)
    : 1;

const costOf = (schema: Readonly<Record<string, unknown>>, { inPlace }: Node): Cost => {
  const keywords = Object.keys(schema);
  const names = Object.entries(schema).reduce(
    (sum, [keyword, value]) =>
      sum + (keyword === '$defs' || keyword === 'definitions' ? 0 : isObject(value) ? Object.keys(value).length : 0),
    0,
  );
  const compared = valuesIn(schema.enum) + valuesIn(schema.const) + valuesIn(schema.required);
  return {
    each: 1 + inPlace.length + ((keywords.length + names + compared) >> 3),
    perElement: keywords.filter((keyword) => GOES_THROUGH_LISTS.has(keyword)).length,
    perMember: keywords.filter((keyword) => GOES_THROUGH_OBJECTS.has(keyword)).length,
  };
};

/** Recursion must go down into the value, which ends somewhere; among subschemas of the same value it would not. */
const refuseCircles = (nodes: ReadonlyMap<string, Node>): void => {
  const over = new Set<string>();
  const under = new Set<string>();
  const visit = (path: string): void => {
    if (over.has(path)) return;
    if (under.has(path)) throw new UnusableSchema(path, 'refers to itself without going down into the value');
    under.add(path);
    for (const next of nodes.get(path)?.inPlace ?? []) visit(next);
    over.add(path);
  };
  for (const path of nodes.keys()) visit(path);
};
