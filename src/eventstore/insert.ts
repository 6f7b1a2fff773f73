import { blockDigest, blockHash, eventDigest, shortDigest } from './chain.ts';
import { arrayLiteral, lines } from './statements.ts';
import type { BatchStatement, RecordedEvent } from './types.ts';

/** What the lock on a partition's head gives: where the next block begins and what it is chained to. */
export type Head = {
  readonly partition: number;
  position: number;
  hash: Buffer;
  configurationPosition: number;
  readonly deliveryEpoch: number;
  /** The database's clock, never before the last block's. */
  readonly nowMs: number;
};

export type EventRow = {
  readonly event: RecordedEvent;
  readonly data: string;
  readonly metadata: string;
  /** See {@link shortDigest}. */
  digest: string;
  /** Lower-case hex on the last domain event of its block, else empty. */
  blockHash: string;
};

/** What is stored of a domain event; its data and metadata as texts. */
export type InsertedRow = Pick<EventRow, 'data' | 'metadata' | 'digest' | 'blockHash'> & {
  readonly event: Omit<RecordedEvent, 'data' | 'metadata' | 'attachment'>;
};

export const INSERT_DOMAIN_EVENTS: BatchStatement<InsertedRow> = {
  name: 'domain_event',
  sql: `
    INSERT INTO domain_event
      (partition_no, position, recorded_at, stream_version, schema_version, stream_id, type, data, metadata, block_hash, digest)
    SELECT partition_no, position, to_timestamp(recorded_ms::float8 / 1000), stream_version, schema_version,
           stream_id, type, data::json, metadata::json, decode(NULLIF(block_hash, ''), 'hex'), digest
    FROM unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::integer[], $5::smallint[],
                string_to_array($6, E'\\n'), string_to_array($7, E'\\n'), string_to_array($8, E'\\n'),
                string_to_array($9, E'\\n'), string_to_array($10, E'\\n'), $11::bigint[])
      AS e (partition_no, position, recorded_ms, stream_version, schema_version, stream_id, type, data, metadata, block_hash, digest)`,
  parameters: (rows) => [
    arrayLiteral(rows.map(({ event }) => event.partition)),
    arrayLiteral(rows.map(({ event }) => event.position)),
    arrayLiteral(rows.map(({ event }) => event.recordedAtMs)),
    arrayLiteral(rows.map(({ event }) => event.streamVersion)),
    arrayLiteral(rows.map(({ event }) => event.schemaVersion)),
    lines(rows.map(({ event }) => event.streamId)),
    lines(rows.map(({ event }) => event.type)),
    lines(rows.map((row) => row.data)),
    lines(rows.map((row) => row.metadata)),
    // Never empty as a whole: the last row of a batch always closes a block.
    lines(rows.map((row) => row.blockHash)),
    arrayLiteral(rows.map((row) => row.digest)),
  ],
};

export const MOVE_HEADS: BatchStatement<Head> = {
  name: 'log_head',
  sql: `
    UPDATE log_head AS h
    SET position = m.position, hash = decode(m.hash, 'hex'), configuration_position = m.configuration_position,
        recorded_at = to_timestamp(m.recorded_ms::float8 / 1000)
    FROM unnest($1::smallint[], $2::bigint[], string_to_array($3, E'\\n'), $4::bigint[], $5::bigint[])
      AS m (partition_no, position, hash, configuration_position, recorded_ms)
    WHERE h.partition_no = m.partition_no`,
  parameters: (heads) => [
    arrayLiteral(heads.map((head) => head.partition)),
    arrayLiteral(heads.map((head) => head.position)),
    lines(heads.map((head) => head.hash.toString('hex'))),
    arrayLiteral(heads.map((head) => head.configurationPosition)),
    arrayLiteral(heads.map((head) => head.nowMs)),
  ],
};

/** Closes each partition's rows as one block: puts the block's hash on its last row and into the head. */
export const chainBlocks = (rows: readonly EventRow[], heads: ReadonlyMap<number, Head>): void => {
  const blocks = new Map<number, EventRow[]>();
  for (const row of rows) {
    const block = blocks.get(row.event.partition);
    if (block) block.push(row);
    else blocks.set(row.event.partition, [row]);
  }
  for (const [partition, block] of blocks) {
    const head = heads.get(partition);
    const first = block[0];
    const last = block.at(-1);
    if (!head || !first || !last) throw new Error(`The head of log partition ${partition} was not locked.`);
    const digests = block.map((row) => {
      const { position, streamId, streamVersion, type, schemaVersion } = row.event;
      const { data, metadata } = row;
      const digest = eventDigest({ position, streamId, streamVersion, type, schemaVersion, data, metadata });
      row.digest = shortDigest(digest);
      return digest;
    });
    head.hash = blockHash(head.hash, blockDigest(digests), first.event.position, head.nowMs);
    last.blockHash = head.hash.toString('hex');
  }
};
