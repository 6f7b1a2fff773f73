import { untrack } from 'svelte';
import type { Failure } from './failure.ts';

/** What is read, and read again when what it depends on changes. What was there stays while the next answer is under way. */
export class Reading<Data, Wanted> {
  data = $state.raw<Data | null>(null);
  failure = $state.raw<Failure | null>(null);
  isLoading = $state(true);
  #turn = 0;
  readonly #wanted: () => Wanted | null;
  readonly #read: (wanted: Wanted) => Promise<Data>;

  /** `wanted` is followed; null asks nothing. Made while a component is. */
  constructor(wanted: () => Wanted | null, read: (wanted: Wanted) => Promise<Data>) {
    this.#wanted = wanted;
    this.#read = read;
    $effect(() => {
      const next = wanted();
      untrack(() => void this.#ask(next));
    });
  }

  async #ask(wanted: Wanted | null): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    if (wanted === null) {
      this.isLoading = false;
      return;
    }
    this.isLoading = true;
    try {
      const data = await this.#read(wanted);
      if (turn !== this.#turn) return;
      this.data = data;
      this.failure = null;
    } catch (error) {
      if (turn !== this.#turn) return;
      this.failure = error as Failure;
    }
    this.isLoading = false;
  }

  refresh = (): Promise<void> => this.#ask(untrack(this.#wanted));
}

export const reading = <Data, Wanted>(
  wanted: () => Wanted | null,
  read: (wanted: Wanted) => Promise<Data>,
): Reading<Data, Wanted> => new Reading(wanted, read);
