/**
 * What a token may be, so that no holder of one can keep the event loop busy: counted before it is evaluated, and again while it
 * is.
 */
export const LIMITS = {
  /** Longer ones are refused unparsed. */
  base64Characters: 4_096,
  /** The authority block and what was appended to it. */
  blocks: 8,
  blockSourceCharacters: 1_024,
  blockSymbols: 64,
  blockQueries: 10,
  queryPredicates: 3,
  predicateTerms: 4,
  queryExpressions: 8,
  /** Operators and operands of one block. */
  blockOperations: 128,
  /** Elements of sets and arrays of one block. */
  blockElements: 128,
  /** `&&`, `||` and parentheses inside each other. */
  nesting: 8,
  authorityFacts: 40,
  organizationRoles: 20,
  /** Facts of the authority block and of the request: to the power of the predicates, at most `factCombinations`. */
  factCombinations: 10_000,
  /** Of all queries of a token together: reckoned by `stepsOf` beforehand, counted by `runChecks`. */
  steps: 10_000,
} as const;
