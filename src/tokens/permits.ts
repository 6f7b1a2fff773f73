import type { Biscuit as Parsed } from '@biscuit-auth/biscuit-wasm';
import type { Block } from './block.ts';
import { AuthorizerBuilder } from './library.ts';
import { failedChecksOf, isExecutionError, isRunLimit } from './library-error.ts';
import { LIMITS } from './limits.ts';
import { isNarrow, queriesOf, stepsOf } from './steps.ts';
import { factsWith, isOfferable, offersOf, type Parameter, type TokenRequest } from './vocabulary.ts';

/**
 * `checks`: the token does not allow this request. `limit`: deciding would take, or took, too long; with a token that passed the
 * gate that is a request which offers too much, or a machine that stood still, so that trying again may help.
 */
export type Decision =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly because: 'checks' | 'limit'; readonly failed: readonly string[] };

const RUN_LIMITS = {
  max_facts: LIMITS.runFacts,
  max_iterations: LIMITS.runIterations,
};

/** Runs the checks of all blocks over the facts of the request. `parse` is asked only when they can be run. */
export const decide = (
  { blocks, parse, runMicroseconds }: { blocks: readonly Block[]; parse: () => Parsed; runMicroseconds: number },
  request: TokenRequest,
): Decision => {
  const offers = offersOf(request);
  const facts = factsWith(blocks[0]?.facts ?? [], offers);
  const queries = queriesOf(blocks);
  if (!isOfferable(offers) || !isNarrow(queries, facts) || stepsOf(queries, facts) > LIMITS.steps)
    return { allowed: false, because: 'limit', failed: [] };
  const parameters: Record<string, Parameter> = {};
  const source = offers.map(({ name, value }, index) => {
    parameters[`p${index}`] = value;
    return `${name}({p${index}});`;
  });
  const biscuit = parse();
  const builder = new AuthorizerBuilder();
  builder.addCodeWithParameters(`${source.join(' ')} allow if true;`, parameters, {});
  const authorizer = builder.buildAuthenticated(biscuit);
  try {
    authorizer.authorizeWithLimits({ ...RUN_LIMITS, max_time_micro: runMicroseconds });
    return { allowed: true };
  } catch (error) {
    if (isRunLimit(error)) return { allowed: false, because: 'limit', failed: [] };
    if (isExecutionError(error))
      return { allowed: false, because: 'checks', failed: ['a check compares values of different kinds'] };
    const failed = failedChecksOf(error);
    if (failed === undefined) throw error;
    return { allowed: false, because: 'checks', failed };
  } finally {
    authorizer.free();
  }
};
