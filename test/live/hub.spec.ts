import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createLogFeed } from '#src/eventstore/feed.ts';
import { decodePositions, encodePositions } from '#src/live/cursor.ts';
import { createLiveHub, type LiveHub } from '#src/live/hub.ts';
import { AheadOfLog, type Batch, type Sink } from '#src/live/sink.ts';
import type { Topic } from '#src/live/topic.ts';
import type { TrafficTick } from '#src/live/traffic.ts';
import { eventually } from '../support/eventually.ts';
import { appended, appendTo, event, newStream, openTestLog, type TestLog } from '../support/log.ts';

const applicationId = randomUUID();
const everything: Topic = { kind: 'domainEvents', applicationId, filter: {} };

let test: TestLog;
let hub: LiveHub;
const errors: unknown[] = [];
const openHub = (): LiveHub => {
  const feed = createLogFeed({ reader: test.reader });
  const made = createLiveHub({
    feed,
    reader: test.reader,
    pool: test.pool,
    now: Date.now,
    onError: (e) => errors.push(e),
  });
  test.log.onCommit((events) => {
    feed.offer(events);
    made.noticeCommit(events);
  });
  return made;
};
beforeAll(async () => {
  test = await openTestLog(3);
  hub = openHub();
});
afterAll(async () => {
  hub.stop();
  await test.close();
  expect(errors).toEqual([]);
});

/** A sink that can be made slow, and what it was given. */
const collector = () => {
  const batches: Batch[] = [];
  const ticks: TrafficTick[] = [];
  const failures: unknown[] = [];
  let isSlow = false;
  let waiting: (() => void)[] = [];
  const sink: Sink = {
    isReady: () => !isSlow,
    ready: () => (isSlow ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve()),
    write: (batch) => {
      if ('items' in batch) batches.push(batch);
      else ticks.push(batch);
    },
    fail: (error) => failures.push(error),
  };
  const places = (): string[] =>
    batches.flatMap(({ items }) => items.map((item) => `${item.partition}:${item.position}`));
  return {
    sink,
    batches,
    ticks,
    failures,
    places,
    leftOut: () => batches.reduce((sum, { leftOut }) => sum + leftOut, 0),
    slow: (value: boolean) => {
      isSlow = value;
      if (!value) for (const resolve of waiting) resolve();
      if (!value) waiting = [];
    },
    isWatching: () => eventually(() => expect(batches.at(-1)?.isCaughtUp).toBe(true)),
  };
};

/** Appends so many domain events of the application to a log partition, and answers with their places. */
const happen = async (partition: number, count: number, of = applicationId): Promise<string[]> => {
  const events = Array.from({ length: count }, (_, n) => event('Happened', { applicationId: of, n }));
  const result = appended(await test.log.append(appendTo(newStream(), partition, 'new', ...events)));
  return result.events.map(({ position }) => `${partition}:${position}`);
};

describe('watching the log', () => {
  it('tells at once where it begins, then everything of the application and nothing else', async () => {
    await happen(0, 2);
    const seen = collector();
    const reader = hub.open(everything, undefined, seen.sink);
    await seen.isWatching();
    expect(seen.batches).toMatchObject([{ items: [], leftOut: 0 }]);
    const places = await happen(0, 3);
    await happen(1, 2, randomUUID());
    places.push(...(await happen(2, 4)));
    await eventually(() => expect(seen.places().sort()).toEqual(places.sort()));
    expect(seen.leftOut()).toBe(0);
    reader.close();
  });

  it('gives readers of the same one batch, and each its own filter', async () => {
    const [one, two, three] = [collector(), collector(), collector()];
    const stream = newStream();
    const readers = [
      hub.open(everything, undefined, one.sink),
      hub.open({ ...everything }, undefined, two.sink),
      hub.open({ ...everything, filter: { streamId: stream } }, undefined, three.sink),
    ];
    await Promise.all([one.isWatching(), two.isWatching(), three.isWatching()]);
    await happen(1, 2);
    await test.log.append(appendTo(stream, 0, 'new', event('Happened', { applicationId })));
    await eventually(() => expect(three.places()).toHaveLength(1));
    await eventually(() => expect(one.places()).toHaveLength(3));
    expect(two.batches.filter(({ items }) => items.length > 0)[0]).toBe(
      one.batches.filter(({ items }) => items.length > 0)[0],
    );
    for (const reader of readers) reader.close();
  });

  it('goes on right after a position, over what other processes appended, without gap or duplicate', async () => {
    const seen = collector();
    const first = hub.open(everything, undefined, seen.sink);
    await seen.isWatching();
    const places = await happen(0, 2);
    await eventually(() => expect(seen.places()).toHaveLength(2));
    first.close();
    places.push(...(await happen(1, 700)));
    const { log } = test.another();
    await log.append(appendTo(newStream(), 2, 'new', event('Happened', { applicationId })));
    const second = hub.open(everything, decodePositions(seen.batches.at(-1)?.position ?? ''), seen.sink);
    for (let n = 0; n < 20; n += 1) places.push(...(await happen(n % 3, 5)));
    await seen.isWatching();
    places.push(...(await happen(1, 3)));
    await eventually(() => expect(seen.places()).toHaveLength(places.length + 1));
    expect(new Set(seen.places()).size).toBe(places.length + 1);
    expect(places.every((place) => seen.places().includes(place))).toBe(true);
    expect(seen.leftOut()).toBe(0);
    second.close();
  });

  it('tells a slow reader how many were left out, and keeps nothing for it meanwhile', async () => {
    const [slow, quick] = [collector(), collector()];
    const readers = [hub.open(everything, undefined, slow.sink), hub.open(everything, undefined, quick.sink)];
    await Promise.all([slow.isWatching(), quick.isWatching()]);
    slow.slow(true);
    await happen(0, 30);
    await eventually(() => expect(quick.places()).toHaveLength(30));
    slow.slow(false);
    await happen(0, 2);
    await eventually(() => expect(slow.places()).toHaveLength(2));
    expect(slow.leftOut()).toBe(30);
    expect(quick.leftOut()).toBe(0);
    for (const reader of readers) reader.close();
  });

  it('shows the newest of a flood, and counts the rest', async () => {
    const seen = collector();
    const reader = hub.open(everything, undefined, seen.sink);
    await seen.isWatching();
    const places = await happen(1, 1_200);
    await eventually(() => expect(seen.places().length + seen.leftOut()).toBe(1_200));
    expect(seen.places().at(-1)).toBe(places.at(-1));
    expect(seen.places().length).toBeLessThanOrEqual(500);
    reader.close();
  });

  it('a reader that comes back is caught up with as fast as it reads, and nothing is left out', async () => {
    const seen = collector();
    const first = hub.open(everything, undefined, seen.sink);
    await seen.isWatching();
    first.close();
    const after = decodePositions(seen.batches[0]?.position ?? '');
    const places = await happen(0, 1_800);
    seen.slow(true);
    const second = hub.open(everything, after, seen.sink);
    await happen(2, 1).then((more) => places.push(...more));
    expect(seen.places()).toEqual([]);
    seen.slow(false);
    await eventually(() => expect(seen.places()).toHaveLength(places.length));
    expect(new Set(seen.places()).size).toBe(places.length);
    expect(seen.leftOut()).toBe(0);
    second.close();
  });

  it('misses nothing of what the database failed to tell at first', async () => {
    const seen = collector();
    const reader = hub.open(everything, undefined, seen.sink);
    await seen.isWatching();
    const { query } = test.pool;
    let refusals = 0;
    const asked = vi.spyOn(test.pool, 'query').mockImplementation(((...args: Parameters<typeof query>) => {
      const [statement] = args as unknown as [{ name?: string }];
      if (statement.name !== 'find_delivery_facts' || refusals > 0) return query.apply(test.pool, args);
      refusals += 1;
      return Promise.reject(new Error('The database is away.'));
    }) as never);
    const ids = { deliveryId: randomUUID(), eventId: randomUUID(), subscriptionId: randomUUID() };
    const cancelled = event('DeliveryCancelled', { applicationId, ...ids, reason: 'request' });
    await happen(2, 2);
    await test.log.append(appendTo(`delivery:${ids.deliveryId}`, 1, 'new', cancelled));
    await eventually(() => expect(seen.places()).toHaveLength(3));
    asked.mockRestore();
    expect(refusals).toBe(1);
    expect(errors.splice(0)).toHaveLength(1);
    reader.close();
  });

  it('refuses a place that the log does not have', async () => {
    for (const after of [new Map([[0, 10_000_000]]), new Map([[7, 1]])]) {
      const seen = collector();
      hub.open(everything, after, seen.sink);
      await eventually(() => expect(seen.failures[0]).toBeInstanceOf(AheadOfLog));
    }
    expect(hub.readers()).toBe(0);
  });

  it('sums seconds up, for who takes them', async () => {
    const [seen, slow] = [collector(), collector()];
    slow.slow(true);
    const topic: Topic = { kind: 'traffic', applicationId, filter: {} };
    const readers = [slow, seen].map(({ sink }) => hub.open(topic, undefined, sink));
    await eventually(() => expect(hub.readers()).toBe(2));
    const timings = { totalMs: 12 };
    await eventually(async () => {
      await test.log.append(
        appendTo(
          newStream(),
          0,
          'new',
          event('EventIngested', { applicationId }),
          event('AttemptFailed', { applicationId, timings }),
        ),
      );
      expect(seen.ticks[0]).toMatchObject({ succeeded: 0, deadLettered: 0, p50Ms: 12 });
    });
    expect(seen.ticks[0]?.events).toBe(seen.ticks[0]?.failed);
    expect(slow.ticks).toEqual([]);
    for (const reader of readers) reader.close();
  });
});

describe('a place in the log', () => {
  it('is read as it was written, and nothing else is', () => {
    const positions = new Map([
      [3, 1_207],
      [0, 15],
    ]);
    expect(encodePositions(positions)).toBe('0.15_3.1207');
    expect(decodePositions('0.15_3.1207')).toEqual(positions);
    for (const wrong of ['', '0', '0.1_0.2', '-1.2', '0.1.2', '0.1_', 'a.b', `0.${'9'.repeat(16)}`, '0.1 '])
      expect(decodePositions(wrong)).toBeUndefined();
  });
});
