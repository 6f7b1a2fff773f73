import type { Block } from './block.ts';
import { runChecks } from './evaluate.ts';
import { LIMITS } from './limits.ts';
import { printCheck } from './print.ts';
import { factsOf, type TokenRequest } from './vocabulary.ts';

/**
 * `checks`: the token does not allow this request. `limit`: deciding takes more steps than it may, since the request offers so much.
 * `failed` says what failed, for people, and is never empty.
 */
export type Decision =
  | { readonly allowed: true }
  | {
      readonly allowed: false;
      readonly because: 'checks' | 'limit';
      readonly failed: readonly [string, ...string[]];
    };

/** Runs the checks of all blocks over the facts of the request and of the authority block, the only one that has any. */
export const decide = (blocks: readonly Block[], request: TokenRequest): Decision => {
  const facts = [...(blocks[0]?.facts ?? []), ...factsOf(request)];
  const outcome = runChecks(
    blocks.flatMap(({ checks }) => checks),
    facts,
    LIMITS.steps,
  );
  switch (outcome.kind) {
    case 'passed':
      return { allowed: true };
    case 'failed': {
      const [first, ...others] = outcome.checks;
      return { allowed: false, because: 'checks', failed: [printCheck(first), ...others.map(printCheck)] };
    }
    case 'broken':
      return { allowed: false, because: 'checks', failed: ['a check compares values of different kinds'] };
    case 'limit':
      return { allowed: false, because: 'limit', failed: [`the checks take more than ${LIMITS.steps} steps`] };
  }
};
