import type { FastifyError } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { Problem, type Validation } from '../problems.ts';

type Issue = {
  readonly path: readonly PropertyKey[];
  readonly code?: string;
  readonly message: string;
  readonly params?: unknown;
};

const toValidation = (issues: readonly Issue[]): Validation => {
  const found: Record<string, { code: string; message: string; params: Record<string, unknown> }[]> = {};
  for (const { path, code = 'invalid', message, params } of issues) {
    const { code: own, ...rest } = (params ?? {}) as { code?: string } & Record<string, unknown>;
    const field = path.length === 0 ? 'body' : path.map(String).join('.');
    found[field] = [...(found[field] ?? []), { code: own ?? code.replaceAll('_', '-'), message, params: rest }];
  }
  return found;
};

const describe = (validation: Validation): string =>
  Object.entries(validation)
    .slice(0, 5)
    .map(([field, [first]]) => `${field}: ${first?.message ?? 'is not valid'}`)
    .join('; ');

const problemOf = (issues: readonly Issue[]): Problem => {
  const validation = toValidation(issues);
  return new Problem('Validation', describe(validation), { validation });
};

/** The problem behind a schema's refusal of a request, if that is what the error is. */
export const validationProblem = (error: unknown): Problem | undefined => {
  if (error instanceof z.ZodError) return problemOf(error.issues as unknown as Issue[]);
  if (!hasZodFastifySchemaValidationErrors(error as FastifyError)) return undefined;
  const { validation = [] } = error as FastifyError;
  return problemOf(
    validation.map((finding) => {
      const { issue } = finding.params as { issue?: Issue };
      const path = finding.instancePath.split('/').slice(1);
      return issue ? { ...issue, path: issue.path ?? path } : { path, message: finding.message ?? 'is not valid' };
    }),
  );
};
