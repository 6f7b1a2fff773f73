import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify';
import type { FormattedExecutionResult } from 'graphql';
import mercurius from 'mercurius';
import { z } from 'zod';
import { requireToken } from '../auth/authenticate.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../problems.ts';
import { createContext } from './context.ts';
import { formatErrors, refusedRequest } from './errors.ts';
import { createSchema } from './schema.ts';

/** Parsed and validated queries that are kept: a dashboard has some dozens, and a hostile one takes a megabyte. */
const CACHED_QUERIES = 100;
const TOKENS_MAX = 2_000;
const JSON_TYPE = 'application/json; charset=utf-8';
/** https://graphql.github.io/graphql-over-http: with this one a refused operation has a status of its own. */
const RESPONSE_TYPE = 'application/graphql-response+json; charset=utf-8';

const Operation = z.object({
  query: z.string(),
  variables: z.record(z.string(), z.unknown()).nullish(),
  operationName: z.string().nullish(),
});

const operationOf = ({ body }: FastifyRequest): z.output<typeof Operation> => {
  if (Array.isArray(body))
    throw new Problem('GraphqlValidation', 'Operations are not taken in batches; send one operation per request.');
  const result = Operation.safeParse(body);
  if (!result.success)
    throw new Problem(
      'GraphqlValidation',
      'Send an object with `query` and, as needed, `variables` and `operationName`.',
    );
  return result.data;
};

/** `POST /graphql`: queries and mutations, for whom has a token. */
export const graphqlRoutes =
  (deps: ApiDeps): FastifyPluginAsync =>
  async (app: FastifyInstance) => {
    await app.register(mercurius, {
      schema: createSchema({}),
      routes: false,
      cache: CACHED_QUERIES,
      graphql: { parseOptions: { maxTokens: TOKENS_MAX } },
      errorFormatter: ({ data, errors }, context) => ({
        statusCode: 200,
        response: { data: data ?? null, errors: formatErrors(errors, context.reply.request) },
      }),
    });
    requireToken(app, deps.authenticate);

    app.post('/graphql', async (request, reply) => {
      const isModern = request.headers.accept?.includes('application/graphql-response+json') === true;
      const send = (status: number, result: FormattedExecutionResult) =>
        reply
          .code(status)
          .header('content-type', isModern ? RESPONSE_TYPE : JSON_TYPE)
          .send(JSON.stringify(result));
      try {
        const { query, variables, operationName } = operationOf(request);
        const context = createContext(deps, request);
        const result = await reply.graphql(query, { ...context }, variables ?? {}, operationName ?? undefined);
        return send(200, result as FormattedExecutionResult);
      } catch (error) {
        const refused = refusedRequest(error, request);
        if (!refused) throw error;
        return send(isModern ? 400 : 200, refused);
      }
    });
  };
