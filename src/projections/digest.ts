import type { ClientBase } from 'pg';

/** A table's rows whatever their order: how many, and two sums of their hashes. Equal rows give equal digests. */
export type TableDigest = { readonly table: string; readonly rows: number; readonly sums: string };

/**
 * Sums of 64-bit hashes need neither a sort nor memory. Two seeds, so that rows which cancel each other out under one do
 * not under the other; it finds faults, not forgeries: those are the log's to find.
 */
const digestOf = (table: string): string => `
  SELECT count(*)::float8 AS rows,
         coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) || ':' || coalesce(sum(hashtextextended(t::text, 1)::numeric), 0) AS sums
  FROM ${table} AS t`;

/** The digests of a projection's tables, or of copies of them. The session's time zone must always be the same. */
export const digest = async (
  client: Pick<ClientBase, 'query'>,
  { tables }: { readonly tables: readonly string[] },
  table: (name: string) => string = (name) => name,
): Promise<TableDigest[]> => {
  const digests: TableDigest[] = [];
  for (const name of tables) {
    const { rows } = await client.query<{ rows: number; sums: string }>(digestOf(table(name)));
    const [row] = rows;
    if (!row) throw new Error(`No digest came back for table ${name}.`);
    digests.push({ table: name, rows: row.rows, sums: row.sums });
  }
  return digests;
};

export const sameDigests = (a: readonly TableDigest[], b: readonly TableDigest[]): boolean =>
  a.length === b.length && a.every(({ rows, sums }, index) => rows === b[index]?.rows && sums === b[index]?.sums);
