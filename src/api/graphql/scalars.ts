import { GraphQLError, type ValueNode, valueFromASTUntyped } from 'graphql';
import { z } from 'zod';
import { instant } from '../http/inputs.ts';
import { uuid } from '../http/strings.ts';

/** How a scalar reads what clients send and writes what they get. */
type Scalar = {
  readonly serialize: (value: unknown) => unknown;
  readonly parseValue: (value: unknown) => unknown;
  readonly parseLiteral: (node: ValueNode, variables?: Record<string, unknown> | null) => unknown;
};

const scalar = <T>(
  read: (value: unknown) => T | undefined,
  expected: string,
  serialize: (value: unknown) => unknown,
): Scalar => {
  const parseValue = (value: unknown): T => {
    const found = read(value);
    if (found === undefined) throw new GraphQLError(`Expected ${expected}.`);
    return found;
  };
  return {
    serialize,
    parseValue,
    parseLiteral: (node, variables) => parseValue(valueFromASTUntyped(node, variables)),
  };
};

const asIs = (value: unknown): unknown => value;

const read =
  <T>(schema: z.ZodType<T>) =>
  (value: unknown): T | undefined => {
    const result = schema.safeParse(value);
    return result.success ? result.data : undefined;
  };

/** Postgres knows no year 0. */
const INSTANT_MIN = Date.parse('0001-01-01T00:00:00Z');
const Instant = instant().transform((text, context) => {
  const at = new Date(text);
  if (at.getTime() >= INSTANT_MIN) return at;
  context.addIssue({ code: 'custom', message: 'must be of year 1 or later' });
  return z.NEVER;
});
const POSITION = /^\d{1,4}:\d{1,15}$/;
/** Either form as it was written; whoever asks with it looks it up. */
const AsOf = z.union([z.string().regex(POSITION), instant()]);

export const SCALARS: Readonly<Record<string, Scalar>> = {
  DateTime: scalar(read(Instant), 'an instant in RFC 3339, such as "2026-03-01T14:02:11.250Z"', (value) =>
    value instanceof Date ? value.toISOString() : value,
  ),
  UUID: scalar(read(uuid()), 'a UUID', asIs),
  AsOf: scalar(read(AsOf), 'an instant in RFC 3339, or a position such as "3:1207"', asIs),
  StringMap: scalar(read(z.record(z.string(), z.string())), 'an object whose values are strings', asIs),
  JSON: scalar((value) => value, 'a JSON value', asIs),
};
