import { Message, malformed } from './wire.ts';

/** The inner half of a token (schema.proto of Biscuit: `Block`): Datalog as data, with names in place of symbols. */

export type Term =
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'integer'; readonly value: bigint }
  | { readonly kind: 'string'; readonly value: string }
  /** Seconds since 1970. */
  | { readonly kind: 'date'; readonly value: number }
  /** In hex. */
  | { readonly kind: 'bytes'; readonly value: string }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'null' }
  /** Of a set, each item once. */
  | { readonly kind: 'set' | 'array'; readonly items: readonly Term[] }
  /** Only requests offer maps: those of tokens are refused by the gate and left unread. */
  | { readonly kind: 'map'; readonly entries: ReadonlyMap<string, Term> };

export type Operation =
  | { readonly kind: 'value'; readonly term: Term }
  | { readonly kind: 'unary' | 'binary'; readonly name: string }
  | { readonly kind: 'closure'; readonly parameters: number; readonly operations: readonly Operation[] };

export type Predicate = { readonly name: string; readonly terms: readonly Term[] };

export type Query = {
  readonly head: Predicate;
  readonly predicates: readonly Predicate[];
  readonly expressions: readonly (readonly Operation[])[];
  readonly hasScope: boolean;
};

export type Check = { readonly kind: 'check if' | 'check all' | 'reject if'; readonly queries: readonly Query[] };

export type Block = {
  readonly symbols: readonly string[];
  readonly hasContext: boolean;
  readonly version: number;
  /** A check says that it is a `check if`, which goes without saying in the first version of Datalog. */
  readonly namesKinds: boolean;
  readonly facts: readonly Predicate[];
  readonly rules: number;
  readonly checks: readonly Check[];
  readonly hasScope: boolean;
  readonly publicKeys: number;
};

/** Symbols that every token knows (the specification's table), and the number that its own begin with. */
export const DEFAULT_SYMBOLS: readonly string[] =
  'read write resource operation right time role owner tenant namespace user team service admin email group member ip_address client client_ip domain path version cluster node hostname nonce query'.split(
    ' ',
  );
export const FIRST_OWN_SYMBOL = 1_024;
/** Deeper terms and expressions are no longer read: readers and printers of them call themselves. */
const DEPTH_MAX = 16;

const CHECK_KINDS = ['check if', 'check all', 'reject if'] as const;
const UNARY = ['negate', 'parentheses', '.length()', '.type()', '.extern()'] as const;
const BINARY = [
  '<',
  '>',
  '<=',
  '>=',
  '===',
  '.contains()',
  '.starts_with()',
  '.ends_with()',
  '.matches()',
  '+',
  '-',
  '*',
  '/',
  'eager &&',
  'eager ||',
  '.intersection()',
  '.union()',
  '&',
  '|',
  '^',
  '!==',
  '==',
  '!=',
  '&&',
  '||',
  '.all()',
  '.any()',
  '.get()',
  '.extern()',
  '.try_or()',
] as const;

/**
 * Reads a block whose symbols continue those of the blocks before it (all of them, in order). Throws TokenRefused `malformed`;
 * bounded by the bytes it is given.
 */
export const readBlock = (payload: Uint8Array, symbolsBefore: readonly string[]): Block => {
  const message = new Message(payload, [1, 2, 3, 4, 5, 6, 7, 8]);
  const own = message.texts(1);
  const symbols = [...symbolsBefore, ...own];
  const symbol = (index: number): string => {
    const text = index < FIRST_OWN_SYMBOL ? DEFAULT_SYMBOLS[index] : symbols[index - FIRST_OWN_SYMBOL];
    if (text === undefined) throw malformed(`it has no symbol ${index}`);
    return text;
  };
  const reader = readerOf(symbol);
  const checks = message.list(6);
  return {
    symbols: own,
    hasContext: message.has(2),
    version: message.number(3),
    facts: message.list(4).map((bytes) => reader.predicate(new Message(bytes, [1]).bytes(1))),
    rules: message.list(5).length,
    namesKinds: checks.some((bytes) => new Message(bytes, [1, 2]).has(2)),
    checks: checks.map(reader.check),
    hasScope: message.has(7),
    publicKeys: message.list(8).length,
  };
};

const readerOf = (symbol: (index: number) => string) => {
  const predicate = (bytes: Uint8Array): Predicate => {
    const message = new Message(bytes, [1, 2]);
    return { name: symbol(message.number(1)), terms: message.list(2).map((item) => term(item, 0)) };
  };

  const term = (bytes: Uint8Array, depth: number): Term => {
    if (depth > DEPTH_MAX) throw malformed('its values are nested too deeply');
    const message = new Message(bytes, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    const [kind, ...others] = message.present;
    if (kind === undefined || others.length > 0) throw malformed('a value is not of one kind');
    const items = (): Term[] => new Message(message.bytes(kind), [1]).list(1).map((item) => term(item, depth + 1));
    switch (kind) {
      case 1:
        return { kind: 'variable', name: symbol(message.number(1)) };
      case 2:
        return { kind: 'integer', value: message.signed(2) };
      case 3:
        return { kind: 'string', value: symbol(message.number(3)) };
      case 4:
        return { kind: 'date', value: message.number(4, Number.MAX_SAFE_INTEGER) };
      case 5:
        return { kind: 'bytes', value: Buffer.from(message.bytes(5)).toString('hex') };
      case 6:
        return { kind: 'bool', value: message.number(6, 1) === 1 };
      case 7:
        return { kind: 'set', items: setOf(items()) };
      case 8:
        new Message(message.bytes(8), []);
        return { kind: 'null' };
      case 9:
        return { kind: 'array', items: items() };
      default:
        message.bytes(10);
        return { kind: 'map', entries: new Map() };
    }
  };

  const operation = (bytes: Uint8Array, depth: number): Operation => {
    if (depth > DEPTH_MAX) throw malformed('its expressions are nested too deeply');
    const message = new Message(bytes, [1, 2, 3, 4]);
    const [kind, ...others] = message.present;
    if (kind === undefined || others.length > 0) throw malformed('an operation is not of one kind');
    const inner = message.bytes(kind);
    switch (kind) {
      case 1:
        return { kind: 'value', term: term(inner, 0) };
      case 2:
        return { kind: 'unary', name: nameIn(UNARY, new Message(inner, [1, 2]).number(1)) };
      case 3:
        return { kind: 'binary', name: nameIn(BINARY, new Message(inner, [1, 2]).number(1)) };
      default: {
        const closure = new Message(inner, [1, 2]);
        return {
          kind: 'closure',
          parameters: closure.has(1) ? 1 : 0,
          operations: closure.list(2).map((item) => operation(item, depth + 1)),
        };
      }
    }
  };

  const query = (bytes: Uint8Array): Query => {
    const message = new Message(bytes, [1, 2, 3, 4]);
    return {
      head: predicate(message.bytes(1)),
      predicates: message.list(2).map(predicate),
      expressions: message
        .list(3)
        .map((expression) => new Message(expression, [1]).list(1).map((item) => operation(item, 0))),
      hasScope: message.has(4),
    };
  };

  const check = (bytes: Uint8Array): Check => {
    const message = new Message(bytes, [1, 2]);
    return { kind: nameIn(CHECK_KINDS, message.optionalNumber(2) ?? 0), queries: message.list(1).map(query) };
  };

  return { predicate, check };
};

/** The items once each. Those of different kinds, and variables among them, are no set of Biscuit's. */
const setOf = (items: readonly Term[]): Term[] => {
  const byKey = new Map<string, Term>();
  for (const item of items) {
    if (item.kind !== items[0]?.kind || item.kind === 'variable' || item.kind === 'set')
      throw malformed('a set is not of values of one kind');
    byKey.set(keyOf(item), item);
  }
  return [...byKey.values()];
};

/** The same for equal values, and for no others. */
export const keyOf = (term: Term): string => {
  switch (term.kind) {
    case 'variable':
      return `variable:${term.name}`;
    case 'null':
      return 'null';
    case 'set':
      return `set:${JSON.stringify(term.items.map(keyOf).sort())}`;
    case 'array':
      return `array:${JSON.stringify(term.items.map(keyOf))}`;
    case 'map':
      return `map:${JSON.stringify([...term.entries].map(([key, value]) => [key, keyOf(value)]).sort())}`;
    default:
      return `${term.kind}:${term.value}`;
  }
};

const nameIn = <T>(names: readonly T[], index: number): T => {
  const name = names[index];
  if (name === undefined) throw malformed(`it has an operation ${index} that Biscuit does not have`);
  return name;
};
