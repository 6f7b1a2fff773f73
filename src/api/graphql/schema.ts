import {
  buildASTSchema,
  type DocumentNode,
  type GraphQLFieldResolver,
  type GraphQLSchema,
  isObjectType,
  Kind,
  parse,
} from 'graphql';
import { applicationFields } from './application.ts';
import { connectionFields } from './connection.ts';
import type { Context } from './context.ts';
import { deadLetterFields } from './dead-letter.ts';
import { deliveryFields } from './delivery.ts';
import { eventFields } from './event.ts';
import { eventTypeFields } from './event-type.ts';
import { historyFields } from './history.ts';
import { identityFields } from './identity.ts';
import { instanceFields } from './instance.ts';
import { organizationFields } from './organization.ts';
import { oversightFields } from './oversight.ts';
import { previewFields } from './preview.ts';
import { requestAttemptFields } from './request-attempt.ts';
import { SDL, withScalars } from './sdl.ts';
import { subscriptionFields } from './subscription.ts';
import { trafficFields } from './traffic.ts';

/** Answers one field. Which source it has follows from where it stands, and its arguments from the schema. */
export type Resolver = (source: never, args: never, context: Context) => unknown;
/** Resolvers by type and field; a field without one is the property of its name. */
export type Fields = Readonly<Record<string, Readonly<Record<string, Resolver>>>>;

const FIELDS: readonly Fields[] = [
  connectionFields,
  instanceFields,
  organizationFields,
  identityFields,
  oversightFields,
  applicationFields,
  previewFields,
  eventFields,
  eventTypeFields,
  deliveryFields,
  requestAttemptFields,
  deadLetterFields,
  subscriptionFields,
  trafficFields,
  historyFields,
];

/** The root type of what is watched: it is served over a socket of its own, not with queries and mutations. */
const WATCHED = 'Subscriptions';

/** The part of the contract that is served over HTTP. */
const servedDocument = (): DocumentNode => {
  const { definitions, ...document } = parse(SDL);
  return {
    ...document,
    definitions: definitions
      .filter((definition) => !(definition.kind === Kind.OBJECT_TYPE_DEFINITION && definition.name.value === WATCHED))
      .map((definition) =>
        definition.kind === Kind.SCHEMA_DEFINITION
          ? {
              ...definition,
              operationTypes: definition.operationTypes.filter(({ type }) => type.name.value !== WATCHED),
            }
          : definition,
      ),
  };
};

const fieldOf = (schema: GraphQLSchema, typeName: string, fieldName: string) => {
  const type = schema.getType(typeName);
  const field = isObjectType(type) ? type.getFields()[fieldName] : undefined;
  if (!field) throw new Error(`schema.graphql has no field ${typeName}.${fieldName}.`);
  return field;
};

/** The schema with its resolvers, and with those of commands, which need a server to run in. */
export const createSchema = (mutations: Fields): GraphQLSchema => {
  const schema = withScalars(buildASTSchema(servedDocument()));
  for (const fields of [...FIELDS, mutations])
    for (const [typeName, resolvers] of Object.entries(fields))
      for (const [fieldName, resolve] of Object.entries(resolvers)) {
        const field = fieldOf(schema, typeName, fieldName);
        if (field.resolve) throw new Error(`${typeName}.${fieldName} has two resolvers.`);
        // Each is written for the source and the arguments that its place in the schema gives it.
        field.resolve = resolve as unknown as GraphQLFieldResolver<unknown, Context>;
      }
  return schema;
};
