import {
  buildSchema,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  isLeafType,
  isNonNullType,
  isObjectType,
} from 'graphql';
import type { Ids } from './ids.ts';

type Arguments = (ids: Ids) => string;

const json = (value: unknown): string => JSON.stringify(value);
const application = ({ applicationId }: Ids): string => `applicationId: ${json(applicationId)}`;
const organization = ({ organizationId }: Ids): string => `organizationId: ${json(organizationId)}`;
const typeNamed = ({ eventType }: Ids): string => `name: ${json(eventType)}`;
const id =
  (of: keyof Ids, rest: (ids: Ids) => string = () => ''): Arguments =>
  (ids) =>
    `id: ${json(ids[of])} ${rest(ids)}`;
const settings = 'eventTypes: ["*"], isEnabled: false, target: { url: "https://example.org/" }';

/** What each field of the root types is asked with; undefined where it takes nothing that names a tenant. */
export const QUERIES: Readonly<Record<string, Arguments | undefined>> = {
  viewer: undefined,
  instance: undefined,
  organizations: undefined,
  organization: id('organizationId'),
  applications: (ids) => `${organization(ids)}, first: 2`,
  application: id('applicationId'),
};

export const MUTATIONS: Readonly<Record<string, Arguments>> = {
  inviteMember: (ids) => `${organization(ids)}, email: "nobody@example.com", role: "viewer"`,
  revokeInvitation: id('invitationId', organization),
  changeMemberRole: (ids) => `${organization(ids)}, userId: ${json(ids.userId)}, role: "viewer"`,
  removeMember: (ids) => `${organization(ids)}, userId: ${json(ids.userId)}`,
  createServiceToken: (ids) => `${organization(ids)}, name: "made by stranger"`,
  renameServiceToken: id('serviceTokenId', () => 'name: "renamed by stranger"'),
  revokeServiceToken: id('serviceTokenId'),
  revealServiceToken: id('serviceTokenId'),
  createOrganization: () => 'input: { name: "one too many" }',
  editOrganization: id('organizationId', () => 'name: "renamed by stranger"'),
  deleteOrganization: id('organizationId'),
  createApplication: (ids) => `input: { ${organization(ids)}, name: "made by stranger" }`,
  editApplication: id('applicationId', () => 'name: "renamed by stranger"'),
  deleteApplication: id('applicationId'),
  createApplicationSecret: (ids) => `${application(ids)}, name: "made by stranger"`,
  editApplicationSecret: id('secretId', (ids) => `${application(ids)}, name: "renamed by stranger"`),
  deleteApplicationSecret: id('secretId', application),
  createEventType: (ids) => `${application(ids)}, name: "made.by.stranger"`,
  deactivateEventType: (ids) => `${application(ids)}, ${typeNamed(ids)}`,
  addEventTypeSchema: (ids) => `${application(ids)}, ${typeNamed(ids)}, schema: {}`,
  activateEventTypeSchema: (ids) => `${application(ids)}, ${typeNamed(ids)}, version: 1`,
  deactivateEventTypeSchema: (ids) => `${application(ids)}, ${typeNamed(ids)}`,
  createSubscription: (ids) => `input: { ${application(ids)}, ${settings} }`,
  replaceSubscription: id('subscriptionId', (ids) => `input: { ${application(ids)}, ${settings} }`),
  setSubscriptionEnabled: id('subscriptionId', () => 'isEnabled: false'),
  deleteSubscription: id('subscriptionId'),
  rotateSubscriptionSecret: id('subscriptionId'),
  revealSubscription: id('subscriptionId'),
  sendEvent: (ids) => `input: { ${application(ids)}, eventType: ${json(ids.eventType)}, payload: "{}" }`,
  sendTestEvent: ({ subscriptionId }) => `subscriptionId: ${json(subscriptionId)}`,
  replayEvent: id('eventId', application),
  replayEvents: (ids) => `${application(ids)}, filter: {}, subscriptionId: ${json(ids.subscriptionId)}, expected: 1`,
  retryDelivery: id('deliveryId'),
  cancelDelivery: id('deliveryId'),
  replayDelivery: id('deliveryId'),
  replayDeadLetters: (ids) => `${application(ids)}, filter: { subscriptionId: ${json(ids.subscriptionId)} }`,
};

/** Viewers of a tenant are not refused these: they change nothing, and show no secret without the password. */
export const WATCHED: Readonly<Record<string, Arguments>> = {
  requestAttempts: application,
  deliveries: application,
  events: application,
  deadLetters: application,
  traffic: application,
  domainEvents: application,
};

export const schemaOf = (sdl: string): GraphQLSchema => buildSchema(sdl, { assumeValid: true });

/** Everything below a type that can be asked for without arguments, so far down. */
const selection = (type: GraphQLOutputType, depth: number): string => {
  const named = getNamedType(type);
  if (!isObjectType(named)) return '';
  const parts = Object.values(named.getFields()).flatMap((field) => {
    if (field.args.some((argument) => isNonNullType(argument.type) && argument.defaultValue === undefined)) return [];
    if (isLeafType(getNamedType(field.type))) return [field.name];
    return depth > 0
      ? [
          `${field.name}${field.args.some(({ name }) => name === 'first') ? '(first: 1)' : ''} ${selection(field.type, depth - 1)}`,
        ]
      : [];
  });
  return `{ __typename ${parts.join(' ')} }`;
};

/** A whole document for one field of a root type. */
export const documentFor = (
  schema: GraphQLSchema,
  root: 'Query' | 'Mutation' | 'Subscriptions',
  name: string,
  given: string,
  depth: number,
): string => {
  const type = schema.getType(root);
  const field = isObjectType(type) ? type.getFields()[name] : undefined;
  if (!field) throw new Error(`${root} has no field ${name}.`);
  const word = { Query: 'query', Mutation: 'mutation', Subscriptions: 'subscription' }[root];
  return `${word} { ${name}${given === '' ? '' : `(${given})`} ${selection(field.type, depth)} }`;
};

export const fieldsOf = (schema: GraphQLSchema, root: 'Query' | 'Mutation' | 'Subscriptions'): string[] => {
  const type = schema.getType(root);
  return isObjectType(type) ? Object.keys(type.getFields()) : [];
};
