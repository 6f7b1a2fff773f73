import type { Block, Operation, Query, Term } from './block.ts';
import { LIMITS } from './limits.ts';

/** How many facts there are of each name. */
export type FactCounts = {
  readonly byName: ReadonlyMap<string, number>;
  readonly total: number;
};

/**
 * An upper bound of what evaluating the queries takes, in facts looked at and operations done. A join looks at all facts once for
 * each combination of the predicates before; a combination that matches costs its expressions, and a copy of what is bound.
 */
export const stepsOf = (queries: readonly Query[], { byName, total }: FactCounts): number =>
  queries.reduce((sum, { predicates, expressions }) => {
    let combinations = 1;
    let looks = 1;
    for (const { name } of predicates) {
      looks += combinations * total;
      combinations *= byName.get(name) ?? 0;
    }
    return sum + looks + combinations * sizeOf(expressions.flat());
  }, 0);

/** True when the facts to the power of the predicates of the widest query stay within the bound. */
export const isNarrow = (queries: readonly Query[], { total }: FactCounts): boolean =>
  queries.every(({ predicates }) => total ** predicates.length <= LIMITS.factCombinations);

export const queriesOf = (blocks: readonly Block[]): Query[] =>
  blocks.flatMap(({ checks }) => checks.flatMap(({ queries }) => queries));

/** Operators, operands and their elements, through all levels. */
const sizeOf = (operations: readonly Operation[]): number =>
  operations.reduce((sum, operation) => {
    if (operation.kind === 'closure') return sum + 1 + sizeOf(operation.operations);
    return sum + 1 + (operation.kind === 'value' ? elementsOf(operation.term) : 0);
  }, 0);

export const elementsOf = (term: Term): number =>
  term.kind === 'set' || term.kind === 'array' ? term.items.length : 0;
