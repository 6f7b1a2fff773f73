import { type Block, DEFAULT_SYMBOLS, type Operation, type Query, readBlock, type Term } from './block.ts';
import { misfitOf } from './datalog-version.ts';
import { type Envelope, isEd25519 } from './envelope.ts';
import { LIMITS } from './limits.ts';
import { TokenRefused } from './refused.ts';
import { elementsOf, isNarrow, queriesOf, stepsOf } from './steps.ts';
import { mostFacts } from './vocabulary.ts';
import { malformed } from './wire.ts';

/**
 * The structural gate: decides from the bytes alone, before any signature is checked or any Datalog is run, whether a token is one
 * that can be decided quickly. What is let through is a small language: checks without facts or rules over a few predicates, with
 * comparisons, membership and boolean operators. Whatever a restriction has no use for is refused, however harmless it looks.
 *
 * Returns the blocks, the authority block first; throws TokenRefused `gate` or `malformed`.
 */
export const passGate = (envelope: Envelope): readonly Block[] => {
  if (envelope.blocks.length > LIMITS.blocks)
    throw refused(`it has ${envelope.blocks.length} blocks; ${LIMITS.blocks} are the most`);
  const blocks: Block[] = [];
  const symbols: string[] = [];
  for (const [index, signed] of envelope.blocks.entries()) {
    if (signed.isThirdParty) throw refused(`block ${index} is of a third party`);
    if (!isEd25519(signed)) throw refused(`block ${index} is not followed by an Ed25519 key`);
    if (signed.signatureVersion > 1) throw refused(`block ${index} is signed in a way that is not known`);
    const block = readBlock(signed.payload, symbols);
    if (block.symbols.some((symbol) => DEFAULT_SYMBOLS.includes(symbol) || symbols.includes(symbol)))
      throw malformed('it names a symbol twice');
    const misfit = misfitOf(block);
    if (misfit !== undefined) throw malformed(`block ${index} ${misfit}`);
    symbols.push(...block.symbols);
    blocks.push(block);
    passBlock(block, index);
  }
  passTogether(blocks);
  return blocks;
};

const refused = (why: string): TokenRefused =>
  new TokenRefused('gate', `The token goes beyond what is evaluated: ${why}. docs/tokens.md lists the limits.`);

const passBlock = (block: Block, index: number): void => {
  const refuse = (why: string) => refused(`block ${index} ${why}`);
  if (block.hasScope || block.publicKeys > 0) throw refuse('says whom it trusts');
  if (block.hasContext) throw refuse('carries a context');
  if (block.rules > 0) throw refuse('holds rules');
  if (block.symbols.length > LIMITS.blockSymbols && index > 0)
    throw refuse(`names ${block.symbols.length} symbols; ${LIMITS.blockSymbols} are the most`);
  if (index === 0) {
    if (block.facts.length > LIMITS.authorityFacts) throw refuse(`holds ${block.facts.length} facts`);
    if (block.facts.some(({ terms }) => terms.length > LIMITS.predicateTerms || terms.some((term) => !isScalar(term))))
      throw refuse('holds a fact that is not of plain values');
  } else if (block.facts.length > 0) throw refuse('holds facts; an appended block may only restrict');
  if (block.checks.some(({ kind }) => kind === 'check all')) throw refuse('holds `check all`; use `check if`');
  const queries = queriesOf([block]);
  if (block.checks.some(({ queries: own }) => own.length === 0)) throw refuse('holds a check without a query');
  if (queries.length > LIMITS.blockQueries)
    throw refuse(`holds ${queries.length} queries; ${LIMITS.blockQueries} are the most`);
  for (const query of queries) passQuery(query, refuse);
  const sizes = sumOf(queries);
  if (sizes.operations > LIMITS.blockOperations)
    throw refuse(`holds ${sizes.operations} operations; ${LIMITS.blockOperations} are the most`);
  if (sizes.elements > LIMITS.blockElements)
    throw refuse(`holds ${sizes.elements} elements of sets; ${LIMITS.blockElements} are the most`);
  if (sizes.characters > LIMITS.blockSourceCharacters)
    throw refuse(`is some ${sizes.characters} characters long; ${LIMITS.blockSourceCharacters} are the most`);
};

type Refuse = (why: string) => TokenRefused;

const passQuery = ({ head, predicates, expressions, hasScope }: Query, refuse: Refuse): void => {
  if (hasScope) throw refuse('says whom it trusts (`trusting`)');
  if (head.terms.length > 0) throw refuse('holds a query that makes facts');
  if (predicates.length > LIMITS.queryPredicates)
    throw refuse(`joins ${predicates.length} predicates; ${LIMITS.queryPredicates} are the most`);
  if (expressions.length > LIMITS.queryExpressions)
    throw refuse(`has ${expressions.length} conditions in one query; ${LIMITS.queryExpressions} are the most`);
  for (const { name, terms } of predicates) {
    if (terms.length > LIMITS.predicateTerms) throw refuse(`gives ${name} ${terms.length} terms`);
    for (const term of terms) passTerm(term, refuse);
  }
  for (const expression of expressions) passOperations(expression, refuse, 0);
};

const isScalar = ({ kind }: Term): boolean => !['variable', 'set', 'array', 'map'].includes(kind);

/** Sets and arrays may hold plain values, and no collections: comparing those calls itself. */
const passTerm = (term: Term, refuse: Refuse): void => {
  if (term.kind === 'map') throw refuse('holds a map; name a single key with `.get()`');
  if ((term.kind === 'set' || term.kind === 'array') && !term.items.every(isScalar))
    throw refuse('holds a collection within a collection, or a variable in one');
};

/**
 * Nothing that makes a value larger than its operands (`+`, `.union()`), that runs for each element (`.any()`, `.all()`), that runs
 * code of others (`.extern()`) or a pattern (`.matches()`), or that hides an error (`.try_or()`).
 */
const ALLOWED: ReadonlySet<string> = new Set([
  'negate',
  'parentheses',
  '.length()',
  '<',
  '>',
  '<=',
  '>=',
  '==',
  '!=',
  '===',
  '!==',
  '.contains()',
  '.starts_with()',
  '.ends_with()',
  '.get()',
  '&&',
  '||',
  'eager &&',
  'eager ||',
]);
const IS_LAZY: ReadonlySet<string> = new Set(['&&', '||']);

/** Closures without parameters are the right-hand sides of `&&` and `||`, and run at most once; no others pass. */
const passOperations = (operations: readonly Operation[], refuse: Refuse, depth: number): void => {
  if (depth > LIMITS.nesting) throw refuse(`nests conditions more than ${LIMITS.nesting} deep`);
  for (const [index, operation] of operations.entries()) {
    if (operation.kind === 'value') passTerm(operation.term, refuse);
    else if (operation.kind === 'closure') {
      const next = operations[index + 1];
      const isLazy = next?.kind === 'binary' && IS_LAZY.has(next.name);
      if (operation.parameters > 0 || !isLazy) throw refuse('holds a closure');
      passOperations(operation.operations, refuse, depth + 1);
    } else if (!ALLOWED.has(operation.name)) throw refuse(`uses ${operation.name}`);
  }
};

type Sizes = { operations: number; elements: number; characters: number };

/** Characters: about those of the source, counted without printing it, since a symbol may be used any number of times. */
const sumOf = (queries: readonly Query[]): Sizes => {
  const sizes: Sizes = { operations: 0, elements: 0, characters: 0 };
  const addTerm = (term: Term): void => {
    sizes.characters += 2;
    sizes.elements += elementsOf(term);
    if (term.kind === 'set' || term.kind === 'array') for (const item of term.items) addTerm(item);
    else if (term.kind === 'variable') sizes.characters += term.name.length;
    else if (term.kind === 'string') sizes.characters += term.value.length;
    else sizes.characters += 4;
  };
  const addOperations = (operations: readonly Operation[]): void => {
    for (const operation of operations) {
      sizes.operations += 1;
      if (operation.kind === 'value') addTerm(operation.term);
      else if (operation.kind === 'closure') addOperations(operation.operations);
      else sizes.characters += operation.name.length;
    }
  };
  for (const { predicates, expressions } of queries) {
    sizes.characters += 8;
    for (const { name, terms } of predicates) {
      sizes.characters += name.length + 2;
      for (const term of terms) addTerm(term);
    }
    for (const expression of expressions) addOperations(expression);
  }
  return sizes;
};

/** Against all that a request can offer at most, so that what is let in is decided later, too. */
const passTogether = (blocks: readonly Block[]): void => {
  const queries = queriesOf(blocks.slice(1));
  if (queries.length === 0) return;
  const facts = mostFacts(blocks[0]?.facts ?? []);
  if (!isNarrow(queries, facts)) throw refused(`${facts.total} facts are too many to join`);
  const steps = stepsOf(queries, facts);
  if (steps > LIMITS.steps) throw refused(`its checks may take ${steps} steps; ${LIMITS.steps} are the most`);
};
