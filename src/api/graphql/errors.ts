import type { FastifyRequest } from 'fastify';
import { type FormattedExecutionResult, GraphQLError, type GraphQLFormattedError } from 'graphql';
import { toProblem } from '../http/errors.ts';
import { Problem, problemDocument } from '../problems.ts';

/** One error as clients get it: `extensions` is the document that REST would have answered. */
const formatted = (problem: Problem, requestId: string, error?: GraphQLError): GraphQLFormattedError => ({
  message: problem.message,
  ...(error?.locations ? { locations: error.locations } : {}),
  ...(error?.path ? { path: error.path } : {}),
  extensions: { ...problemDocument(problem, requestId) },
});

const TOO_MANY_TOKENS = /more tha[nt] (\d+) tokens/;

/** What graphql itself refuses before anything is executed: its message says what is wrong and where. */
const refusalOf = ({ message }: GraphQLError): Problem => {
  const tokens = TOO_MANY_TOKENS.exec(message)?.[1];
  return tokens === undefined
    ? new Problem('GraphqlValidation', message)
    : new Problem('GraphqlLimit', `The query has more than ${tokens} tokens.`);
};

/** The errors of an execution. What nobody expected is logged, and gives nothing away. */
export const formatErrors = (
  errors: readonly GraphQLError[],
  request: FastifyRequest,
): readonly GraphQLFormattedError[] =>
  errors.map((error) => {
    const problem = toProblem(error.originalError ?? error);
    if (problem.status >= 500)
      request.log.error(
        { err: problem.cause ?? error, problem: problem.id, path: error.path },
        'a GraphQL field failed',
      );
    return formatted(problem, String(request.id), error);
  });

/** The answer to an operation that was refused before it was executed; undefined when `thrown` is no such refusal. */
export const refusedRequest = (thrown: unknown, request: FastifyRequest): FormattedExecutionResult | undefined => {
  const requestId = String(request.id);
  if (thrown instanceof Problem) return { errors: [formatted(thrown, requestId)] };
  const { errors } = thrown as { errors?: unknown };
  if (!Array.isArray(errors) || !errors.every((error) => error instanceof GraphQLError)) return undefined;
  return { errors: errors.map((error: GraphQLError) => formatted(refusalOf(error), requestId, error)) };
};
