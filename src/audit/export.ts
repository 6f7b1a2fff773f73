import { createHash, type Hash } from 'node:crypto';
import type { Pool } from 'pg';
import { readInstance } from '../eventstore/initialise.ts';
import { readChain } from '../eventstore/read-chain.ts';
import { headsOf, readCheckpoints, type SignedCheckpoint } from '../eventstore/signed-heads.ts';
import {
  type Asked,
  checkpointLine,
  eventLine,
  FORMAT,
  FORMAT_VERSION,
  type Header,
  headerLine,
  trailerLine,
} from './format.ts';
import { type Range, rangesOf } from './range.ts';

type Queryable = Pick<Pool, 'query'>;

/** Lines gathered before they are written. */
const WRITE_BYTES = 262_144;

const NOW = `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS now`;
const BLOCK_HASH = `
  SELECT encode(block_hash, 'hex') AS hash FROM domain_event WHERE partition_no = $1 AND position = $2`;

/** What an export has come to: all of it is found again by reading the file. */
export type Written = {
  readonly header: Header;
  /** SHA-256 of every byte so far. */
  readonly sha256: Hash;
  readonly checkpoints: number;
  readonly events: number;
  /** The last domain event; undefined before the first. */
  readonly last: { readonly partition: number; readonly position: number } | undefined;
};

export type PublicKey = Header['public_keys'][number];

/** Fixes what is exported: upper ends, keys and instant. Everything after it follows from it and the log. */
export const makeHeader = async (
  db: Queryable,
  { asked, version, publicKeys }: { asked: Asked; version: string; publicKeys: readonly PublicKey[] },
): Promise<Header> => {
  const instance = await readInstance(db);
  const { rows } = await db.query<{ now: string }>(NOW);
  const partitions = await rangesOf(db, instance, asked);
  return {
    kind: 'header',
    format: FORMAT,
    version: FORMAT_VERSION,
    instance_id: instance.instanceId,
    log_partitions: instance.partitions,
    software_version: version,
    exported_at: rows[0]?.now ?? '',
    asked,
    partitions,
    public_keys: [...publicKeys],
  };
};

export const countOf = (ranges: readonly Range[]): number =>
  ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);

/**
 * Writes an export, or what is missing of one: after the header alone, or after its last whole domain event. `write` is
 * waited for before more is read, so a slow reader costs no memory. Answers with the number of domain events and of signed
 * checkpoints in the whole export.
 */
export const writeExport = async (
  db: Queryable,
  begun: { header: Header } | Written,
  write: (bytes: Buffer) => Promise<void>,
  onProgress: (done: number, total: number) => void = () => undefined,
): Promise<{ events: number; checkpoints: number }> => {
  const { header } = begun;
  const sha256 = 'sha256' in begun ? begun.sha256 : createHash('sha256');
  const last = 'last' in begun ? begun.last : undefined;
  let [events, checkpoints] = 'sha256' in begun ? [begun.events, begun.checkpoints] : [0, 0];
  const total = countOf(header.partitions);

  let gathered: string[] = [];
  let length = 0;
  const flush = async (): Promise<void> => {
    const bytes = Buffer.from(gathered.map((text) => `${text}\n`).join(''));
    gathered = [];
    length = 0;
    sha256.update(bytes);
    await write(bytes);
  };
  const add = async (text: string): Promise<void> => {
    gathered.push(text);
    length += text.length;
    if (length >= WRITE_BYTES) await flush();
  };

  if (last === undefined) {
    if (!('sha256' in begun)) await add(headerLine(header));
    const lying = (await readCheckpoints(db)).filter((checkpoint) => liesIn(header, checkpoint));
    for (const checkpoint of lying.slice(checkpoints)) await add(checkpointLine(checkpoint));
    checkpoints = lying.length;
  }
  const begin = last === undefined ? 0 : header.partitions.findIndex(({ partition }) => partition === last.partition);
  for (const [index, range] of header.partitions.slice(begin).entries()) {
    let position = index === 0 && last !== undefined ? last.position : range.first - 1;
    for await (const batch of readChain(db, range.partition, position, range.last)) {
      for (const event of batch) {
        position += 1;
        if (event.position !== position) throw missing(range.partition, position);
        await add(eventLine(event));
      }
      events += batch.length;
      onProgress(events, total);
    }
    if (position !== range.last) throw missing(range.partition, position + 1);
  }
  await flush();
  const partitions: { partition: number; position: number; hash: string }[] = [];
  for (const range of header.partitions)
    partitions.push({ partition: range.partition, position: range.last, hash: await hashAtEnd(db, range) });
  const trailer = trailerLine({ kind: 'trailer', partitions, events, checkpoints, sha256: sha256.digest('hex') });
  await write(Buffer.from(`${trailer}\n`));
  return { events, checkpoints };
};

/** Made by the time of the export, not ahead of any range, and with a head in one: the others prove nothing here. */
const liesIn = ({ partitions, exported_at }: Header, checkpoint: SignedCheckpoint): boolean => {
  if (checkpoint.signedAt > exported_at) return false;
  const heads = new Map(headsOf(checkpoint).heads.map(({ partition, position }) => [partition, position]));
  const at = (range: Range): number => heads.get(range.partition) ?? 0;
  return (
    partitions.every((range) => at(range) <= range.last) &&
    partitions.some((range) => at(range) >= Math.max(1, range.first - 1))
  );
};

const hashAtEnd = async (db: Queryable, { partition, first, last, previous_hash }: Range): Promise<string> => {
  if (last < first) return previous_hash;
  const { rows } = await db.query<{ hash: string | null }>(BLOCK_HASH, [partition, last]);
  const hash = rows[0]?.hash;
  if (hash === undefined || hash === null)
    throw new Error(
      `Position ${last} of log partition ${partition} ends no block any more; run \`posthorn audit verify\`.`,
    );
  return hash;
};

const missing = (partition: number, position: number): Error =>
  new Error(`Position ${position} of log partition ${partition} is missing; run \`posthorn audit verify\`.`);
