import type { AnyVariables, TypedDocumentNode } from '@urql/core';
import { untrack } from 'svelte';
import { type Failure, send } from './client.svelte.ts';

/** A query whose answer follows its variables. What was there stays while the next answer is under way. */
export class Query<Data, Variables extends AnyVariables> {
  data = $state.raw<Data | null>(null);
  failure = $state.raw<Failure | null>(null);
  isLoading = $state(true);
  #turn = 0;
  readonly #document: TypedDocumentNode<Data, Variables>;
  readonly #variables: () => Variables | null;

  /** `variables` is followed; null asks nothing. Made while a component is. */
  constructor(document: TypedDocumentNode<Data, Variables>, variables: () => Variables | null) {
    this.#document = document;
    this.#variables = variables;
    $effect(() => {
      const wanted = variables();
      untrack(() => void this.#ask(wanted));
    });
  }

  async #ask(variables: Variables | null): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    if (variables === null) {
      this.isLoading = false;
      return;
    }
    this.isLoading = true;
    try {
      const data = await send('query', this.#document, variables);
      if (turn !== this.#turn) return;
      this.data = data;
      this.failure = null;
    } catch (error) {
      if (turn !== this.#turn) return;
      this.failure = error as Failure;
    }
    this.isLoading = false;
  }

  refresh = (): Promise<void> => this.#ask(untrack(this.#variables));
}

export const query = <Data, Variables extends AnyVariables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: () => Variables | null,
): Query<Data, Variables> => new Query(document, variables);
