import type { OpenApi, Schema } from './openapi.ts';

/** One line of a table: a field of an object, with the path that leads to it. */
export type Field = {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly description: string;
};

const DEPTH_MAX = 6;

type Named = { readonly name: string; readonly required: boolean; readonly description?: string };

/** The fields of a schema, those within each other one below the other, with dotted names. */
export const fieldsOf = (
  given: Schema,
  document: OpenApi,
  { name, required, description }: Named = { name: '', required: true },
  depth = 0,
): Field[] => {
  const schema = resolve(given, document);
  const own: Field[] =
    name === ''
      ? []
      : [{ name, type: typeOf(schema), required, description: description ?? String(schema.description ?? '') }];
  if (depth >= DEPTH_MAX) return own;
  const inner = [schema, ...alternativesOf(schema)].flatMap((part) => innerFields(part, document, name, depth + 1));
  return [...own, ...inner];
};

const innerFields = (schema: Schema, document: OpenApi, name: string, depth: number): Field[] => {
  const { properties, items, required } = schema as {
    properties?: Record<string, Schema>;
    items?: Schema;
    required?: readonly string[];
  };
  if (items) return fieldsOf(items, document, { name: `${name}[]`, required: true }, depth);
  return Object.entries(properties ?? {}).flatMap(([key, property]) =>
    fieldsOf(
      property,
      document,
      { name: name === '' ? key : `${name}.${key}`, required: required?.includes(key) ?? false },
      depth,
    ),
  );
};

const resolve = (schema: Schema, document: OpenApi): Schema => {
  const target = typeof schema.$ref === 'string' ? schema.$ref.split('/').at(-1) : undefined;
  return (target === undefined ? undefined : document.components.schemas?.[target]) ?? schema;
};

const alternativesOf = ({ anyOf, oneOf }: Schema): readonly Schema[] => (anyOf ?? oneOf ?? []) as unknown as Schema[];

const typeOf = (schema: Schema): string => {
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => JSON.stringify(value)).join(', ');
  if ('const' in schema) return JSON.stringify(schema.const);
  const alternatives = alternativesOf(schema);
  if (alternatives.length > 0) return [...new Set(alternatives.map(typeOf))].join(' or ');
  const type = [schema.type ?? 'any'].flat().join(' or ');
  return schema.format === undefined ? type : `${type} (${String(schema.format)})`;
};
