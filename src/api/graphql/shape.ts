import { type DocumentNode, type FragmentDefinitionNode, Kind, type SelectionSetNode } from 'graphql';
import { within } from './limits.ts';

const INTROSPECTION: ReadonlySet<string> = new Set(['__schema', '__type']);

/** What is counted of a set of fields, with the fragments it spreads. */
type Shape = { readonly depth: number; readonly introspectionDepth: number; readonly rootFields: number };

const NOTHING: Shape = { depth: 0, introspectionDepth: 0, rootFields: 0 };

/** Each fragment is measured once, whoever spreads it; one that spreads itself is left to the validation, which refuses it. */
const measurer = (fragments: ReadonlyMap<string, FragmentDefinitionNode>) => {
  const known = new Map<string, Shape>();

  const fragment = (name: string): Shape => {
    const before = known.get(name);
    if (before) return before;
    known.set(name, NOTHING);
    const found = fragments.get(name);
    const shape = found ? measure(found.selectionSet) : NOTHING;
    known.set(name, shape);
    return shape;
  };

  const measure = ({ selections }: SelectionSetNode): Shape => {
    let { depth, introspectionDepth, rootFields } = NOTHING;
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        const inner = selection.selectionSet ? measure(selection.selectionSet) : NOTHING;
        const isIntrospection = INTROSPECTION.has(selection.name.value);
        depth = Math.max(depth, isIntrospection ? 1 : 1 + inner.depth);
        introspectionDepth = Math.max(introspectionDepth, isIntrospection ? 1 + inner.depth : inner.introspectionDepth);
        rootFields += 1;
      } else {
        const inner =
          selection.kind === Kind.FRAGMENT_SPREAD ? fragment(selection.name.value) : measure(selection.selectionSet);
        depth = Math.max(depth, inner.depth);
        introspectionDepth = Math.max(introspectionDepth, inner.introspectionDepth);
        rootFields += inner.rootFields;
      }
    }
    return { depth, introspectionDepth, rootFields };
  };
  return measure;
};

/** Fields and aliases as they are written, in operations and fragments alike. */
export const countWritten = (document: DocumentNode): { fields: number; aliases: number } => {
  let [fields, aliases] = [0, 0];
  const open = document.definitions.flatMap((definition) =>
    'selectionSet' in definition ? [definition.selectionSet] : [],
  );
  for (let set = open.pop(); set !== undefined; set = open.pop())
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) {
        fields += 1;
        if (selection.alias) aliases += 1;
      }
      if ('selectionSet' in selection && selection.selectionSet) open.push(selection.selectionSet);
    }
  return { fields, aliases };
};

/** Throws GraphqlLimit for a document whose shape alone is too much. It need not be valid. */
export const checkShape = (document: DocumentNode): void => {
  const { fields, aliases } = countWritten(document);
  within('fields', fields);
  within('aliases', aliases);
  const fragments = new Map(
    document.definitions.flatMap((definition) =>
      definition.kind === Kind.FRAGMENT_DEFINITION ? [[definition.name.value, definition] as const] : [],
    ),
  );
  const measure = measurer(fragments);
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    const { depth, introspectionDepth, rootFields } = measure(definition.selectionSet);
    within('depth', depth);
    within('introspectionDepth', introspectionDepth);
    within('rootFields', rootFields);
  }
};
