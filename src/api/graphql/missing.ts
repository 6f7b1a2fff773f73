import { Problem } from '../problems.ts';
import type { Fields } from './schema.ts';

/** The answer to a field that nothing stands behind yet. */
export const missing = (field: string): Problem =>
  new Problem('NotImplemented', `${field} is described by the schema, but this release cannot answer it yet.`);

/** Fields of the contract without a backing, by type. */
const MISSING: Readonly<Record<string, readonly string[]>> = {};

export const missingFields: Fields = Object.fromEntries(
  Object.entries(MISSING).map(([type, fields]) => [
    type,
    Object.fromEntries(
      fields.map((field) => [
        field,
        () => {
          throw missing(`${type}.${field}`);
        },
      ]),
    ),
  ]),
);
