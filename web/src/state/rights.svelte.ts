import type { Failure } from '../api/failure.ts';
import { send } from '../graphql/client.svelte.ts';
import { graphql } from '../graphql/graphql.ts';
import { ACTIONS } from './actions.ts';

const RIGHTS = graphql(`
  query Rights($actions: [String!]!, $organizationId: UUID, $applicationId: UUID) {
    viewer { may(actions: $actions, organizationId: $organizationId, applicationId: $applicationId) }
  }
`);

/** An application with its organization, or an organization alone; null for neither. */
export type Place = { readonly applicationId: string | null; readonly organizationId: string | null };

const keyOf = ({ applicationId, organizationId }: Place): string => applicationId ?? organizationId ?? '';

/** What whoever is signed in may do, place by place, as the server decides it. */
class Rights {
  failure = $state.raw<Failure | null>(null);
  #place = $state.raw<Place>({ applicationId: null, organizationId: null });
  #known = $state.raw<ReadonlyMap<string, readonly string[]>>(new Map());
  #turn = 0;

  /** The server has answered for the place at hand. */
  isKnown = $derived(this.#known.has(keyOf(this.#place)));
  /** What may be done in the place at hand; nothing until that is known. */
  here = $derived(this.#known.get(keyOf(this.#place)) ?? []);

  /** Goes to another place; what is known of it is not asked again. */
  async go(place: Place): Promise<void> {
    this.#place = place;
    if (!this.#known.has(keyOf(place))) await this.#ask(place);
  }

  /** Asks again, when they may have changed; until the answer what was known here stays. */
  async renew(): Promise<void> {
    const key = keyOf(this.#place);
    const { here } = this;
    if (!this.#known.has(key)) return;
    this.#known = new Map([[key, here]]);
    await this.#ask(this.#place);
  }

  forget(): void {
    this.#turn += 1;
    this.#known = new Map();
    this.failure = null;
  }

  async #ask(place: Place): Promise<void> {
    const turn = this.#turn;
    try {
      const { viewer } = await send('query', RIGHTS, { actions: [...ACTIONS], ...place });
      if (turn !== this.#turn) return; // Somebody else has signed in meanwhile.
      this.#known = new Map([...this.#known, [keyOf(place), viewer.may]]);
      this.failure = null;
    } catch (error) {
      if (turn === this.#turn) this.failure = error as Failure;
    }
  }
}

export const rights = new Rights();
