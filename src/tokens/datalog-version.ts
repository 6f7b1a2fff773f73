import type { Block, Operation, Predicate, Term } from './block.ts';

/**
 * Why a block is not one of the version that it says it is, or undefined. Biscuit's libraries refuse such blocks, so that a token
 * which is taken here is taken by them, too. Versions by the specification's numbers: 3 is Datalog 3.0, 4 is 3.1, 6 is 3.3.
 */
export const misfitOf = (block: Block): string | undefined => {
  const { version, checks, facts, namesKinds } = block;
  if (version < OLDEST || version > NEWEST) return `is of a version ${version} that is not known`;
  const queries = checks.flatMap((check) => check.queries);
  const operations = queries.flatMap(({ expressions }) => expressions.flat());
  const predicates = [...facts, ...queries.flatMap((query) => query.predicates)];
  if (version < WITH_KINDS && (namesKinds || operations.some((operation) => isNamed(operation, SINCE_3_1))))
    return 'uses what Datalog 3.0 does not have';
  const isOf33 =
    checks.some(({ kind }) => kind === 'reject if') || operations.some(isOperationOf33) || predicates.some(isFactOf33);
  // Of a block of 3.0 the libraries do not ask this.
  return version >= WITH_KINDS && version < NEWEST && isOf33 ? 'uses what only Datalog 3.3 has' : undefined;
};

const OLDEST = 3;
const WITH_KINDS = 4;
const NEWEST = 6;

const SINCE_3_1: ReadonlySet<string> = new Set(['!==']);
const SINCE_3_3: ReadonlySet<string> = new Set(['==', '!=', '&&', '||']);

const isNamed = (operation: Operation, names: ReadonlySet<string>): boolean =>
  operation.kind === 'binary' && names.has(operation.name);

const isOperationOf33 = (operation: Operation): boolean =>
  operation.kind === 'closure' ||
  isNamed(operation, SINCE_3_3) ||
  (operation.kind === 'value' && isTermOf33(operation.term));

const isFactOf33 = ({ terms }: Predicate): boolean => terms.some(isTermOf33);

const isTermOf33 = (term: Term): boolean =>
  term.kind === 'null' || (term.kind === 'set' && term.items.some(({ kind }) => kind === 'null'));
