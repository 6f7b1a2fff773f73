import {
  type ArgumentNode,
  type DocumentNode,
  type FieldNode,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  getOperationAST,
  isListType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
  valueFromASTUntyped,
} from 'graphql';
import { PAGE_MAX } from '../../projections/page.ts';
import { within } from './limits.ts';

/** Objects of a list that has no size of its own, such as the attempts of a delivery. */
const LIST_SIZE = 10;
/** An object of the answer. */
const OBJECT = 1;
/** A list that is asked for with a size: it is read by a statement of its own, for each object that it is a list of. */
const LIST = 20;

/** What costs more than an object: rows that are looked at, bytes that are sent, commits. */
const COSTS: Readonly<Record<string, number>> = {
  totalCount: 50,
  counts: 200,
  quotas: 50,
  // Each of a hundred actions is decided by the checks of the token.
  may: 50,
  deadLetterGroups: 50,
  traffic: 50,
  previewSubscription: 100,
  previewReplay: 1_000,
  history: 5,
  auditTrail: 5,
  routing: 20,
  causation: 20,
  projections: 20,
  // Up to 512 KiB, and up to 64 KiB.
  payload: 200,
  response: 20,
  schema: 20,
  // Payloads of a week are read and evaluated, for up to 2 seconds.
  schemaCheck: 1_000,
  // Some 100 KiB of answer: one to a request.
  __schema: 5_001,
  __type: 500,
};
const MUTATION = 50;

type Variables = Readonly<Record<string, unknown>>;

/** The size that a page or a list is asked for; undefined for a field that takes none. */
const sizeOf = (
  field: GraphQLField<unknown, unknown>,
  given: readonly ArgumentNode[] | undefined,
  variables: Variables,
): number | undefined => {
  const argument = field.args.find(({ name }) => name === 'first' || name === 'last' || name === 'buckets');
  if (!argument) return undefined;
  const node = given?.find(({ name }) => name.value === argument.name);
  const value = node ? valueFromASTUntyped(node.value, variables) : undefined;
  const size = typeof value === 'number' ? value : argument.defaultValue;
  // Others are refused when they are executed.
  return typeof size === 'number' ? Math.min(2 * PAGE_MAX, Math.max(1, size)) : PAGE_MAX;
};

/** Variables that were not given take these. */
const defaultsOf = ({ variableDefinitions = [] }: OperationDefinitionNode): Variables =>
  Object.fromEntries(
    variableDefinitions.flatMap(({ variable, defaultValue }) =>
      defaultValue ? [[variable.name.value, valueFromASTUntyped(defaultValue)] as const] : [],
    ),
  );

/**
 * The static cost of an operation: a point for each object it can answer, lists multiplied by what they are asked for, and
 * more for what is dear. The document must be valid. Each fragment is added up once for each size of list it stands in.
 */
export const costOf = (
  schema: GraphQLSchema,
  document: DocumentNode,
  variables: Variables,
  operationName: string | undefined,
): number => {
  const operation = getOperationAST(document, operationName);
  const root = operation && schema.getRootType(operation.operation);
  if (!operation || !root) return 0;
  const values = { ...defaultsOf(operation), ...variables };
  const fragments = new Map(
    document.definitions.flatMap((definition) =>
      definition.kind === Kind.FRAGMENT_DEFINITION ? [[definition.name.value, definition] as const] : [],
    ),
  );
  const known = new Map<string, number>();

  const ofFragment = (name: string, listSize: number): number => {
    const key = `${name} ${listSize}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const fragment = fragments.get(name);
    const type = fragment && schema.getType(fragment.typeCondition.name.value);
    const cost = fragment && isObjectType(type) ? ofSet(fragment.selectionSet, type, listSize) : 0;
    known.set(key, cost);
    return cost;
  };

  const ofField = (node: FieldNode, parent: GraphQLObjectType, listSize: number): number => {
    const own = COSTS[node.name.value] ?? 0;
    const field = parent.getFields()[node.name.value];
    if (!field) return own; // `__typename` and introspection, whose own cost covers all below them.
    const isMutation = parent === schema.getMutationType();
    const type = getNamedType(field.type);
    const size = sizeOf(field, node.arguments, values);
    const list = size === undefined ? 0 : LIST;
    const inner =
      node.selectionSet && isObjectType(type) ? OBJECT + ofSet(node.selectionSet, type, size ?? LIST_SIZE) : 0;
    const times = isListType(getNullableType(field.type)) ? listSize : 1;
    return (isMutation ? MUTATION : 0) + own + list + times * inner;
  };

  const ofSet = ({ selections }: SelectionSetNode, parent: GraphQLObjectType, listSize: number): number => {
    let sum = 0;
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) sum += ofField(selection, parent, listSize);
      else if (selection.kind === Kind.INLINE_FRAGMENT) sum += ofSet(selection.selectionSet, parent, listSize);
      else sum += ofFragment(selection.name.value, listSize);
    }
    return sum;
  };

  return ofSet(operation.selectionSet, root, LIST_SIZE);
};

/** Throws GraphqlLimit for an operation that costs too much. */
export const checkCost = (...operation: Parameters<typeof costOf>): void => within('cost', costOf(...operation));
