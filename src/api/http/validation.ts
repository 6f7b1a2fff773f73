import type { FastifySchemaCompiler } from 'fastify';
import { z } from 'zod';
import { Problem, type Validation } from '../problems.ts';

type Issue = {
  readonly path: readonly PropertyKey[];
  readonly code?: string | undefined;
  readonly message: string;
  readonly params?: unknown;
  readonly minimum?: unknown;
  readonly maximum?: unknown;
  readonly expected?: unknown;
  readonly format?: unknown;
};

/** What a schema's own checks know of the limit that was missed. */
const limitsOf = ({ minimum, maximum, expected, format }: Issue): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries({ min: minimum, max: maximum, expected, format }).filter(([, value]) => value !== undefined),
  );

const toValidation = (issues: readonly Issue[]): Validation => {
  const found: Record<string, { code: string; message: string; params: Record<string, unknown> }[]> = {};
  for (const issue of issues) {
    const { path, code = 'invalid', message } = issue;
    const { code: own, ...params } = (issue.params ?? {}) as { code?: string } & Record<string, unknown>;
    const field = path.length === 0 ? 'body' : path.map(String).join('.');
    found[field] = [
      ...(Object.hasOwn(found, field) ? (found[field] ?? []) : []),
      { code: own ?? code.replaceAll('_', '-'), message, params: own === undefined ? limitsOf(issue) : params },
    ];
  }
  return found;
};

/** Enough to see what is wrong; a thousand wrong entries need not be told one by one. */
const ISSUES_MAX = 100;

const describe = (validation: Validation): string =>
  Object.entries(validation)
    .slice(0, 5)
    .map(([field, [first]]) => `${field}: ${first?.message ?? 'is not valid'}`)
    .join('; ')
    .slice(0, 1_000);

const problemOf = (issues: readonly Issue[]): Problem => {
  const validation = toValidation(issues.slice(0, ISSUES_MAX));
  return new Problem('Validation', describe(validation), { validation });
};

/** The problem behind a schema's refusal, if that is what the error is. */
export const validationProblem = (error: unknown): Problem | undefined =>
  error instanceof z.ZodError ? problemOf(error.issues as unknown as Issue[]) : undefined;

/** Checks a value as routes do. */
export const validate = (schema: z.ZodType, value: unknown): { value: unknown } | { error: Error } => {
  const result = z.safeParse(schema, value);
  return result.success ? { value: result.data } : { error: problemOf(result.error.issues as unknown as Issue[]) };
};

/** Has Fastify check requests with the schemas of their routes. */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> =
  ({ schema }) =>
  (value) =>
    validate(schema, value);
