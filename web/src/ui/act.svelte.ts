import type { AnyVariables, TypedDocumentNode } from '@urql/core';
import { send } from '../graphql/client.svelte.ts';
import { Task } from './task.svelte.ts';

/** A command that a person gives, as a mutation. */
export const act = <Data, Variables extends AnyVariables>(
  document: TypedDocumentNode<Data, Variables>,
): Task<[Variables], Data> => new Task((variables) => send('mutation', document, variables));
