import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createLogFeed } from '#src/eventstore/feed.ts';
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

describe('following a log partition', () => {
  it('takes commits from memory and the log for what was missed, nothing twice', async () => {
    const start = (await append(1)).at(-1)?.position ?? 0;
    const read = vi.spyOn(test.reader, 'readPartition');
    const feed = createLogFeed({ reader: test.reader });
    const tail = createTail({ feed, partition: 0, from: start });
    feed.offer(await append(2));
    await append(3); // Another process's, so nobody offers it.
    const own = await append(2);
    feed.offer(own);
    tail.hint(start + 7);
    expect(tail.lag()).toBe(7);
    const taken: number[] = [];
    while (tail.isBehind()) taken.push(...(await tail.take(100)).map(({ position }) => position));
    expect(taken).toEqual(Array.from({ length: 7 }, (_, index) => start + index + 1));
    expect(read).toHaveBeenCalledOnce();
    tail.hint(start + 7);
    expect(tail.isBehind()).toBe(false);
    read.mockRestore();
  });

  it('hands out no more than asked for, and goes on where it stopped', async () => {
    const start = (await append(1)).at(-1)?.position ?? 0;
    const feed = createLogFeed({ reader: test.reader });
    const tail = createTail({ feed, partition: 0, from: start });
    feed.offer(await append(5));
    tail.hint(start + 5);
    expect((await tail.take(2)).map(({ position }) => position - start)).toEqual([1, 2]);
    expect((await tail.take(9)).map(({ position }) => position - start)).toEqual([3, 4, 5]);
    expect(await tail.take(9)).toEqual([]);
  });

  it('reads the log once for all who come the same way', async () => {
    const start = (await append(1)).at(-1)?.position ?? 0;
    await append(6);
    const read = vi.spyOn(test.reader, 'readPartition');
    const feed = createLogFeed({ reader: test.reader });
    const tails = [0, 0, 2].map((ahead) => createTail({ feed, partition: 0, from: start + ahead }));
    for (const tail of tails) tail.hint(start + 6);
    expect(await Promise.all(tails.slice(0, 2).map((tail) => tail.take(3)))).toMatchObject([
      { length: 3 },
      { length: 3 },
    ]);
    expect((await tails[2]?.take(9))?.map(({ position }) => position - start)).toEqual([3, 4, 5, 6]);
    expect(read).toHaveBeenCalledOnce();
    read.mockRestore();
  });

  it('keeps a bounded part of the commits in memory, and misses nothing of the rest', async () => {
    const start = (await append(1)).at(-1)?.position ?? 0;
    const feed = createLogFeed({ reader: test.reader });
    const tail = createTail({ feed, partition: 0, from: start });
    for (let n = 0; n < 5; n += 1) feed.offer(await append(2_000));
    tail.hint(start + 10_000);
    const taken: number[] = [];
    while (tail.isBehind()) taken.push(...(await tail.take(1_500)).map(({ position }) => position - start));
    expect(taken).toEqual(Array.from({ length: 10_000 }, (_, index) => index + 1));
  });

  it('walks the key of the log, without sorting what lies ahead', async () => {
    const query = vi.spyOn(test.pool, 'query');
    await test.reader.readPartition(0, 1, 10);
    await test.reader.readPartitionBackwards(0, 100, 10);
    const statements = query.mock.calls.map(([statement]) => (statement as unknown as { text: string }).text);
    query.mockRestore();
    expect(statements).toHaveLength(2);
    for (const text of statements) {
      const literal = text.replace('$1', '0').replace('$2', '50').replace('$3', '10');
      const { rows } = await test.pool.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${literal}`);
      expect(rows.map((row) => row['QUERY PLAN']).join('\n')).not.toContain('Sort');
    }
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

  it('tells what was announced before it stops, and what is under way ends without an error', async () => {
    const others: number[] = [];
    const errors: unknown[] = [];
    const onError = (error: unknown): unknown => errors.push(error);
    const listener = createWake({ url: test.url, onWake: (partitions) => others.push(...partitions), onError });
    const sender = createWake({ url: test.url, onWake: () => undefined, onError });
    await eventually(() => {
      sender.announce([3]);
      expect(others).toContain(3);
    });
    sender.announce([5]);
    await sender.stop();
    await eventually(() => expect(others).toContain(5));
    sender.announce([6]);
    expect(errors).toEqual([]);
    await listener.stop();
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
