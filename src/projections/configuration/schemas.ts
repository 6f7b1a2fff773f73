import type { JsonSchema } from '../../domain/event-type/events.ts';
import { type Cut, cutArray, cutAt } from '../as-of/cut.ts';
import { listAsOf } from '../as-of/page.ts';
import { decodeCursor, type Page, type PageRequest, type Queryable, rowsToRead, toPage } from '../page.ts';

/** A version of the schema of an event type. It never changes, so that of the past is that of now. */
export type EventTypeSchemaRecord = {
  readonly applicationId: string;
  readonly name: string;
  readonly version: number;
  readonly schema: JsonSchema;
  /** Of its JSON text, hex. */
  readonly sha256: string;
  readonly createdAt: Date;
};

type Row = {
  application_id: string;
  name: string;
  version: number;
  schema: JsonSchema;
  sha256: string;
  created_at: Date;
};

const COLUMNS = `application_id, name, version, schema, encode(sha256, 'hex') AS sha256, created_at`;
const IS_THERE = (cut: string): string => `(${cut}::bigint[] IS NULL OR position <= ${cutAt(cut)})`;
const LIST_SCHEMAS = `
  SELECT ${COLUMNS} FROM event_type_schema
  WHERE application_id = $1 AND name = $2 AND ($3::integer IS NULL OR version < $3) AND ${IS_THERE('$4')}
  ORDER BY version DESC
  LIMIT $5`;
const FIND_SCHEMA = `
  SELECT ${COLUMNS} FROM event_type_schema
  WHERE application_id = $1 AND name = $2 AND version = $3 AND ${IS_THERE('$4')}`;

const FIND_SCHEMAS = `
  SELECT ${COLUMNS} FROM event_type_schema
  WHERE (application_id, name, version) IN (SELECT * FROM unnest($1::uuid[], $2::text[], $3::integer[]))`;

const toSchema = (row: Row): EventTypeSchemaRecord => ({
  applicationId: row.application_id,
  name: row.name,
  version: row.version,
  schema: row.schema,
  sha256: row.sha256,
  createdAt: row.created_at,
});

/** The versions of an event type's schema, newest first; with a cut, those that were there. Throws InvalidCursor. */
export const listEventTypeSchemas = async (
  db: Queryable,
  { applicationId, name }: { readonly applicationId: string; readonly name: string },
  { cursor, limit }: PageRequest,
  cut?: Cut,
): Promise<Page<EventTypeSchemaRecord>> => {
  const list = cut ? listAsOf(`schemas ${name}`, cut) : `schemas ${name}`;
  const after = decodeCursor(list, 'position', cursor);
  const values = [applicationId, name, after, cut ? cutArray(cut) : null, rowsToRead(limit)];
  const { rows } = await db.query<Row>(LIST_SCHEMAS, values);
  return toPage(list, rows.map(toSchema), { limit, keyOf: ({ version }) => version });
};

type Key = { readonly applicationId: string; readonly name: string; readonly version: number };

/** What versions are told apart by. */
export const schemaId = ({ applicationId, name, version }: Key): string => `${applicationId}/${name}/${version}`;

/** Several versions, by {@link schemaId}. */
export const findEventTypeSchemas = async (
  db: Queryable,
  keys: readonly Key[],
): Promise<Map<string, EventTypeSchemaRecord>> => {
  const { rows } = await db.query<Row>(FIND_SCHEMAS, [
    keys.map(({ applicationId }) => applicationId),
    keys.map(({ name }) => name),
    keys.map(({ version }) => version),
  ]);
  return new Map(rows.map((row) => [schemaId(toSchema(row)), toSchema(row)]));
};

/** One version; with a cut, if it was there. */
export const findEventTypeSchema = async (
  db: Queryable,
  { applicationId, name, version }: Key,
  cut?: Cut,
): Promise<EventTypeSchemaRecord | undefined> => {
  const { rows } = await db.query<Row>(FIND_SCHEMA, [applicationId, name, version, cut ? cutArray(cut) : null]);
  return rows[0] && toSchema(rows[0]);
};
