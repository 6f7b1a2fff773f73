import { watch } from '../../graphql/client.svelte.ts';
import type { EventFilter } from '../../ui/eventFilter.ts';
import { LIVE_EVENTS } from './queries.ts';

/** More is told as `5,000+`. */
export const ARRIVALS_MAX = 5_000;

/** Events that came since the list was read: they are announced, and move nothing. */
export class Arrivals {
  count = $state(0);
  #ids = new Set<string>();
  #leftOut = 0;

  /** Follows what comes; `begun` is called once from where on nothing is missed. Answers how to stop. */
  follow(application: string, filter: EventFilter, begun: () => void): () => void {
    this.clear([]);
    let position: string | null = null;
    return watch(
      LIVE_EVENTS,
      () => ({
        application,
        filter: { eventTypes: filter.eventType === null ? null : [filter.eventType], labels: filter.labels },
        after: position,
      }),
      ({ events: batch }) => {
        const isFirst = position === null;
        position = batch.position;
        for (const { id } of batch.items) if (this.#ids.size < ARRIVALS_MAX) this.#ids.add(id);
        this.#leftOut += batch.leftOut;
        this.#tell();
        if (isFirst) begun();
      },
      () => undefined,
    );
  }

  /** What the list shows has been seen. */
  seen(ids: readonly string[]): void {
    for (const id of ids) this.#ids.delete(id);
    this.#tell();
  }

  /** The list is read anew. */
  clear(ids: readonly string[]): void {
    this.#ids.clear();
    this.#leftOut = 0;
    this.seen(ids);
  }

  #tell(): void {
    this.count = Math.min(ARRIVALS_MAX, this.#ids.size + this.#leftOut);
  }
}
