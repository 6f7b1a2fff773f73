import { initGraphQLTada } from 'gql.tada';
import type { introspection } from './graphql-env.d.ts';

/** Makes typed documents: what the schema does not have, does not compile. */
export const graphql = initGraphQLTada<{
  introspection: introspection;
  scalars: {
    DateTime: string;
    UUID: string;
    AsOf: string;
    StringMap: Record<string, string>;
    JSON: unknown;
  };
  disableMasking: true;
}>();

export type { ResultOf, VariablesOf } from 'gql.tada';
