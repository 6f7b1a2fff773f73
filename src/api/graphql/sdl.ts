import { readFileSync } from 'node:fs';
import { type GraphQLSchema, isScalarType } from 'graphql';
import { SCALARS } from './scalars.ts';

/** The whole contract, with what is served over HTTP and what is watched. */
export const SDL = readFileSync(new URL('./schema.graphql', import.meta.url), 'utf8');

/** The schema given, whose scalars read and write from now on as ours do. */
export const withScalars = (schema: GraphQLSchema): GraphQLSchema => {
  for (const [name, scalar] of Object.entries(SCALARS)) {
    const type = schema.getType(name);
    if (!isScalarType(type)) throw new Error(`schema.graphql has no scalar ${name}.`);
    Object.assign(type, scalar);
  }
  return schema;
};
