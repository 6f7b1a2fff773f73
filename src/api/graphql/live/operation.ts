import {
  buildASTSchema,
  type DocumentNode,
  execute,
  type FieldNode,
  GraphQLError,
  type GraphQLSchema,
  getArgumentValues,
  getOperationAST,
  getVariableValues,
  isObjectType,
  Kind,
  OperationTypeNode,
  parse,
  type SelectionNode,
  validate,
} from 'graphql';
import { decodePositions, type Positions } from '../../../live/cursor.ts';
import { inapplicable, type LiveFilter, type LiveKind } from '../../../live/topic.ts';
import { Problem } from '../../problems.ts';
import { logPosition } from '../position.ts';
import { SDL, withScalars } from '../sdl.ts';
import { countWritten } from '../shape.ts';

/** A subscription is small: one field, its arguments and what is wanted of an item. */
const DOCUMENT_LENGTH_MAX = 8_192;
const TOKENS_MAX = 500;
/** An alias has the same resolved and sent again, for each item of each batch. */
const ALIASES_MAX = 10;
const RENDERED_KINDS = ['requestAttempts', 'deliveries', 'events', 'deadLetters', 'traffic', 'domainEvents'] as const;

/** What an item has in another form than the schema says. */
const ITEM_TYPES = ['LiveRequestAttempt', 'LiveDelivery', 'LiveEvent', 'LiveDeadLetter', 'DomainEvent'];
const enumStatus = ({ status }: { readonly status: string }): string => status.toUpperCase();

const createLiveSchema = (): GraphQLSchema => {
  const schema = withScalars(buildASTSchema(parse(SDL)));
  for (const name of ITEM_TYPES) {
    const type = schema.getType(name);
    if (!isObjectType(type)) throw new Error(`schema.graphql has no type ${name}.`);
    const { position, status } = type.getFields();
    if (position) position.resolve = logPosition;
    if (status) status.resolve = enumStatus;
  }
  return schema;
};

/** What a client asked to watch. */
export type LiveOperation = {
  readonly kind: LiveKind;
  readonly applicationId: string | undefined;
  readonly filter: LiveFilter;
  readonly after: Positions | undefined;
  /** Equal for operations whose answers to equal batches are equal. */
  readonly answerKey: string;
  /** The result of the operation for a batch, as JSON. */
  readonly answer: (batch: unknown) => string;
};

export type LiveRequest = {
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly operationName: string | undefined;
};

const invalid = (message: string): Problem => new Problem('GraphqlValidation', message);

const documentOf = (schema: GraphQLSchema, query: string): DocumentNode => {
  if (query.length > DOCUMENT_LENGTH_MAX)
    throw new Problem('GraphqlLimit', `The operation has more than ${DOCUMENT_LENGTH_MAX} characters.`);
  let document: DocumentNode;
  try {
    document = parse(query, { maxTokens: TOKENS_MAX });
  } catch (error) {
    throw invalid(error instanceof GraphQLError ? error.message : 'The operation cannot be read.');
  }
  if (countWritten(document).aliases > ALIASES_MAX)
    throw new Problem('GraphqlLimit', `The operation has more than ${ALIASES_MAX} aliases.`);
  const [first] = validate(schema, document, undefined, { maxErrors: 1 });
  if (first) throw invalid(first.message);
  return document;
};

/** Through fragments, which validation has shown to end in exactly one field. */
const rootField = (document: DocumentNode, selections: readonly SelectionNode[]): FieldNode => {
  for (const selection of selections) {
    if (selection.kind === Kind.FIELD) return selection;
    const set =
      selection.kind === Kind.INLINE_FRAGMENT
        ? selection.selectionSet
        : document.definitions.find(
            (definition) =>
              definition.kind === Kind.FRAGMENT_DEFINITION && definition.name.value === selection.name.value,
          );
    const inner = set && ('selectionSet' in set ? set.selectionSet : set);
    if (inner && 'selections' in inner) return rootField(document, inner.selections);
  }
  throw invalid('The operation watches nothing.');
};

const lower = <T extends string>(values: readonly string[] | undefined): readonly T[] | undefined =>
  values?.map((value) => value.toLowerCase() as T);

/** Arguments as the schema has let them through. */
type Arguments = {
  readonly applicationId?: string | null;
  readonly after?: string | null;
  readonly subscriptionId?: string | null;
  readonly types?: readonly string[] | null;
  readonly streamId?: string | null;
  readonly filter?: {
    readonly subscriptionId?: string | null;
    readonly eventId?: string | null;
    readonly eventTypes?: readonly string[] | null;
    readonly attemptStatuses?: readonly string[] | null;
    readonly deliveryStatuses?: readonly string[] | null;
    readonly labels?: Readonly<Record<string, string>> | null;
  } | null;
};

const filterOf = (kind: LiveKind, { filter, subscriptionId, types, streamId }: Arguments): LiveFilter => {
  const made: LiveFilter = {
    subscriptionId: subscriptionId ?? filter?.subscriptionId ?? undefined,
    eventId: filter?.eventId ?? undefined,
    eventTypes: filter?.eventTypes ?? undefined,
    attemptStatuses: lower(filter?.attemptStatuses ?? undefined),
    deliveryStatuses: lower(filter?.deliveryStatuses ?? undefined),
    labels: filter?.labels ?? undefined,
    types: types ?? undefined,
    streamId: streamId ?? undefined,
  };
  const [wrong] = inapplicable({ kind, filter: made });
  if (wrong !== undefined) throw invalid(`The condition ${wrong} says nothing about ${kind}; leave it out.`);
  return made;
};

const afterOf = ({ after }: Arguments): Positions | undefined => {
  if (after === undefined || after === null) return undefined;
  const positions = decodePositions(after);
  if (!positions) throw invalid('`after` is not a position that a batch carried; leave it out to begin with now.');
  return positions;
};

/** Reads what clients ask to watch, and answers it; throws Problem. */
export const createLiveOperations = () => {
  const schema = createLiveSchema();
  const root = schema.getSubscriptionType();
  if (!root) throw new Error('schema.graphql names no subscription type.');

  return ({ query, variables, operationName }: LiveRequest): LiveOperation => {
    const document = documentOf(schema, query);
    const operation = getOperationAST(document, operationName);
    if (!operation) throw invalid('Name the operation that is meant with `operationName`.');
    if (operation.operation !== OperationTypeNode.SUBSCRIPTION)
      throw invalid('Only subscriptions are taken here; send queries and mutations with POST /graphql.');
    const coerced = getVariableValues(schema, operation.variableDefinitions ?? [], variables);
    if (coerced.errors) throw invalid(coerced.errors[0]?.message ?? 'The variables are not valid.');
    const node = rootField(document, operation.selectionSet.selections);
    const kind = RENDERED_KINDS.find((name) => name === node.name.value);
    const field = kind && root.getFields()[kind];
    if (!kind || !field) throw invalid(`${node.name.value} cannot be watched.`);
    const given = getArgumentValues(field, node, coerced.coerced) as Arguments;
    // Where one began changes nothing of what one gets from there on.
    const { after, ...others } = variables;
    const answering = typeof after === 'string' ? others : variables;
    return {
      kind,
      applicationId: given.applicationId ?? undefined,
      filter: filterOf(kind, given),
      after: afterOf(given),
      answerKey: JSON.stringify([query, operationName ?? null, answering]),
      answer: (batch) =>
        JSON.stringify(
          execute({ schema, document, operationName, variableValues: variables, rootValue: { [kind]: batch } }),
        ),
    };
  };
};

export type ReadLiveOperation = ReturnType<typeof createLiveOperations>;
