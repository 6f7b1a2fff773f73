/**
 * What a token may be, so that no holder of one can keep the event loop busy. biscuit-auth 6 looks at its time limit once per
 * pass, never inside a join (measured 2026-11-22: 1,248 bytes of four-way join ran for 8 s under a limit of 20 ms), so that
 * everything is counted before it is evaluated.
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
  /** Of all queries of a token together: see `stepsOf`. */
  steps: 10_000,
  /** Labels and event types that a request offers to the checks, and the characters of all that it offers. */
  offeredElements: 256,
  offeredCharacters: 16_384,
  /** The library's own limits, behind the gate. */
  runMicroseconds: 20_000,
  runFacts: 100,
  runIterations: 10,
} as const;
