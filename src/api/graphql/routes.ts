import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify';
import {
  type DocumentNode,
  type FormattedExecutionResult,
  type GraphQLSchema,
  getOperationAST,
  Location,
} from 'graphql';
import mercurius from 'mercurius';
import { z } from 'zod';
import { queryOnBehalf, requireToken } from '../auth/authenticate.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../problems.ts';
import { limitPrincipals } from '../rate-limit/guard.ts';
import { createContext } from './context.ts';
import { checkCost } from './cost.ts';
import { formatErrors, refusedRequest } from './errors.ts';
import { checkVariables, LIMITS, within } from './limits.ts';
import { mutationFields } from './mutations/index.ts';
import type { CallRest } from './rest.ts';
import { createSchema } from './schema.ts';
import { checkShape } from './shape.ts';

/** Parsed and validated queries that are kept: a dashboard has some dozens, and a hostile one takes a megabyte. */
const CACHED_QUERIES = 100;
const JSON_TYPE = 'application/json; charset=utf-8';
/** https://graphql.github.io/graphql-over-http: with this one a refused operation has a status of its own. */
const RESPONSE_TYPE = 'application/graphql-response+json; charset=utf-8';

const Operation = z.object({
  query: z.string(),
  variables: z.record(z.string(), z.unknown()).nullish(),
  operationName: z.string().nullish(),
});

/** What the client asks for, within the limits that need no parsing. */
type Asked = {
  readonly query: string;
  readonly variables: Record<string, unknown>;
  readonly operationName: string | undefined;
};

declare module 'mercurius' {
  interface MercuriusContext {
    readonly operation: Asked;
  }
}

const operationOf = ({ body }: FastifyRequest): Asked => {
  if (Array.isArray(body))
    throw new Problem('GraphqlValidation', 'Operations are not taken in batches; send one operation per request.');
  const result = Operation.safeParse(body);
  if (!result.success)
    throw new Problem(
      'GraphqlValidation',
      'Send an object with `query` and, as needed, `variables` and `operationName`.',
    );
  const { query, variables, operationName } = result.data;
  within('documentBytes', Buffer.byteLength(query));
  checkVariables(variables ?? {});
  return { query, variables: variables ?? {}, operationName: operationName ?? undefined };
};

/** mercurius also takes a document that was parsed by the client, whose tokens nobody has counted. */
const requireParsed = (document: DocumentNode): void => {
  if (!(document?.loc instanceof Location)) throw new Problem('GraphqlValidation', 'The query is not GraphQL.');
};

/** Bounds what is executed: the shape before validation compares all fields, the cost before the first is resolved. */
const limitOperations = (app: FastifyInstance): void => {
  app.graphql.addHook('preValidation', async (_schema: GraphQLSchema, document: DocumentNode) => {
    requireParsed(document);
    checkShape(document);
  });
  app.graphql.addHook('preExecution', async (schema, document, { operation }) => {
    if (getOperationAST(document, operation.operationName)?.operation === 'subscription')
      throw new Problem('GraphqlValidation', 'What is watched is served over a WebSocket, not over HTTP.');
    checkCost(schema, document, operation.variables, operation.operationName);
  });
};

/** `POST /graphql`: queries and mutations, for whom has a token. */
export const graphqlRoutes =
  (deps: ApiDeps, rest: CallRest): FastifyPluginAsync =>
  async (app: FastifyInstance) => {
    await app.register(mercurius, {
      schema: createSchema(mutationFields(rest)),
      routes: false,
      cache: CACHED_QUERIES,
      graphql: { parseOptions: { maxTokens: LIMITS.tokens } },
      errorFormatter: ({ data, errors }, context) => ({
        statusCode: 200,
        response: { data: data ?? null, errors: formatErrors(errors, context.reply.request) },
      }),
    });
    limitOperations(app);
    requireToken(app, deps.authenticate);
    queryOnBehalf(app, deps.tenantView);
    limitPrincipals(app, deps.rateGuard, () => false);

    app.post('/graphql', async (request, reply) => {
      const isModern = request.headers.accept?.includes('application/graphql-response+json') === true;
      const send = (status: number, result: FormattedExecutionResult) =>
        reply
          .code(status)
          .header('content-type', isModern ? RESPONSE_TYPE : JSON_TYPE)
          .send(JSON.stringify(result));
      try {
        const operation = operationOf(request);
        const context = { ...createContext(deps, request), operation };
        const result = await reply.graphql(operation.query, context, operation.variables, operation.operationName);
        return send(200, result as FormattedExecutionResult);
      } catch (error) {
        const refused = refusedRequest(error, request);
        if (!refused) throw error;
        return send(isModern ? 400 : 200, refused);
      }
    });
  };
