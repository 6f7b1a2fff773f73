import { CommandHandler, DeciderSpecification, type Event } from '@event-driven-io/emmett';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEmmettStore, VersionConflict } from '#src/eventstore/emmett.ts';
import { METADATA, newStream, openTestLog, type TestLog } from '../support/log.ts';

type Counted = Event<'Counted', { by: number }>;
const initialState = (): number => 0;
const evolve = (sum: number, { data }: Counted): number => sum + data.by;

let test: TestLog;
let store: ReturnType<typeof createEmmettStore>;
beforeAll(async () => {
  test = await openTestLog();
  store = createEmmettStore({ log: test.log, reader: test.reader, partitions: test.partitions, metadata: METADATA });
});
afterAll(() => test.close());

describe("Emmett's event store contract", () => {
  it("runs Emmett's own command handler, which decides again after a conflict", async () => {
    const handle = CommandHandler<number, Counted>({ evolve, initialState });
    const streamName = newStream();
    const increments = Array.from({ length: 10 }, () =>
      handle(store, streamName, () => ({ type: 'Counted', data: { by: 1 } }) as Counted, {
        retry: { onVersionConflict: 50 },
      }),
    );
    await Promise.all(increments);
    const { state, currentStreamVersion, streamExists } = await store.aggregateStream<number, Counted>(streamName, {
      evolve,
      initialState,
    });
    expect({ state, currentStreamVersion, streamExists }).toEqual({
      state: 10,
      currentStreamVersion: 10n,
      streamExists: true,
    });
  });

  it('appends with expected versions and reads ranges', async () => {
    const streamName = newStream();
    const counted = (by: number): Counted => ({ type: 'Counted', data: { by } });
    expect(
      await store.appendToStream(streamName, [counted(1), counted(2)], {
        expectedStreamVersion: 'STREAM_DOES_NOT_EXIST',
      }),
    ).toEqual({
      nextExpectedStreamVersion: 2n,
      createdNewStream: true,
    });
    await expect(store.appendToStream(streamName, [counted(3)], { expectedStreamVersion: 1n })).rejects.toBeInstanceOf(
      VersionConflict,
    );
    expect(await store.appendToStream(streamName, [counted(3)], { expectedStreamVersion: 2n })).toMatchObject({
      nextExpectedStreamVersion: 3n,
    });
    const { events } = await store.readStream<Counted>(streamName, { from: 2n, to: 3n });
    expect(events.map(({ data, metadata }) => [data.by, metadata.streamPosition])).toEqual([
      [2, 2n],
      [3, 3n],
    ]);
  });

  it('says of a stream that does not exist just that', async () => {
    const streamName = newStream();
    expect(await store.readStream(streamName)).toEqual({ events: [], currentStreamVersion: 0n, streamExists: false });
    expect(await store.streamExists(streamName)).toBe(false);
    await expect(
      store.appendToStream(streamName, [], { expectedStreamVersion: 'STREAM_EXISTS' }),
    ).rejects.toBeInstanceOf(VersionConflict);
  });

  it('shares deciders with Emmett', () => {
    const given = DeciderSpecification.for<{ type: 'Count'; data: { by: number } }, Counted, number>({
      decide: ({ data }) => ({ type: 'Counted', data }),
      evolve,
      initialState,
    });
    given([])
      .when({ type: 'Count', data: { by: 2 } })
      .then([{ type: 'Counted', data: { by: 2 } }]);
  });
});
