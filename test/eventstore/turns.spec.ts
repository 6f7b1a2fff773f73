import { describe, expect, it } from 'vitest';
import { createTurns, TooContended } from '#src/eventstore/turns.ts';

/** Work that ends when it is told to. */
const held = () => Promise.withResolvers<void>();

describe('turns', () => {
  it('are taken one after the other on one stream, in order of arrival, and at once on different ones', async () => {
    const turns = createTurns();
    const [first, other] = [held(), held()];
    const seen: string[] = [];
    const working = [
      turns.take('a', async () => {
        seen.push('a1');
        await first.promise;
      }),
      ...['a2', 'a3', 'a4'].map((name) => turns.take('a', async () => void seen.push(name))),
      turns.take('b', async () => {
        seen.push('b1');
        await other.promise;
      }),
    ];
    expect(seen).toEqual(['a1', 'b1']);
    first.resolve();
    await Promise.all(working.slice(0, 4));
    expect(seen).toEqual(['a1', 'b1', 'a2', 'a3', 'a4']);
    other.resolve();
    await Promise.all(working);
    expect(turns.busy(), 'keys that are kept').toBe(0);
  });

  it('go on behind work that fails, and answer with what the work answers', async () => {
    const turns = createTurns();
    const failing = turns.take('a', () => Promise.reject(new Error('broken')));
    const next = turns.take('a', async () => 'done');
    await expect(failing).rejects.toThrow('broken');
    expect(await next).toBe('done');
    expect(turns.busy()).toBe(0);
  });

  it('are refused at once when too many wait, and to nobody else', async () => {
    const turns = createTurns({ waitingMax: 2 });
    const first = held();
    const waiting = [turns.take('a', () => first.promise), ...[2, 3].map((n) => turns.take('a', async () => n))];
    await expect(turns.take('a', async () => 4)).rejects.toThrow(TooContended);
    expect(await turns.take('b', async () => 5)).toBe(5);
    first.resolve();
    expect(await Promise.all(waiting)).toEqual([undefined, 2, 3]);
    expect(await turns.take('a', async () => 6)).toBe(6);
  });

  it('are refused when they come too late, without the work', async () => {
    let nowMs = 0;
    const turns = createTurns({ waitMsMax: 10, nowMs: () => nowMs });
    const first = held();
    const slow = turns.take('a', () => first.promise);
    const late = turns.take('a', async () => 'late').catch((error: unknown) => error);
    nowMs = 11;
    const inTime = turns.take('a', async () => 'in time');
    first.resolve();
    await slow;
    expect(await late).toBeInstanceOf(TooContended);
    expect(await inTime).toBe('in time');
    expect(turns.busy()).toBe(0);
  });
});
