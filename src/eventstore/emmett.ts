import type {
  AppendToStreamOptions,
  AppendToStreamResult,
  Event,
  EventStore,
  ReadEvent,
  ReadEventMetadataWithoutGlobalPosition,
  ReadStreamOptions,
  ReadStreamResult,
} from '@event-driven-io/emmett';
import type { DomainEventMetadata } from '../domain/metadata.ts';
import type { GroupCommit } from './group-commit.ts';
import { partitionOf } from './partition.ts';
import type { LogReader } from './read.ts';
import type { ExpectedVersion, RecordedEvent } from './types.ts';

type Metadata = ReadEventMetadataWithoutGlobalPosition<bigint>;

/** Status 412 is how Emmett's command handler recognises a conflict that is worth another try. */
const CONFLICT_CODE = 412;

/** The stream has another version than the caller expected: read it again, decide again. */
export class VersionConflict extends Error {
  readonly errorCode = CONFLICT_CODE;
  readonly current: string;
  readonly expected: string;

  constructor(streamId: string, current: bigint, expected: string) {
    super(`Stream ${streamId} has version ${current}, not ${expected}; read it again and decide again.`);
    this.name = 'VersionConflict';
    this.current = String(current);
    this.expected = expected;
  }
}

const toReadEvent = <E extends Event>(event: RecordedEvent): ReadEvent<E, Metadata> =>
  ({
    kind: 'Event',
    type: event.type,
    data: event.data,
    metadata: {
      ...event.metadata,
      streamName: event.streamId,
      messageId: `${event.streamId}@${event.streamVersion}`,
      streamPosition: BigInt(event.streamVersion),
    },
  }) as unknown as ReadEvent<E, Metadata>; // The caller names the type of what it reads; nothing here can check it.

const matches = (current: bigint, expected: unknown): boolean => {
  if (expected === undefined || expected === 'NO_CONCURRENCY_CHECK') return true;
  if (expected === 'STREAM_DOES_NOT_EXIST') return current === 0n;
  if (expected === 'STREAM_EXISTS') return current > 0n;
  return current === expected;
};

/**
 * The log as Emmett's `EventStore`: stream versions are bigints from 1, a stream that does not exist has version 0. The
 * partition of a stream is that of its name, unless `routingKeyOf` knows better.
 */
export const createEmmettStore = ({
  log,
  reader,
  partitions,
  metadata,
  routingKeyOf = (streamName) => streamName,
}: {
  log: GroupCommit;
  reader: LogReader;
  partitions: number;
  metadata: DomainEventMetadata;
  routingKeyOf?: (streamName: string) => string;
}): EventStore<Metadata> => {
  const partitionFor = (streamName: string): number => partitionOf(routingKeyOf(streamName), partitions);

  const readStream = async <E extends Event, Payload extends Event = E>(
    streamName: string,
    options?: ReadStreamOptions<bigint, E, Payload>,
  ): Promise<ReadStreamResult<E, Metadata>> => {
    const partition = partitionFor(streamName);
    const from = Number(options?.from ?? 1n);
    const toVersion = options?.to === undefined ? {} : { toVersion: Number(options.to) };
    const limit = options?.maxCount === undefined ? {} : { limit: Number(options.maxCount) };
    const recorded = await reader.readStream(streamName, { partition, fromVersion: from, ...toVersion, ...limit });
    const current = BigInt(recorded.at(-1)?.streamVersion ?? 0);
    if (!matches(current, options?.expectedStreamVersion))
      throw new VersionConflict(streamName, current, String(options?.expectedStreamVersion));
    const upcast = options?.schema?.versioning?.upcast;
    const events = recorded.map((event) => {
      const read = toReadEvent<E>(event);
      return upcast ? ({ ...read, ...upcast(read as unknown as Payload) } as ReadEvent<E, Metadata>) : read;
    });
    return { events, currentStreamVersion: current, streamExists: current > 0n };
  };

  const appendToStream = async <E extends Event, Payload extends Event = E>(
    streamName: string,
    events: E[],
    options?: AppendToStreamOptions<bigint, E, Payload>,
  ): Promise<AppendToStreamResult<bigint>> => {
    const partition = partitionFor(streamName);
    const expected = options?.expectedStreamVersion;
    const downcast = options?.schema?.versioning?.downcast;
    const toAppend = events
      .map((event) => (downcast ? downcast(event) : event))
      .map(({ type, data }) => ({ type, data }));
    for (;;) {
      const current = await currentVersion(streamName, partition);
      if (!matches(current, expected)) throw new VersionConflict(streamName, current, String(expected));
      if (toAppend.length === 0) return { nextExpectedStreamVersion: current, createdNewStream: false };
      const expectedVersion: ExpectedVersion = Number(current);
      const result = await log.append({
        streams: [{ streamId: streamName, partition, expectedVersion, events: toAppend }],
        metadata,
      });
      if (result.kind === 'appended')
        return { nextExpectedStreamVersion: current + BigInt(events.length), createdNewStream: current === 0n };
      // Somebody was quicker: whether that matters is decided against the version the caller named.
      if (typeof expected === 'bigint')
        throw new VersionConflict(streamName, await currentVersion(streamName, partition), String(expected));
    }
  };

  const currentVersion = async (streamName: string, partition: number): Promise<bigint> =>
    BigInt(await reader.streamVersion(streamName, partition));

  return {
    readStream,
    appendToStream,
    aggregateStream: async (streamName, options) => {
      const { events, currentStreamVersion, streamExists } = await readStream(streamName, options.read as never);
      const evolve = options.evolve as (state: unknown, event: unknown) => unknown;
      const state = events.reduce<unknown>((folded, event) => evolve(folded, event), options.initialState());
      return { state: state as ReturnType<typeof options.initialState>, currentStreamVersion, streamExists };
    },
    streamExists: async (streamName) => (await currentVersion(streamName, partitionFor(streamName))) > 0n,
  };
};
