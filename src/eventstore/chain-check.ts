import { blockDigest, blockHash, type ChainedEvent, eventDigest, shortDigest } from './chain.ts';

/** A domain event with all that the chain says of it, as the log or an export of it holds it. */
export type StoredEvent = ChainedEvent & {
  readonly partition: number;
  /** ISO 8601 in UTC with six digits after the point. */
  readonly recordedAt: string;
  /** See {@link shortDigest}. */
  readonly digest: string;
  /** Lower-case hex on the last domain event of its block, else null. */
  readonly blockHash: string | null;
};

export type Fault = {
  readonly partition: number;
  /** The first position that cannot be as it was appended. */
  readonly position: number;
  readonly what: string;
};

/** Domain events of one commit in one log partition, proved to follow the block before. */
export type CheckedBlock = {
  readonly partition: number;
  readonly first: number;
  readonly last: number;
  readonly hash: string;
  readonly recordedAtMs: number;
  readonly events: readonly StoredEvent[];
};

export type Step =
  | { readonly kind: 'open' }
  | { readonly kind: 'block'; readonly block: CheckedBlock }
  | { readonly kind: 'fault'; readonly fault: Fault };

export type ChainCheck = {
  /** Takes the next domain event; nothing may be added after a fault. */
  add(event: StoredEvent): Step;
  /** The fault of a chain that ends here, where it has to lead to `last` and, if that is known, to `hash`. */
  end(last: number, hash?: string): Fault | undefined;
  /** The last position that was added. */
  position(): number;
  /** Lower-case hex of the last whole block's hash. */
  hash(): string;
};

const OPEN: Step = { kind: 'open' };

/** Milliseconds of `recordedAt`; not a whole number when it is finer than any append makes it. */
export const recordedMs = (recordedAt: string): number =>
  Date.parse(`${recordedAt.slice(0, 23)}Z`) + Number(recordedAt.slice(23, 26)) / 1_000;

const breaksLine = ({ streamId, type, data, metadata }: StoredEvent): boolean =>
  data.includes('\n') || metadata.includes('\n') || streamId.includes('\n') || type.includes('\n');

/**
 * Follows the chain of one log partition from behind a position whose hash is known. A changed, removed, inserted or swapped
 * domain event shows by its position or its digest; only whoever also forged the digest is found by the hash of the block,
 * which names the block's first position.
 */
export const createChainCheck = ({
  partition,
  after,
  previousHash,
}: {
  partition: number;
  after: number;
  previousHash: Buffer;
}): ChainCheck => {
  let position = after;
  let previous = previousHash;
  let events: StoredEvent[] = [];
  let digests: Buffer[] = [];

  const fault = (at: number, what: string): Step => ({ kind: 'fault', fault: { partition, position: at, what } });

  const close = (first: StoredEvent, last: StoredEvent, stated: string): Step => {
    const recordedAtMs = recordedMs(last.recordedAt);
    const odd = events.find(({ recordedAt }) => recordedAt !== last.recordedAt);
    if (odd) return fault(odd.position, 'carries another instant than the rest of its block');
    if (!Number.isInteger(recordedAtMs)) return fault(first.position, 'carries an instant that no append makes');
    const hash = blockHash(previous, blockDigest(digests), first.position, recordedAtMs);
    if (hash.toString('hex') !== stated)
      return fault(first.position, `or another up to ${last.position} was changed, and its digest with it`);
    const block = { partition, first: first.position, last: last.position, hash: stated, recordedAtMs, events };
    previous = hash;
    events = [];
    digests = [];
    return { kind: 'block', block };
  };

  return {
    add: (event) => {
      if (event.position !== position + 1) return fault(position + 1, 'is missing');
      position = event.position;
      // A line break would let one digest stand for two different domain events.
      if (breaksLine(event)) return fault(position, 'holds a line break, which no append writes');
      const digest = eventDigest(event);
      if (shortDigest(digest) !== event.digest) return fault(position, 'was changed');
      events.push(event);
      digests.push(digest);
      return event.blockHash === null ? OPEN : close(events[0] ?? event, event, event.blockHash);
    },
    end: (last, hash) => {
      const at = (where: number, what: string): Fault => ({ partition, position: where, what });
      if (position < last) return at(position + 1, 'is missing, and so is all after it');
      if (events[0]) return at(events[0].position, 'begins a block that was never closed');
      if (hash !== undefined && hash !== previous.toString('hex'))
        return at(last, 'does not lead to the hash kept with the head');
      return undefined;
    },
    position: () => position,
    hash: () => previous.toString('hex'),
  };
};
