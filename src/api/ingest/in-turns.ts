import { setImmediate } from 'node:timers/promises';

/**
 * What `work` makes of each item, in order: so many are begun in one turn of the event loop, and between two turns whatever else
 * waits has its own. `work` must not reject.
 */
export const inTurns = async <Item, Result>(
  items: readonly Item[],
  perTurn: number,
  work: (item: Item, index: number) => Promise<Result>,
): Promise<Result[]> => {
  const begun: Promise<Result>[] = [];
  for (const [index, item] of items.entries()) {
    if (index > 0 && index % perTurn === 0) await setImmediate();
    begun.push(work(item, index));
  }
  return Promise.all(begun);
};
