import { z } from 'zod';
import type { StoredEvent } from '../eventstore/chain-check.ts';
import type { SignedCheckpoint } from '../eventstore/signed-heads.ts';

/**
 * An export of the log is NDJSON, in this order: a header, signed checkpoints, domain events by log partition and position,
 * a trailer. Every line has exactly one spelling, so that no byte of it can change unnoticed. Checkpoints and keys come before
 * the domain events: whoever verifies then knows which hashes to keep, and needs no memory for the others.
 */
export const FORMAT = 'posthorn-log-export';
export const FORMAT_VERSION = 1;
/** Beyond anything an append takes; a longer line is not of an export. */
export const LINE_BYTES_MAX = 64 * 1_024 * 1_024;

const partition = z.int().min(0).max(1_023);
const position = z.int().min(0);
const hash = z.string().regex(/^[0-9a-f]{64}$/);
/** `whpk_` and the base64 of 32 bytes. */
const publicKey = z.string().regex(/^whpk_[A-Za-z0-9+/]{43}=$/);
const place = z.strictObject({ partition: partition.nullable(), position });

const askedSchema = z.strictObject({
  partitions: z.array(partition),
  from: z.array(place),
  to: z.array(place),
  until: z.string().nullable(),
});

const headerSchema = z.strictObject({
  kind: z.literal('header'),
  format: z.literal(FORMAT),
  version: z.literal(FORMAT_VERSION),
  instance_id: z.uuid(),
  log_partitions: z.int().min(1).max(1_024),
  software_version: z.string(),
  exported_at: z.iso.datetime(),
  asked: askedSchema,
  /** `previous_hash` is that of the block before `first`; an empty range has `last` one below `first`. */
  partitions: z.array(z.strictObject({ partition, first: position, last: position, previous_hash: hash })),
  public_keys: z.array(z.strictObject({ key_id: z.string(), public_key: publicKey })),
});

const checkpointSchema = z.strictObject({
  kind: z.literal('checkpoint'),
  checkpoint_id: z.uuid(),
  heads: z.string(),
  key_id: z.string(),
  signature: z.string(),
  signed_at: z.string(),
});

const eventSchema = z.strictObject({
  kind: z.literal('event'),
  partition,
  position,
  recorded_at: z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
  stream_id: z.string(),
  stream_version: z.int(),
  type: z.string(),
  schema_version: z.int(),
  digest: z.string().regex(/^-?\d{1,19}$/),
  block_hash: hash.nullable(),
  data: z.string(),
  metadata: z.string(),
});

const trailerSchema = z.strictObject({
  kind: z.literal('trailer'),
  /** Where the export ends, and the hash there. */
  partitions: z.array(z.strictObject({ partition, position, hash })),
  events: z.int(),
  checkpoints: z.int(),
  /** SHA-256 of every byte before this line: against accidents, since a forger can make it anew. */
  sha256: hash,
});

export type Header = Readonly<z.infer<typeof headerSchema>>;
export type Trailer = Readonly<z.infer<typeof trailerSchema>>;
/** What an export was asked for, before it was made to fit the log. */
export type Asked = Readonly<z.infer<typeof askedSchema>>;
/** A position of one log partition, or of every one. */
export type Place = Readonly<z.infer<typeof place>>;

const line = <T>(schema: z.ZodType<T>, value: T): string => JSON.stringify(schema.parse(value));

export const headerLine = (header: Header): string => line(headerSchema, header);
export const trailerLine = (trailer: Trailer): string => line(trailerSchema, trailer);
export const TRAILER_START = '{"kind":"trailer"';

export const checkpointLine = ({ checkpointId, heads, keyId, signature, signedAt }: SignedCheckpoint): string =>
  line(checkpointSchema, {
    kind: 'checkpoint',
    checkpoint_id: checkpointId,
    heads,
    key_id: keyId,
    signature,
    signed_at: signedAt,
  });

export const eventLine = (event: StoredEvent): string =>
  JSON.stringify({
    kind: 'event',
    partition: event.partition,
    position: event.position,
    recorded_at: event.recordedAt,
    stream_id: event.streamId,
    stream_version: event.streamVersion,
    type: event.type,
    schema_version: event.schemaVersion,
    digest: event.digest,
    block_hash: event.blockHash,
    data: event.data,
    metadata: event.metadata,
  });

export type Line =
  | { readonly kind: 'header'; readonly header: Header }
  | { readonly kind: 'checkpoint'; readonly checkpoint: SignedCheckpoint }
  | { readonly kind: 'event'; readonly event: StoredEvent }
  | { readonly kind: 'trailer'; readonly trailer: Trailer };

const lineSchema = z.discriminatedUnion('kind', [eventSchema, checkpointSchema, headerSchema, trailerSchema]);

/** Undefined for a line that no export writes, be it only by a blank or the order of its fields. */
export const parseLine = (text: string): Line | undefined => {
  const parsed = lineSchema.safeParse(jsonOf(text)).data;
  if (parsed === undefined || JSON.stringify(parsed) !== text) return undefined;
  switch (parsed.kind) {
    case 'header':
      return { kind: 'header', header: parsed };
    case 'trailer':
      return { kind: 'trailer', trailer: parsed };
    case 'checkpoint':
      return {
        kind: 'checkpoint',
        checkpoint: {
          checkpointId: parsed.checkpoint_id,
          heads: parsed.heads,
          keyId: parsed.key_id,
          signature: parsed.signature,
          signedAt: parsed.signed_at,
        },
      };
    case 'event':
      return {
        kind: 'event',
        event: {
          partition: parsed.partition,
          position: parsed.position,
          recordedAt: parsed.recorded_at,
          streamId: parsed.stream_id,
          streamVersion: parsed.stream_version,
          type: parsed.type,
          schemaVersion: parsed.schema_version,
          digest: parsed.digest,
          blockHash: parsed.block_hash,
          data: parsed.data,
          metadata: parsed.metadata,
        },
      };
  }
};

const jsonOf = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
