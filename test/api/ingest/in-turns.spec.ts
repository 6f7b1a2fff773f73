import { expect, it } from 'vitest';
import { inTurns } from '#src/api/ingest/in-turns.ts';

it('lets others have a turn between its own, and answers in order', async () => {
  const order: string[] = [];
  const work = async (item: string): Promise<string> => {
    await Promise.resolve(); // What follows an await of something that is there is of the same turn still.
    order.push(item);
    return item.toUpperCase();
  };
  const done = inTurns(['a', 'b', 'c', 'd', 'e'], 2, work);
  setImmediate(() => order.push('another'));
  expect(await done).toEqual(['A', 'B', 'C', 'D', 'E']);
  expect(order.indexOf('another')).toBeLessThan(order.indexOf('e'));
  expect(order.filter((item) => item !== 'another')).toEqual(['a', 'b', 'c', 'd', 'e']);
});

it('begins all in one turn that fit into one', async () => {
  const order: number[] = [];
  const done = inTurns([1, 2, 3], 3, async (item) => void order.push(item));
  expect(order).toEqual([1, 2, 3]);
  await done;
});
