import { DatabaseError } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StoreUnavailable } from '#src/eventstore/types.ts';
import { verifyLog } from '#src/eventstore/verify.ts';
import { appended, appendTo, event, METADATA, newStream, openTestLog, type TestLog } from '../support/log.ts';

let test: TestLog;
beforeAll(async () => {
  test = await openTestLog();
});
afterAll(() => test.close());

describe('appending', () => {
  it('gives versions within the stream and dense positions within the log partition', async () => {
    const streamId = newStream();
    const first = appended(await test.log.append(appendTo(streamId, 0, 0, event('A'), event('B'))));
    const second = appended(await test.log.append(appendTo(streamId, 0, 2, event('C'))));
    expect([...first.events, ...second.events].map(({ streamVersion }) => streamVersion)).toEqual([1, 2, 3]);
    const [a, b, c] = [...first.events, ...second.events].map(({ position }) => position);
    expect([b, c]).toEqual([(a ?? 0) + 1, (a ?? 0) + 2]);
  });

  it('reads back what was appended, with its metadata', async () => {
    const streamId = newStream();
    await test.log.append({
      ...appendTo(streamId, 1, 'new', event('A', { text: 'Zoë ✓ "quoted" \\ \n line' })),
      metadata: { ...METADATA, ip: '10.0.0.1' },
    });
    const [read] = await test.reader.readStream(streamId);
    expect(read).toMatchObject({
      partition: 1,
      streamId,
      streamVersion: 1,
      type: 'A',
      schemaVersion: 1,
      data: { text: 'Zoë ✓ "quoted" \\ \n line' },
      metadata: { ...METADATA, ip: '10.0.0.1' },
    });
  });

  it('writes many streams in several log partitions at once, or none of them', async () => {
    const [one, two] = [newStream(), newStream()];
    await test.log.append(appendTo(two, 2, 0, event('Taken')));
    const refused = await test.log.append({
      streams: [
        { streamId: one, partition: 1, expectedVersion: 0, events: [event('A')] },
        { streamId: two, partition: 2, expectedVersion: 0, events: [event('B')] },
      ],
      metadata: METADATA,
    });
    expect(refused).toEqual({ kind: 'version-conflict', streamId: two, actual: 1 });
    expect(await test.reader.readStream(one)).toEqual([]);
  });

  it('refuses a conflicting append alone, not its neighbours in the batch', async () => {
    const streams = Array.from({ length: 20 }, newStream);
    const contested = newStream();
    const results = await Promise.all([
      ...streams.map((streamId) => test.log.append(appendTo(streamId, 0, 0, event('A')))),
      test.log.append(appendTo(contested, 0, 0, event('First'))),
      test.log.append(appendTo(contested, 0, 0, event('Second'))),
      test.log.append(appendTo(contested, 0, 7, event('Third'))),
    ]);
    expect(results.map(({ kind }) => kind)).toEqual([
      ...streams.map(() => 'appended'),
      'appended',
      'version-conflict',
      'version-conflict',
    ]);
  });

  it('lets one of a hundred win that all expect the same version, from two writers', async () => {
    const streamId = newStream();
    const other = test.another();
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, n) =>
        (n % 2 ? test.log : other.log).append(appendTo(streamId, 3, 0, event('A', { n }))),
      ),
    );
    expect(results.filter(({ kind }) => kind === 'appended')).toHaveLength(1);
    expect(await test.reader.readStream(streamId)).toHaveLength(1);
  });

  it('fails the culprit alone when Postgres refuses a value', async () => {
    const good = [newStream(), newStream(), newStream()];
    const bad = test.log.append(appendTo(newStream(), 0, 'new', { type: 'Bad', data: {}, schemaVersion: 99_999 }));
    const results = await Promise.all([
      ...good.map((streamId) => test.log.append(appendTo(streamId, 0, 'new', event('A')))),
      bad.catch((error: unknown) => error),
    ]);
    expect(results.slice(0, 3).map((result) => (result as { kind: string }).kind)).toEqual([
      'appended',
      'appended',
      'appended',
    ]);
    expect(results[3]).toBeInstanceOf(DatabaseError);
  });

  it('lets nobody wait for all that are refused by what runs along with them', async () => {
    const refuse = async (): Promise<void> => {
      throw new TypeError('refused');
    };
    let refused = 0;
    let later: Promise<number> | undefined;
    /** How many had been refused when an append that came after all of them was through. */
    const appendLater = async (): Promise<number> => {
      await test.log.append(appendTo(newStream(), 0, 'new', event('A')));
      return refused;
    };
    const beside = test.log.append(appendTo(newStream(), 0, 'new', event('A')));
    await Promise.all(
      Array.from({ length: 10 }, () =>
        test.log.append({ ...appendTo(newStream(), 0, 'new', event('A')), project: refuse }).catch(() => {
          refused += 1;
          later ??= appendLater();
        }),
      ),
    );
    expect((await beside).kind).toBe('appended');
    expect(await later).toBeLessThan(10);
    expect(refused).toBe(10);
  });

  it('refuses a stream id that would break the columns of a batch', async () => {
    await expect(test.log.append(appendTo('test:a\nb', 0, 'new', event('A')))).rejects.toThrow(TypeError);
  });

  it('tells listeners of this process after the commit, with what was attached', async () => {
    const seen: unknown[] = [];
    test.log.onCommit((events) => seen.push(...events.map(({ streamId, attachment }) => [streamId, attachment])));
    const streamId = newStream();
    await test.log.append(appendTo(streamId, 0, 'new', { ...event('A'), attachment: 'handed over' }));
    expect(seen).toContainEqual([streamId, 'handed over']);
    expect((await test.reader.readStream(streamId))[0]?.attachment).toBeUndefined();
  });
});

describe('what an append may depend on', () => {
  it('is refused when the configuration has moved, and passes with its new position', async () => {
    const moved = appended(
      await test.log.append({ ...appendTo(newStream(), 2, 'new', event('Configured')), movesConfiguration: true }),
    );
    const position = moved.events[0]?.position ?? 0;
    const route = (configurationPosition: number) =>
      test.log.append({
        ...appendTo(newStream(), 2, 'new', event('A')),
        routedWith: { partition: 2, configurationPosition },
      });
    expect(await route(position - 1)).toEqual({ kind: 'configuration-moved', partition: 2 });
    expect((await route(position)).kind).toBe('appended');
  });

  it('is refused when the configuration moves in the very same batch before it', async () => {
    const heads = await test.reader.heads();
    const configurationPosition = heads[3]?.configurationPosition ?? 0;
    const [change, routed] = await Promise.all([
      test.log.append({ ...appendTo(newStream(), 3, 'new', event('Configured')), movesConfiguration: true }),
      test.log.append({
        ...appendTo(newStream(), 3, 'new', event('A')),
        routedWith: { partition: 3, configurationPosition },
      }),
    ]);
    expect([change.kind, routed.kind]).toEqual(['appended', 'configuration-moved']);
  });

  it('is fenced by the epoch in the head', async () => {
    const client = await test.pool.connect();
    await client.query('UPDATE log_head SET delivery_epoch = 5 WHERE partition_no = 1');
    client.release();
    const write = (epoch: number) =>
      test.log.append({ ...appendTo(newStream(), 1, 'new', event('A')), fence: { partition: 1, epoch } });
    expect(await write(4)).toEqual({ kind: 'fenced', partition: 1 });
    expect((await write(5)).kind).toBe('appended');
  });
});

describe('concurrent writers', () => {
  it('leave no gap, no loss and a chain that verifies', async () => {
    const writers = [test.log, test.another().log, test.another().log];
    const before = new Map((await test.reader.heads()).map(({ partition, position }) => [partition, position]));
    const appends = Array.from({ length: 600 }, (_, n) =>
      writers[n % writers.length]?.append({
        streams: [
          { streamId: newStream(), partition: n % 4, expectedVersion: n % 3 ? 'new' : 0, events: [event('A', { n })] },
          {
            streamId: newStream(),
            partition: (n * 7 + 1) % 4,
            expectedVersion: 'new',
            events: [event('B', { n }), event('C', { n })],
          },
        ],
        metadata: METADATA,
      }),
    );
    expect(new Set((await Promise.all(appends)).map((result) => result?.kind))).toEqual(new Set(['appended']));
    let found = 0;
    for (const { partition, position } of await test.reader.heads()) {
      const events = await test.reader.readPartition(partition, before.get(partition) ?? 0, 10_000);
      expect(events.map((read) => read.position)).toEqual(
        Array.from({ length: events.length }, (_, index) => (before.get(partition) ?? 0) + index + 1),
      );
      expect(events.at(-1)?.position).toBe(position);
      expect(
        events.every(
          ({ recordedAtMs }, index) => index === 0 || recordedAtMs >= (events[index - 1]?.recordedAtMs ?? 0),
        ),
      ).toBe(true);
      found += events.length;
    }
    expect(found).toBe(1_800);
    expect((await verifyLog(test.pool)).faults).toEqual([]);
  });
});

describe('a database that breaks off', () => {
  it('is reported as not available, and the next append works', async () => {
    const writer = test.another();
    await writer.log.append(appendTo(newStream(), 0, 'new', event('A')));
    const cut = async (): Promise<unknown> => {
      const streamId = newStream();
      const appending = writer.log.append(appendTo(streamId, 0, 'new', event('A'))).catch((error: unknown) => error);
      await test.owner.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'posthorn another'`,
      );
      return appending;
    };
    // Which of them meets an append is a matter of luck; none may hang, and nothing but this error may come out.
    const outcomes = await Promise.all(Array.from({ length: 10 }, cut));
    for (const outcome of outcomes) if (outcome instanceof Error) expect(outcome).toBeInstanceOf(StoreUnavailable);
    expect((await writer.log.append(appendTo(newStream(), 0, 'new', event('A')))).kind).toBe('appended');
    expect((await verifyLog(test.pool)).faults).toEqual([]);
  });
});

describe('reading a log partition', () => {
  it('goes forwards from a position and backwards from one', async () => {
    const log = await openTestLog(1);
    await Promise.all(
      Array.from({ length: 10 }, (_, n) => log.log.append(appendTo(newStream(), 0, 'new', event('A', { n })))),
    );
    expect((await log.reader.readPartition(0, 7, 10)).map(({ position }) => position)).toEqual([8, 9, 10]);
    expect((await log.reader.readPartitionBackwards(0, 4, 2)).map(({ position }) => position)).toEqual([3, 2]);
    await log.close();
  });
});
