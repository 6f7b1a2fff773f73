import type { AnyVariables, TypedDocumentNode } from '@urql/core';
import { type Failure, send } from '../graphql/client.svelte.ts';

/** A command that a person gives: under way, done, or refused with the reason. */
export class Act<Data, Variables extends AnyVariables> {
  isUnderWay = $state(false);
  failure = $state.raw<Failure | null>(null);
  readonly #document: TypedDocumentNode<Data, Variables>;

  constructor(document: TypedDocumentNode<Data, Variables>) {
    this.#document = document;
  }

  /** The answer, or undefined when it was refused: then `failure` says why. */
  async run(variables: Variables): Promise<Data | undefined> {
    this.isUnderWay = true;
    this.failure = null;
    try {
      return await send('mutation', this.#document, variables);
    } catch (error) {
      this.failure = error as Failure;
      return undefined;
    } finally {
      this.isUnderWay = false;
    }
  }
}

export const act = <Data, Variables extends AnyVariables>(
  document: TypedDocumentNode<Data, Variables>,
): Act<Data, Variables> => new Act(document);
