import { createHash, type Hash } from 'node:crypto';
import { publicKeyOfWhpk } from '../domain/signature/keys.ts';
import { genesisHash } from '../eventstore/chain.ts';
import { type ChainCheck, type CheckedBlock, createChainCheck, type StoredEvent } from '../eventstore/chain-check.ts';
import {
  headsOf,
  judgeCheckpoint,
  type PublicKeys,
  type SignedCheckpoint,
  UNKNOWN_HASH,
} from '../eventstore/signed-heads.ts';
import { type Header, parseLine, TRAILER_START, type Trailer } from './format.ts';
import { type Lines, readLines } from './lines.ts';
import { faultAt, LogFault } from './log-source.ts';
import type { Range } from './range.ts';

export type ReadOptions = {
  /** Checkpoints kept elsewhere, to be compared as well. */
  readonly checkpoints?: readonly SignedCheckpoint[];
  /** Trusted instead of those that the export names itself. */
  readonly publicKeys?: PublicKeys | undefined;
};

export type ExportSummary = {
  readonly header: Header;
  readonly events: number;
  readonly blocks: number;
  /** Those in the file and those given. */
  readonly checkpoints: number;
  readonly checkpointFindings: readonly string[];
};

export type ExportReader = {
  readonly header: Header;
  /** Proves the file from its beginning to its end, block by block; throws a {@link LogFault} at the first that cannot be. */
  readonly blocks: () => AsyncGenerator<CheckedBlock>;
  /** Once all blocks were read. */
  readonly summary: () => Promise<ExportSummary>;
};

/** The chain of one range after the other, in the order of the header. */
const createWalk = ({ instance_id: instanceId, partitions }: Header) => {
  let index = -1;
  let range: Range | undefined;
  let check: ChainCheck | undefined;
  const begin = (): void => {
    do {
      index += 1;
      range = partitions[index];
    } while (range && range.last < range.first);
    if (!range) return;
    const { partition, first, previous_hash } = range;
    check = createChainCheck({ partition, after: first - 1, previousHash: Buffer.from(previous_hash, 'hex') });
  };
  for (const { partition, first, previous_hash } of partitions)
    if (first === 1 && previous_hash !== genesisHash(instanceId, partition).toString('hex'))
      throw faultAt(partition, 1, 'does not begin the chain of this instance');
  begin();
  return {
    /** The place of the domain event that has to come next; undefined at the end. */
    next: (): { partition: number; position: number } | undefined =>
      range && check ? { partition: range.partition, position: check.position() + 1 } : undefined,
    add: (event: StoredEvent): CheckedBlock | undefined => {
      if (!range || !check)
        throw faultAt(event.partition, event.position, 'is beyond what the header of the export names');
      const { partition, last } = range;
      if (event.partition !== partition)
        throw faultAt(
          partition,
          check.position() + 1,
          `is missing: ${event.partition}:${event.position} is in its place`,
        );
      const step = check.add(event);
      if (step.kind === 'fault') throw faultAt(partition, step.fault.position, step.fault.what);
      if (check.position() === last) {
        const fault = check.end(last);
        if (fault) throw faultAt(partition, fault.position, fault.what);
        begin();
      }
      return step.kind === 'block' ? step.block : undefined;
    },
  };
};

/** Remembers the hashes that checkpoints speak of, and no others. */
const createWitness = ({ partitions }: Header) => {
  const ranges = new Map(partitions.map((range) => [range.partition, range]));
  const hashes = new Map<number, Map<number, string | undefined>>();
  return {
    watch: (checkpoint: SignedCheckpoint): void => {
      for (const { partition, position } of placesOf(checkpoint)) {
        const own = hashes.get(partition) ?? new Map<number, string | undefined>();
        hashes.set(partition, own.set(position, undefined));
      }
    },
    see: ({ partition, last, hash }: CheckedBlock): void => {
      const own = hashes.get(partition);
      if (own?.has(last)) own.set(last, hash);
    },
    hashAt: (partition: number, position: number): string | undefined => {
      const range = ranges.get(partition);
      if (!range || position < range.first - 1) return UNKNOWN_HASH;
      if (position === range.first - 1) return range.previous_hash;
      return hashes.get(partition)?.get(position);
    },
  };
};

/** Those of a forged checkpoint may be anything: its signature is judged at the end. */
const placesOf = (checkpoint: SignedCheckpoint): { partition: number; position: number }[] => {
  try {
    return headsOf(checkpoint).heads.map(({ partition, position }) => ({ partition, position }));
  } catch {
    return [];
  }
};

/** Opens an exported file and reads its header; throws a {@link LogFault} when it has none. */
export const openExport = async (path: string, options: ReadOptions = {}): Promise<ExportReader> => {
  const header = await readHeader(path);
  const given = options.checkpoints ?? [];
  const keys =
    options.publicKeys ?? new Map(header.public_keys.map((key) => [key.key_id, publicKeyOfWhpk(key.public_key)]));
  const keysAre = options.publicKeys ? 'the public keys given' : 'the public keys of the export';
  const witness = createWitness(header);
  for (const checkpoint of given) witness.watch(checkpoint);
  const checkpoints: SignedCheckpoint[] = [];
  let events = 0;
  let blocks = 0;
  let isWhole = false;

  async function* read(): AsyncGenerator<CheckedBlock> {
    const walk = createWalk(header);
    const sha256 = createHash('sha256');
    const hashes: string[] = [];
    let trailer: Trailer | undefined;
    let number = 0;
    for await (const piece of readLines(path)) {
      hashBeforeTrailer(sha256, piece);
      for (const text of piece.lines) {
        number += 1;
        const line = parseLine(text);
        if (trailer) throw new LogFault(`line ${number} follows the trailer, which has to be the last`);
        if (line === undefined) throw notAsWritten(walk.next(), number);
        if (line.kind === 'event') {
          const block = walk.add(line.event);
          events += 1;
          if (!block) continue;
          witness.see(block);
          blocks += 1;
          hashes[block.partition] = block.hash;
          yield block;
        } else if (line.kind === 'checkpoint' && events === 0) {
          checkpoints.push(line.checkpoint);
          witness.watch(line.checkpoint);
        } else if (line.kind === 'trailer') trailer = line.trailer;
        else if (line.kind !== 'header' || number !== 1)
          throw new LogFault(`line ${number} is a ${line.kind}, which cannot stand there`);
      }
      if (piece.rest > 0) throw truncated(walk.next());
    }
    const next = walk.next();
    if (!trailer || next)
      throw next && trailer ? faultAt(next.partition, next.position, 'is missing') : truncated(next);
    const ends = header.partitions.map(({ partition, last, previous_hash }) => ({
      partition,
      position: last,
      hash: hashes[partition] ?? previous_hash,
    }));
    const stated = {
      ...trailer,
      partitions: ends,
      events,
      checkpoints: checkpoints.length,
      sha256: sha256.digest('hex'),
    };
    if (JSON.stringify(stated) !== JSON.stringify(trailer))
      throw new LogFault('the trailer does not state what the file holds: a line of it was changed');
    isWhole = true;
  }

  return {
    header,
    blocks: read,
    summary: async () => {
      if (!isWhole) throw new Error('The export was not read to its end.');
      const judged = [...checkpoints, ...given];
      const judge = { keys, keysAre, instanceId: header.instance_id, hashAt: witness.hashAt };
      const checkpointFindings: string[] = [];
      for (const checkpoint of judged) checkpointFindings.push(...(await judgeCheckpoint(checkpoint, judge)));
      return { header, events, blocks, checkpoints: judged.length, checkpointFindings };
    },
  };
};

const readHeader = async (path: string): Promise<Header> => {
  for await (const { lines } of readLines(path)) {
    if (lines[0] === undefined) break;
    const line = parseLine(lines[0]);
    if (line?.kind === 'header') return line.header;
    throw new LogFault('the header was changed, or is not one that this release can read');
  }
  throw new LogFault('the file ends before its header does: it is truncated');
};

/** The hash covers all but the trailer, which states it. */
const hashBeforeTrailer = (sha256: Hash, { bytes, lines }: Lines): void => {
  const last = lines.at(-1) ?? '';
  const end = last.startsWith(TRAILER_START) ? bytes.lastIndexOf(10, bytes.length - 2) + 1 : bytes.length;
  sha256.update(bytes.subarray(0, end));
};

const notAsWritten = (next: { partition: number; position: number } | undefined, line: number): LogFault =>
  next
    ? faultAt(next.partition, next.position, `or another line was changed: line ${line} is not as an export writes it`)
    : new LogFault(`line ${line} is not as an export writes it`);

const truncated = (next: { partition: number; position: number } | undefined): LogFault =>
  next
    ? faultAt(next.partition, next.position, 'is missing: the file is truncated')
    : new LogFault('the file ends before its trailer does: it is truncated');
