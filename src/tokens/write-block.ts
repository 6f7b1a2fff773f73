import { DEFAULT_SYMBOLS, FIRST_OWN_SYMBOL, type Predicate, type Term } from './block.ts';
import { field } from './wire.ts';

/**
 * An authority block of facts, and of `check if time($t), $t < expiresAt` when there is an expiry, in Datalog 3.0: byte for byte
 * what Biscuit's library writes. Facts are of texts, dates and numbers from 0 to 2^53 - 1; others throw a TypeError.
 */
export const writeAuthorityBlock = (facts: readonly Predicate[], expiresAt: Date | undefined): Buffer => {
  const symbols: string[] = [];
  const symbol = (text: string): number => {
    const known = DEFAULT_SYMBOLS.indexOf(text);
    if (known !== -1) return known;
    const own = symbols.indexOf(text);
    return FIRST_OWN_SYMBOL + (own === -1 ? symbols.push(text) - 1 : own);
  };
  const written = facts.map((fact) => field(4, field(1, predicateOf(fact, symbol))));
  const checks = expiresAt === undefined ? [] : [field(6, field(1, expiryOf(expiresAt, symbol)))];
  return Buffer.concat([
    ...symbols.map((text) => field(1, Buffer.from(text))),
    field(3, DATALOG_3_0),
    ...written,
    ...checks,
  ]);
};

const DATALOG_3_0 = 3;
const LESS_THAN = 0;

type SymbolOf = (text: string) => number;

const predicateOf = ({ name, terms }: Predicate, symbol: SymbolOf): Buffer =>
  Buffer.concat([field(1, symbol(name)), ...terms.map((term) => field(2, termOf(term, symbol)))]);

const termOf = (term: Term, symbol: SymbolOf): Buffer => {
  switch (term.kind) {
    case 'variable':
      return field(1, symbol(term.name));
    case 'integer':
      return field(2, naturalOf(Number(term.value)));
    case 'string':
      return field(3, symbol(term.value));
    case 'date':
      return field(4, naturalOf(term.value));
    default:
      throw new TypeError(`A fact of ${term.kind} is not written.`);
  }
};

const naturalOf = (value: number): number => {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new TypeError(`The number ${value} is not written.`);
};

/** The query, in the order in which its symbols come up. */
const expiryOf = (expiresAt: Date, symbol: SymbolOf): Buffer => {
  const time: Term = { kind: 'variable', name: 't' };
  const body = predicateOf({ name: 'time', terms: [time] }, symbol);
  const operations = [
    field(1, termOf(time, symbol)),
    field(1, termOf(dateOf(expiresAt), symbol)),
    field(3, field(1, LESS_THAN)),
  ];
  return Buffer.concat([
    field(1, predicateOf({ name: 'query', terms: [] }, symbol)),
    field(2, body),
    field(3, Buffer.concat(operations.map((operation) => field(1, operation)))),
  ]);
};

/** The second that the instant is in, as Biscuit has no shorter ones. */
export const dateOf = (instant: Date): Term => ({ kind: 'date', value: Math.floor(instant.getTime() / 1_000) });
