import { RE2JS } from 're2js';
import type { Budget } from './budget.ts';
import { UnusableSchema } from './vet.ts';

const PATTERN_LENGTH_MAX = 1_000;
/** Instructions of one pattern, and of all that a schema has: `[a-z]{1,1000}` has some thousand. */
const INSTRUCTIONS_MAX = 5_000;
const INSTRUCTIONS_OF_ALL_MAX = 20_000;
/** Instructions that a character may meet for the price of a step. */
const INSTRUCTIONS_PER_STEP = 16;

/**
 * How a schema's patterns are made: on an engine that takes time in proportion to text and pattern, never more. It has no
 * look-around and no back-references. Throws UnusableSchema.
 */
export const createPatterns = (budget: Budget) => {
  const known = new Map<string, { readonly test: (text: string) => boolean }>();
  let left = INSTRUCTIONS_OF_ALL_MAX;

  const compile = (pattern: string) => {
    if (pattern.length > PATTERN_LENGTH_MAX)
      throw new UnusableSchema('', `has a pattern of more than ${PATTERN_LENGTH_MAX} characters`);
    const expression = expressionOf(pattern);
    const instructions = expression.programSize();
    left -= instructions;
    if (instructions > INSTRUCTIONS_MAX || left < 0)
      throw new UnusableSchema('', `has patterns that are too big, such as ${JSON.stringify(pattern.slice(0, 100))}`);
    return {
      test: (text: string): boolean => {
        budget.spend(1 + Math.floor((text.length * instructions) / INSTRUCTIONS_PER_STEP));
        return expression.test(text);
      },
      // Patterns are told apart by it.
      toString: () => pattern,
    };
  };
  const make = (pattern: string) => {
    const found = known.get(pattern) ?? compile(pattern);
    known.set(pattern, found);
    return found;
  };
  // The source of a call, for code that is written to a file, which ours never is.
  return Object.assign(make, { code: 'pattern' });
};

const expressionOf = (pattern: string): RE2JS => {
  try {
    return RE2JS.compile(RE2JS.translateRegExp(pattern));
  } catch (cause) {
    const what = JSON.stringify(pattern.slice(0, 100));
    throw new UnusableSchema('', `has a pattern that cannot be used, ${what}: ${(cause as Error).message}`, { cause });
  }
};
