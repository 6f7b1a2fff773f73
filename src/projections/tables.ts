import { type Client, escapeIdentifier } from 'pg';

const LIVE = 'public';

/** Columns, constraints and indexes of a table as text, without the schema it is in. */
const SHAPE = `
  SELECT concat_ws(E'\\n',
    (SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated,
                                 pg_get_expr(d.adbin, d.adrelid)), E'\\n' ORDER BY attnum)
     FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped),
    (SELECT string_agg(conname || ' ' || pg_get_constraintdef(oid), E'\\n' ORDER BY conname)
     FROM pg_constraint WHERE conrelid = $1::regclass AND contype IN ('p', 'u', 'x', 'c')),
    (SELECT string_agg(replace(pg_get_indexdef(indexrelid), $2 || '.', ''), E'\\n' ORDER BY indexrelid::regclass::text)
     FROM pg_index WHERE indrelid = $1::regclass),
    (SELECT array_to_string(reloptions, ',') FROM pg_class WHERE oid = $1::regclass)) AS shape`;
const FIND_CONSTRAINTS = `
  SELECT conname AS name, pg_get_constraintdef(oid) AS definition
  FROM pg_constraint WHERE conrelid = $1::regclass AND contype IN ('p', 'u', 'x')`;
const FIND_INDEXES = `
  SELECT c.relname AS name, pg_get_indexdef(i.indexrelid) AS definition
  FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
  WHERE i.indrelid = $1::regclass AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid)`;
const FIND_OPTIONS = 'SELECT unnest(reloptions) AS option FROM pg_class WHERE oid = $1::regclass';
const FIND_GRANTS = `
  SELECT DISTINCT pg_get_userbyid(g.grantee) AS grantee, g.privilege_type AS privilege
  FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS g
  WHERE c.oid = $1::regclass AND g.grantee <> c.relowner AND g.grantee <> 0`;

const FIND_POLICIES = `
  SELECT policyname AS name, permissive, roles::text[] AS roles, cmd AS command, qual AS sees, with_check AS writes
  FROM pg_policies WHERE schemaname = $1 AND tablename = $2`;
const IS_WALLED = 'SELECT relrowsecurity AS walled FROM pg_class WHERE oid = $1::regclass';

const inSchema =
  (schema: string) =>
  (name: string): string =>
    `${escapeIdentifier(schema)}.${escapeIdentifier(name)}`;

export const liveTable = inSchema(LIVE);

/** Temporary copies, empty: without a trace in the WAL, and gone with the session, however it ends. */
export const makeTemporaryTables = async (
  client: Client,
  tables: readonly string[],
): Promise<(name: string) => string> => {
  for (const name of tables)
    await client.query(`CREATE TEMPORARY TABLE ${escapeIdentifier(name)} (LIKE ${liveTable(name)} INCLUDING ALL)`);
  return inSchema('pg_temp');
};

/** Empty copies in a schema of their own, alike down to the names of their indexes, which a later migration may spell. */
export const makeTables = async (client: Client, schema: string, tables: readonly string[]): Promise<void> => {
  const copyOf = inSchema(schema);
  await client.query(`DROP SCHEMA IF EXISTS ${escapeIdentifier(schema)} CASCADE`);
  await client.query(`CREATE SCHEMA ${escapeIdentifier(schema)}`);
  for (const name of tables) {
    const live = [liveTable(name)];
    await client.query(`CREATE TABLE ${copyOf(name)} (LIKE ${liveTable(name)} INCLUDING ALL EXCLUDING INDEXES)`);
    const constraints = await client.query<{ name: string; definition: string }>(FIND_CONSTRAINTS, live);
    for (const { name: constraint, definition } of constraints.rows)
      await client.query(`ALTER TABLE ${copyOf(name)} ADD CONSTRAINT ${escapeIdentifier(constraint)} ${definition}`);
    const indexes = await client.query<{ name: string; definition: string }>(FIND_INDEXES, live);
    for (const { definition } of indexes.rows)
      await client.query(definition.replace(` ON ${LIVE}.`, ` ON ${escapeIdentifier(schema)}.`));
    const options = await client.query<{ option: string }>(FIND_OPTIONS, live);
    if (options.rows.length > 0)
      await client.query(`ALTER TABLE ${copyOf(name)} SET (${options.rows.map(({ option }) => option).join(', ')})`);
  }
};

/** True when the schema has copies of just these tables, as a migration may have changed them since. */
export const hasTables = async (client: Client, schema: string, tables: readonly string[]): Promise<boolean> => {
  for (const name of tables) {
    const copy = inSchema(schema)(name);
    const { rows } = await client.query<{ exists: boolean }>('SELECT to_regclass($1) IS NOT NULL AS exists', [copy]);
    if (rows[0]?.exists !== true) return false;
    if ((await shapeOf(client, copy, schema)) !== (await shapeOf(client, liveTable(name), LIVE))) return false;
  }
  return true;
};

const shapeOf = async (client: Client, table: string, schema: string): Promise<string | undefined> => {
  const { rows } = await client.query<{ shape: string }>(SHAPE, [table, schema]);
  return rows[0]?.shape;
};

type Policy = {
  readonly name: string;
  readonly permissive: string;
  readonly roles: readonly string[];
  readonly command: string;
  readonly sees: string | null;
  readonly writes: string | null;
};

/** The statements that put a table's row-level security upon another of the same name. */
const wallOf = async (client: Client, name: string): Promise<readonly string[]> => {
  const { rows: policies } = await client.query<Policy>(FIND_POLICIES, [LIVE, name]);
  const { rows } = await client.query<{ walled: boolean }>(IS_WALLED, [liveTable(name)]);
  return [
    ...(rows[0]?.walled === true ? [`ALTER TABLE ${liveTable(name)} ENABLE ROW LEVEL SECURITY`] : []),
    ...policies.map(
      (policy) =>
        `CREATE POLICY ${escapeIdentifier(policy.name)} ON ${liveTable(name)} AS ${policy.permissive} FOR ${policy.command} ` +
        `TO ${policy.roles.map((role) => (role === 'public' ? 'PUBLIC' : escapeIdentifier(role))).join(', ')}` +
        (policy.sees === null ? '' : ` USING (${policy.sees})`) +
        (policy.writes === null ? '' : ` WITH CHECK (${policy.writes})`),
    ),
  ];
};

/** Puts the copies in the place of the live tables, with their grants and policies; for a short transaction of the caller's. */
export const swapTables = async (client: Client, schema: string, tables: readonly string[]): Promise<void> => {
  for (const name of tables) {
    const grants = await client.query<{ grantee: string; privilege: string }>(FIND_GRANTS, [liveTable(name)]);
    const wall = await wallOf(client, name);
    await client.query(`DROP TABLE ${liveTable(name)}`);
    await client.query(`ALTER TABLE ${inSchema(schema)(name)} SET SCHEMA ${LIVE}`);
    for (const statement of wall) await client.query(statement); // Before anybody may read it.
    for (const { grantee, privilege } of grants.rows)
      await client.query(`GRANT ${privilege} ON ${liveTable(name)} TO ${escapeIdentifier(grantee)}`);
  }
  await client.query(`DROP SCHEMA ${escapeIdentifier(schema)}`);
};

export const tablesIn = inSchema;
