import type { FastifyInstance } from 'fastify';
import { BEARER, TAGS } from '../http/operation.ts';
import { PROBLEM_IDS, PROBLEMS, type ProblemId } from '../problems.ts';

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };
export type Schema = { readonly [key: string]: Json | undefined };
export type Parameter = {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: Schema;
};
type Content = Readonly<Record<string, { readonly schema?: Schema }>>;
export type Operation = {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly security: readonly unknown[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>;
};
/** As much of OpenAPI 3.1 as ours uses. */
export type OpenApi = {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly components: Readonly<Record<string, unknown>> & { readonly schemas?: Readonly<Record<string, Schema>> };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
};

export const openApiBase = (version: string) => ({
  openapi: {
    openapi: '3.1.0',
    info: {
      title: 'Posthorn',
      version,
      description:
        'Sends webhooks: an event comes in once, is matched against subscriptions, and is delivered signed, with retries, until it lands or is given up. Refusals are problem details (RFC 9457) with a stable `id`.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    components: {
      securitySchemes: {
        [BEARER]: {
          type: 'http' as const,
          scheme: 'bearer',
          description: 'The master key of the instance, or the secret of an application.',
        },
      },
    },
  },
});

/** What refusals each operation names as its own, gathered while the routes are registered. */
export const collectProblems = (app: FastifyInstance): ReadonlyMap<string, readonly ProblemId[]> => {
  const found = new Map<string, readonly ProblemId[]>();
  app.addHook('onRoute', ({ schema, config }) => {
    if (schema?.operationId !== undefined) found.set(schema.operationId, config?.problems ?? []);
  });
  return found;
};

/** What the generator says of an answer without a description. */
const UNDESCRIBED = 'Default Response';

const ANY: readonly ProblemId[] = ['MalformedRequest', 'RateLimited', 'InternalServerError', 'ServiceUnavailable'];
const WITH_TOKEN: readonly ProblemId[] = [
  'AuthNoAuthorizationHeader',
  'AuthInvalidAuthorizationHeader',
  'AuthInvalidApplicationSecret',
  'Forbidden',
];
const WITH_BODY: readonly ProblemId[] = ['JsonPayload', 'UnsupportedMediaType', 'Validation'];

/** The document with every refusal of every operation, by status. */
export const withProblems = (document: OpenApi, own: ReadonlyMap<string, readonly ProblemId[]>): OpenApi => ({
  ...document,
  components: { ...document.components, schemas: { ...document.components.schemas, Problem: PROBLEM_SCHEMA } },
  paths: Object.fromEntries(
    Object.entries(document.paths).map(([path, operations]) => [
      path,
      Object.fromEntries(
        Object.entries(operations).map(([method, operation]) => [
          method,
          {
            ...operation,
            ...(operation.requestBody ? { requestBody: body(operation.requestBody) } : {}),
            responses: { ...refusals(problemsOf(operation, own)), ...answers(operation.responses) },
          },
        ]),
      ),
    ]),
  ),
});

type Body = NonNullable<Operation['requestBody']>;

/** A body that may be null may be left out altogether. */
const body = ({ content }: Body): Body => {
  const alternatives = (content['application/json']?.schema?.anyOf ?? []) as readonly Schema[];
  return { required: !alternatives.some(({ type }) => type === 'null'), content };
};

const answers = (responses: Operation['responses']): Operation['responses'] =>
  Object.fromEntries(
    Object.entries(responses).map(([status, response]) => [
      status,
      response.description === UNDESCRIBED ? { ...response, description: 'The answer.' } : response,
    ]),
  );

const problemsOf = (
  { operationId, security, parameters = [], requestBody }: Operation,
  own: ReadonlyMap<string, readonly ProblemId[]>,
): Set<ProblemId> => {
  const problems = new Set<ProblemId>([...ANY, ...(own.get(operationId) ?? [])]);
  if (security.length > 0) for (const id of WITH_TOKEN) problems.add(id);
  if (requestBody) for (const id of WITH_BODY) problems.add(id);
  if (parameters.length > 0) problems.add('Validation');
  if (parameters.some((parameter) => parameter.in === 'path')) problems.add('NotFound');
  return problems;
};

const refusals = (problems: ReadonlySet<ProblemId>): Operation['responses'] => {
  const byStatus = Map.groupBy([...problems].sort(), (id) => PROBLEMS[id].status);
  return Object.fromEntries(
    [...byStatus].map(([status, ids]) => [
      String(status),
      {
        description: ids.map((id) => `\`${id}\`: ${PROBLEMS[id].title}`).join('\n\n'),
        content: {
          'application/problem+json': {
            schema: { allOf: [{ $ref: '#/components/schemas/Problem' }, { properties: { id: { enum: ids } } }] },
          },
        },
      },
    ]),
  );
};

const PROBLEM_SCHEMA: Schema = {
  type: 'object',
  description: 'RFC 9457 problem details. `id` is stable: match on it.',
  required: ['type', 'id', 'title', 'detail', 'status', 'validation'],
  properties: {
    type: { type: 'string', description: 'Where to read about it.' },
    id: { type: 'string', enum: PROBLEM_IDS },
    title: { type: 'string' },
    detail: { type: 'string', description: 'What happened, to which id, and what to do next.' },
    status: { type: 'integer' },
    request_id: { type: 'string', description: 'Names the request in the log of the service.' },
    validation: {
      description: 'What is wrong with each field, by its path.',
      anyOf: [
        { type: 'null' },
        {
          type: 'object',
          additionalProperties: {
            type: 'array',
            items: {
              type: 'object',
              required: ['code', 'params'],
              properties: { code: { type: 'string' }, message: { type: 'string' }, params: { type: 'object' } },
            },
          },
        },
      ],
    },
  },
};
