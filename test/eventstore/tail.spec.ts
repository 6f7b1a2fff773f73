import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createTail } from '#src/eventstore/tail.ts';
import type { RecordedEvent } from '#src/eventstore/types.ts';
import { upcast } from '#src/eventstore/upcasters.ts';
import { createWake } from '#src/eventstore/wake.ts';
import { eventually } from '../support/eventually.ts';
import { appended, appendTo, event, METADATA, newStream, openTestLog, type TestLog } from '../support/log.ts';

let test: TestLog;
beforeAll(async () => {
  test = await openTestLog(1);
});
afterAll(() => test.close());

const append = async (count: number): Promise<readonly RecordedEvent[]> =>
  appended(
    await test.log.append(
      appendTo(newStream(), 0, 'new', ...Array.from({ length: count }, (_, n) => event('A', { n }))),
    ),
  ).events;

describe('a tail', () => {
  it('hands out commits from memory, the log for what was missed, and nothing twice', async () => {
    const start = (await append(1)).at(-1)?.position ?? 0;
    const read = vi.spyOn(test.reader, 'readPartition');
    const tail = createTail({ reader: test.reader, partition: 0, from: start });
    tail.offer(await append(2));
    await append(3); // Another process's, so nobody offers it.
    const own = await append(2);
    tail.offer(own);
    expect(tail.lag()).toBe(7);
    const taken: number[] = [];
    while (tail.isBehind()) taken.push(...(await tail.take(100)).map(({ position }) => position));
    expect(taken).toEqual(Array.from({ length: 7 }, (_, index) => start + index + 1));
    expect(read).toHaveBeenCalledOnce();
    tail.offer(own);
    expect(tail.isBehind()).toBe(false);
    read.mockRestore();
  });

  it('hands out no more than asked for, and goes on where it stopped', async () => {
    const start = (await append(1)).at(-1)?.position ?? 0;
    const tail = createTail({ reader: test.reader, partition: 0, from: start });
    tail.offer(await append(5));
    expect((await tail.take(2)).map(({ position }) => position - start)).toEqual([1, 2]);
    expect((await tail.take(9)).map(({ position }) => position - start)).toEqual([3, 4, 5]);
    expect(await tail.take(9)).toEqual([]);
  });
});

describe('waking other processes', () => {
  it('reaches them with the partitions that grew, many commits in few notifications, and not oneself', async () => {
    const own: number[][] = [];
    const others: number[][] = [];
    const fail = (error: unknown): void => expect(error).toBeUndefined();
    const sender = createWake({ url: test.url, onWake: (partitions) => own.push([...partitions]), onError: fail });
    const listener = createWake({ url: test.url, onWake: (partitions) => others.push([...partitions]), onError: fail });
    await eventually(() => {
      sender.announce([3]);
      expect(others.length).toBeGreaterThan(0);
    });
    others.length = 0;
    for (let n = 0; n < 100; n += 1) sender.announce([1, 2]);
    await eventually(() => expect(new Set(others.flat())).toContain(2));
    expect(others.length).toBeLessThan(5);
    expect(own).toEqual([]);
    await Promise.all([sender.stop(), listener.stop()]);
  });
});

describe('upcasting', () => {
  it('brings old data step by step to today, and leaves the rest alone', () => {
    const old: RecordedEvent = {
      partition: 0,
      position: 1,
      streamId: 's',
      streamVersion: 1,
      type: 'Named',
      schemaVersion: 1,
      data: { name: 'Zoë Ox' },
      metadata: METADATA,
      recordedAtMs: 0,
    };
    const upcasters = {
      Named: {
        1: ({ name }: Record<string, unknown>) => ({ names: String(name).split(' ') }),
        2: ({ names }: Record<string, unknown>) => ({ first: (names as string[])[0], last: (names as string[])[1] }),
      },
    };
    expect(upcast(old, upcasters)).toMatchObject({ schemaVersion: 3, data: { first: 'Zoë', last: 'Ox' } });
    expect(upcast({ ...old, schemaVersion: 3 }, upcasters).data).toEqual({ name: 'Zoë Ox' });
    expect(upcast({ ...old, type: 'Other' }, upcasters)).toMatchObject({ type: 'Other', schemaVersion: 1 });
  });
});
