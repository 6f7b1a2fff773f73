import type { Pool } from 'pg';
import { createSchemaCache, type SchemaCache } from '../../payload-schema/cache.ts';
import { findEventTypeSchema } from '../../projections/configuration/schemas.ts';

/** The schemas that were added, compiled when they are first needed. */
export const createStoredSchemas = (pool: Pool): SchemaCache =>
  createSchemaCache({
    load: async (key) => {
      const found = await findEventTypeSchema(pool, key);
      if (!found) throw new Error(`There is no version ${key.version} of the schema of ${key.name}.`);
      return found.schema;
    },
  });
