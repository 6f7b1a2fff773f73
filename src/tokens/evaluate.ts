import type { Check, Operation, Predicate, Query, Term } from './block.ts';
import { type Bindings, Broken, isEqual, operate } from './operations.ts';
import { OutOfSteps, type Steps, stepsUpTo } from './step-counter.ts';

/** `broken`: a check compares what cannot be compared, or is no expression at all. Biscuit then refuses altogether. */
export type Outcome =
  | { readonly kind: 'passed' | 'broken' | 'limit' }
  | { readonly kind: 'failed'; readonly checks: readonly [Check, ...Check[]] };

/**
 * Runs checks over facts, as Biscuit does, in at most `stepsMax` steps: each comparison of a predicate with a fact, each operation and
 * each element it looks at is one. Takes only what the gate lets through; facts hold no variables.
 */
export const runChecks = (checks: readonly Check[], facts: readonly Predicate[], stepsMax: number): Outcome => {
  const world: World = { facts: byName(facts), steps: stepsUpTo(stepsMax) };
  try {
    const [first, ...others] = checks.filter((check) => !passes(check, world));
    return first === undefined ? { kind: 'passed' } : { kind: 'failed', checks: [first, ...others] };
  } catch (error) {
    if (error instanceof Broken) return { kind: 'broken' };
    if (error instanceof OutOfSteps) return { kind: 'limit' };
    throw error;
  }
};

type World = { readonly facts: ReadonlyMap<string, readonly Predicate[]>; readonly steps: Steps };

const byName = (facts: readonly Predicate[]): Map<string, Predicate[]> => {
  const named = new Map<string, Predicate[]>();
  for (const fact of facts) {
    const others = named.get(fact.name);
    if (others) others.push(fact);
    else named.set(fact.name, [fact]);
  }
  return named;
};

/** Of the queries, the first that decides is the last that is run. A `reject if` refuses when all its queries match. */
const passes = ({ kind, queries }: Check, world: World): boolean =>
  queries.some((query) => matches(query, world) !== (kind === 'reject if'));

/**
 * Whether facts can be found that fit. Goes on after the first that do, for others may break an expression: the library finds
 * them in an order that is left to chance, and takes what it finds first. Here the check is broken, always.
 */
const matches = ({ predicates, expressions }: Query, { facts, steps }: World): boolean => {
  let isMatched = false;
  const join = (index: number, bindings: Bindings): void => {
    const predicate = predicates[index];
    if (predicate === undefined) {
      if (holds(expressions, bindings, steps)) isMatched = true;
      return;
    }
    for (const fact of facts.get(predicate.name) ?? NO_FACTS) {
      const bound = unify(predicate, fact, bindings, steps);
      if (bound) join(index + 1, bound);
      if (isMatched && expressions.length === 0) return;
    }
  };
  steps.take(1);
  join(0, NOTHING_BOUND);
  return isMatched;
};

const NO_FACTS: readonly Predicate[] = [];
const NOTHING_BOUND: Bindings = new Map();

const holds = (expressions: readonly (readonly Operation[])[], bindings: Bindings, steps: Steps): boolean =>
  expressions.every((expression) => {
    const result = operate(expression, bindings, steps);
    if (result.kind !== 'bool') throw new Broken();
    return result.value;
  });

/** The bindings with those that make the predicate the fact; undefined when there are none. */
const unify = (predicate: Predicate, fact: Predicate, bindings: Bindings, steps: Steps): Bindings | undefined => {
  const { terms } = predicate;
  steps.take(1);
  if (terms.length !== fact.terms.length) return undefined;
  const bound = new Map(bindings);
  for (const [index, value] of fact.terms.entries()) {
    const term = terms[index];
    if (term === undefined) return undefined;
    const expected: Term | undefined = term.kind === 'variable' ? bound.get(term.name) : term;
    if (expected !== undefined && !isEqual(expected, value, steps)) return undefined;
    if (term.kind === 'variable') bound.set(term.name, value);
  }
  return bound;
};
