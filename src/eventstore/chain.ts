import { hash } from 'node:crypto';

/** The fields of a domain event that the chain proves; `data` and `metadata` are the JSON texts as stored. */
export type ChainedEvent = {
  readonly position: number;
  readonly streamId: string;
  readonly streamVersion: number;
  readonly type: string;
  readonly schemaVersion: number;
  readonly data: string;
  readonly metadata: string;
};

/**
 * SHA-256 of a domain event, one line per field. No field can hold a line break (stream ids and types are checked at
 * append, JSON texts escape them), so that two different domain events never give the same text.
 */
export const eventDigest = (event: ChainedEvent): Buffer =>
  hash(
    'sha256',
    `${event.position}\n${event.streamId}\n${event.streamVersion}\n${event.type}\n${event.schemaVersion}\n${event.data}\n${event.metadata}`,
    'buffer',
  );

/** What a row keeps of its digest: 8 bytes as a signed number, enough to name the row that was changed. */
export const shortDigest = (digest: Buffer): string => digest.readBigInt64BE(0).toString();

/** SHA-256 over the digests of the domain events of a block, in order. */
export const blockDigest = (digests: readonly Buffer[]): Buffer => hash('sha256', Buffer.concat(digests), 'buffer');

/** The hash a partition starts from, so that two logs never share a chain. */
export const genesisHash = (instanceId: string, partition: number): Buffer =>
  hash('sha256', `posthorn log ${instanceId} ${partition}`, 'buffer');

/** SHA-256 of previous hash, digest, first position and instant (both as 64-bit big-endian). */
export const blockHash = (previous: Buffer, digest: Buffer, firstPosition: number, recordedAtMs: number): Buffer => {
  const numbers = Buffer.allocUnsafe(16);
  numbers.writeBigInt64BE(BigInt(firstPosition), 0);
  numbers.writeBigInt64BE(BigInt(recordedAtMs), 8);
  return hash('sha256', Buffer.concat([previous, digest, numbers]), 'buffer');
};
