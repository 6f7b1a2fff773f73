import type { AnyVariables, TypedDocumentNode } from '@urql/core';
import { Reading } from '../api/reading.svelte.ts';
import { send } from './client.svelte.ts';

/** A query whose answer follows its variables; null asks nothing. Made while a component is. */
export const query = <Data, Variables extends AnyVariables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: () => Variables | null,
): Reading<Data, Variables> => new Reading(variables, (wanted) => send('query', document, wanted));
