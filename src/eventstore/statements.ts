import { hash } from 'node:crypto';
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
type Folded = { readonly name: string; readonly text: string; readonly values: unknown[] };

/** Of any length, where Postgres keeps 63 characters of the name of a prepared statement and takes longer ones for equal. */
const statementName = (text: string): string => hash('sha256', text, 'hex').slice(0, 32);

/** Statements as common table expressions `f0`, `f1`, ..., in order, and what is selected from them. */
const fold = (parts: readonly Part[], select: string): Folded => {
  const values: unknown[] = [];
  const expressions = parts.map(({ statement, rows }, index) => {
    const sql = shiftParameters(statement.sql, values.length);
    values.push(...statement.parameters(rows));
    return `f${index} AS (${sql})`;
  });
  const text = `WITH ${expressions.join(',\n')}\n${select}`;
  return { name: statementName(text), text, values };
};

/** Equal sets of statements give equal texts, whatever order their rows came in: Postgres plans each set once. */
const inOrder = (parts: readonly Part[]): readonly Part[] =>
  parts.toSorted((a, b) => (a.statement.name < b.statement.name ? -1 : 1));

/** Folds statements that do not see each other's effects into one round trip. */
export const foldWrites = (parts: readonly Part[]): Folded => fold(inOrder(parts), 'SELECT 1');

/** The same for guards: one result of (`guard`, `key`, `stream_version`), `guard` being the index of the part. */
export const foldGuards = (parts: readonly Part[]): Folded =>
  fold(
    parts,
    parts.map((_, index) => `SELECT ${index} AS guard, key, stream_version FROM f${index}`).join(' UNION ALL '),
  );
