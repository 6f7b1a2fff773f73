import type { Block, Check, Operation, Predicate, Query, Term } from './block.ts';

/** Datalog of what the gate lets through, as Biscuit's library writes it. */

/** Facts and checks, one on each line. */
export const printBlock = ({ facts, checks }: Block): string =>
  [...facts.map(printPredicate), ...checks.map(printCheck)].map((statement) => `${statement};`).join('\n');

export const printCheck = ({ kind, queries }: Check): string => `${kind} ${queries.map(printQuery).join(' or ')}`;

const printQuery = ({ predicates, expressions }: Query): string =>
  [...predicates.map(printPredicate), ...expressions.map(printExpression)].join(', ');

const printPredicate = ({ name, terms }: Predicate): string => `${name}(${terms.map(printTerm).join(', ')})`;

const printTerm = (term: Term): string => {
  switch (term.kind) {
    case 'variable':
      return `$${term.name}`;
    case 'string':
      return `"${term.value}"`;
    case 'date':
      return printDate(new Date(term.value * 1_000));
    case 'bytes':
      return `hex:${term.value}`;
    case 'null':
      return 'null';
    case 'set':
      return term.items.length === 0 ? '{,}' : `{${term.items.map(printTerm).join(', ')}}`;
    case 'array':
      return `[${term.items.map(printTerm).join(', ')}]`;
    case 'map':
      return `{${[...term.entries].map(([key, value]) => `"${key}": ${printTerm(value)}`).join(', ')}}`;
    default:
      return String(term.value);
  }
};

const YEAR_MAX = 9_999;

const printDate = (date: Date): string =>
  Number.isNaN(date.getTime()) || date.getUTCFullYear() > YEAR_MAX
    ? '<invalid date>'
    : date.toISOString().replace('.000Z', 'Z');

const INVALID = '<invalid expression>';

const printExpression = (operations: readonly Operation[]): string => {
  const stack: string[] = [];
  for (const operation of operations) {
    if (operation.kind === 'value') stack.push(printTerm(operation.term));
    else if (operation.kind === 'closure') stack.push(printExpression(operation.operations));
    else {
      const right = operation.kind === 'binary' ? stack.pop() : undefined;
      const left = stack.pop();
      if (left === undefined || (operation.kind === 'binary' && right === undefined)) return INVALID;
      stack.push(right === undefined ? printUnary(operation.name, left) : printBinary(operation.name, left, right));
    }
  }
  const [text, ...others] = stack;
  return text === undefined || others.length > 0 ? INVALID : text;
};

const printUnary = (name: string, value: string): string => {
  if (name === 'negate') return `!${value}`;
  return name === 'parentheses' ? `(${value})` : `${value}${name}`;
};

/** The names of operations are those of Datalog, but for these. */
const EAGER: Readonly<Record<string, string>> = { 'eager &&': '&&!', 'eager ||': '||!' };

const printBinary = (name: string, left: string, right: string): string =>
  name.startsWith('.') ? `${left}${name.slice(0, -1)}${right})` : `${left} ${EAGER[name] ?? name} ${right}`;
