import type { Pool, PoolClient } from 'pg';
import type { DomainEventMetadata } from '../domain/metadata.ts';
import { arrayLiteral } from './statements.ts';
import type { RecordedEvent } from './types.ts';
import { type Upcasters, upcast } from './upcasters.ts';

export type LogQueryable = Pick<Pool | PoolClient, 'query'>;

type EventRow = {
  partition_no: number;
  position: number;
  stream_id: string;
  stream_version: number;
  type: string;
  schema_version: number;
  data: Record<string, unknown>;
  metadata: DomainEventMetadata;
  recorded_ms: number;
};

const COLUMNS = `partition_no, position::float8 AS position, stream_id, stream_version, type, schema_version, data, metadata,
  (extract(epoch FROM recorded_at) * 1000)::float8 AS recorded_ms`;

const READ_STREAM = `
  SELECT ${COLUMNS} FROM domain_event
  WHERE partition_no = ANY($1::smallint[]) AND stream_id = $2 AND stream_version >= $3 AND stream_version <= $4
  ORDER BY stream_version
  LIMIT $5`;
const READ_STREAMS = `
  SELECT ${COLUMNS} FROM domain_event
  WHERE (partition_no, stream_id) IN (SELECT * FROM unnest($1::smallint[], string_to_array($2, E'\\n')))
  ORDER BY partition_no, stream_id, stream_version`;
/** By key whatever the planner believes: a stream has few domain events, and a cut through the log ends it early. */
const READ_STREAMS_UP_TO = `
  SELECT e.* FROM unnest($1::smallint[], string_to_array($2, E'\\n'), $3::bigint[]) AS s (partition_no, stream_id, up_to)
  CROSS JOIN LATERAL (
    SELECT ${COLUMNS} FROM domain_event AS d
    WHERE d.partition_no = s.partition_no AND d.stream_id = s.stream_id AND d.position <= s.up_to
    ORDER BY d.stream_version
    OFFSET 0) AS e`;
/** Whole streams from their beginnings, but no more than so many versions of each, and so many rows of all. */
const READ_STREAMS_WITHIN = READ_STREAMS_UP_TO.replace(
  'd.position <= s.up_to',
  'd.position <= s.up_to AND d.stream_version <= $4',
).concat('\n  LIMIT $5');
const READ_RANGES = `
  SELECT e.* FROM unnest($1::smallint[], $2::bigint[], $3::bigint[]) AS r (partition_no, after, up_to)
  CROSS JOIN LATERAL (
    SELECT ${COLUMNS} FROM domain_event AS d
    WHERE d.partition_no = r.partition_no AND d.position > r.after AND d.position <= r.up_to
    ORDER BY d.position
    OFFSET 0) AS e`;
const STREAM_VERSION = `
  SELECT max(stream_version) AS stream_version FROM domain_event WHERE partition_no = $1 AND stream_id = $2`;
/** Ordered by the column, not by the number that is selected under its name: that one would be sorted, all of it each time. */
const READ_FORWARDS = `
  SELECT ${COLUMNS} FROM domain_event
  WHERE partition_no = $1 AND position > $2
  ORDER BY domain_event.position
  LIMIT $3`;
const READ_BACKWARDS = `
  SELECT ${COLUMNS} FROM domain_event
  WHERE partition_no = $1 AND position < $2
  ORDER BY domain_event.position DESC
  LIMIT $3`;
const READ_HEADS = `
  SELECT partition_no, position::float8 AS position, configuration_position::float8 AS configuration_position
  FROM log_head ORDER BY partition_no`;

export type HeadPosition = {
  readonly partition: number;
  readonly position: number;
  readonly configurationPosition: number;
};

export type LogReader = {
  /** In order of version, from and to inclusive. Without `partition` every log partition is asked. */
  readStream(
    streamId: string,
    options?: { partition?: number; fromVersion?: number; toVersion?: number; limit?: number },
  ): Promise<RecordedEvent[]>;
  /** Streams one after the other, each in order of version; `upTo` cuts one off behind that position of its log partition. */
  readStreams(streams: readonly { partition: number; streamId: string; upTo?: number }[]): Promise<RecordedEvent[]>;
  /** The same, but no more than `toVersion` of each, and `limit` domain events of all of them. */
  readStreamsWithin(
    streams: readonly { partition: number; streamId: string; upTo?: number }[],
    bounds: { toVersion: number; limit: number },
  ): Promise<RecordedEvent[]>;
  /** Parts of log partitions, `after` exclusive and `upTo` inclusive, each in order of position. */
  readRanges(ranges: readonly { partition: number; after: number; upTo: number }[]): Promise<RecordedEvent[]>;
  /** 0 when the stream does not exist. */
  streamVersion(streamId: string, partition: number): Promise<number>;
  /** The domain events after a position, oldest first. */
  readPartition(partition: number, afterPosition: number, limit: number): Promise<RecordedEvent[]>;
  /** The domain events before a position, newest first. */
  readPartitionBackwards(partition: number, beforePosition: number, limit: number): Promise<RecordedEvent[]>;
  heads(): Promise<HeadPosition[]>;
};

const ALL = 2 ** 31 - 1;

const namesOf = (streams: readonly { partition: number; streamId: string }[]): unknown[] => [
  arrayLiteral(streams.map(({ partition }) => partition)),
  streams.map(({ streamId }) => streamId).join('\n'),
];
const endsOf = (streams: readonly { upTo?: number }[]): string =>
  arrayLiteral(streams.map(({ upTo = Number.MAX_SAFE_INTEGER }) => upTo));

export const createLogReader = ({
  db,
  partitions,
  upcasters = {},
}: {
  db: LogQueryable;
  partitions: number;
  upcasters?: Upcasters;
}): LogReader => {
  const everyPartition = arrayLiteral(Array.from({ length: partitions }, (_, partition) => partition));
  const events = async (name: string, text: string, values: unknown[]): Promise<RecordedEvent[]> => {
    const { rows } = await db.query<EventRow>({ name, text, values });
    return rows.map((row) =>
      upcast(
        {
          partition: row.partition_no,
          position: row.position,
          streamId: row.stream_id,
          streamVersion: row.stream_version,
          type: row.type,
          schemaVersion: row.schema_version,
          data: row.data,
          metadata: row.metadata,
          recordedAtMs: row.recorded_ms,
        },
        upcasters,
      ),
    );
  };
  return {
    readStream: (streamId, { partition, fromVersion = 1, toVersion = ALL, limit = ALL } = {}) =>
      events('read_stream', READ_STREAM, [
        partition === undefined ? everyPartition : arrayLiteral([partition]),
        streamId,
        fromVersion,
        toVersion,
        limit,
      ]),
    readStreams: (streams) =>
      streams.every(({ upTo }) => upTo === undefined)
        ? events('read_streams', READ_STREAMS, namesOf(streams))
        : events('read_streams_up_to', READ_STREAMS_UP_TO, [...namesOf(streams), endsOf(streams)]),
    readStreamsWithin: (streams, { toVersion, limit }) =>
      events('read_streams_within', READ_STREAMS_WITHIN, [...namesOf(streams), endsOf(streams), toVersion, limit]),
    readRanges: (ranges) =>
      events('read_ranges', READ_RANGES, [
        arrayLiteral(ranges.map(({ partition }) => partition)),
        arrayLiteral(ranges.map(({ after }) => after)),
        arrayLiteral(ranges.map(({ upTo }) => upTo)),
      ]),
    streamVersion: async (streamId, partition) => {
      const { rows } = await db.query<{ stream_version: number | null }>({
        name: 'stream_version',
        text: STREAM_VERSION,
        values: [partition, streamId],
      });
      return rows[0]?.stream_version ?? 0;
    },
    readPartition: (partition, after, limit) => events('read_forwards', READ_FORWARDS, [partition, after, limit]),
    readPartitionBackwards: (partition, before, limit) =>
      events('read_backwards', READ_BACKWARDS, [partition, before, limit]),
    heads: async () => {
      const { rows } = await db.query<{ partition_no: number; position: number; configuration_position: number }>({
        name: 'read_heads',
        text: READ_HEADS,
      });
      return rows.map((row) => ({
        partition: row.partition_no,
        position: row.position,
        configurationPosition: row.configuration_position,
      }));
    },
  };
};
