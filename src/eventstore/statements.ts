import type { BatchStatement } from './types.ts';

/** Postgres array literals for values that need no quoting (numbers, UUIDs, ISO instants): far cheaper than escaping. */
export const arrayLiteral = (values: readonly (string | number | bigint | null)[]): string =>
  `{${values.map((value) => value ?? 'NULL').join(',')}}`;

/** Texts without line breaks, for `string_to_array($n, E'\n')`: JSON needs no escaping this way. */
export const lines = (values: readonly string[]): string => values.join('\n');

/** Moves the parameters of a statement behind those of the statements before it. */
const shiftParameters = (sql: string, by: number): string =>
  by === 0 ? sql : sql.replace(/\$(\d+)/g, (_, number: string) => `$${Number(number) + by}`);

type Part = { readonly statement: BatchStatement<unknown>; readonly rows: readonly unknown[] };

/**
 * Folds statements that do not see each other's effects into one round trip, as common table expressions. The name is
 * equal for equal sets of statements, so that Postgres plans each set once per connection.
 */
export const foldWrites = (parts: readonly Part[]): { name: string; text: string; values: unknown[] } => {
  const values: unknown[] = [];
  const expressions = parts.map(({ statement, rows }, index) => {
    const sql = shiftParameters(statement.sql, values.length);
    values.push(...statement.parameters(rows));
    return `w${index} AS (${sql})`;
  });
  return {
    name: `writes ${parts.map(({ statement }) => statement.name).join(' ')}`,
    text: `WITH ${expressions.join(',\n')} SELECT 1`,
    values,
  };
};

/** The same for guards: one result of (`guard`, `key`, `stream_version`), `guard` being the index of the part. */
export const foldGuards = (parts: readonly Part[]): { name: string; text: string; values: unknown[] } => {
  const values: unknown[] = [];
  const expressions = parts.map(({ statement, rows }, index) => {
    const sql = shiftParameters(statement.sql, values.length);
    values.push(...statement.parameters(rows));
    return `g${index} AS (${sql})`;
  });
  const selects = parts.map((_, index) => `SELECT ${index} AS guard, key, stream_version FROM g${index}`);
  return {
    name: `guards ${parts.map(({ statement }) => statement.name).join(' ')}`,
    text: `WITH ${expressions.join(',\n')}\n${selects.join(' UNION ALL ')}`,
    values,
  };
};
