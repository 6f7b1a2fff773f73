import type { CheckedBlock } from '../eventstore/chain-check.ts';

/** Up to where a log is replayed; without any limit, all of it. */
export type Cut = {
  /** ISO 8601; what was recorded at it or before is replayed. */
  readonly instant: string | null;
  /** By log partition, the position whose block is the last. */
  readonly positions: readonly { readonly partition: number; readonly position: number }[];
};

export const WHOLE: Cut = { instant: null, positions: [] };

/** A block is one commit: nobody ever saw a state in its midst, so it is replayed wholly or not at all. */
export const isWithin = (cut: Cut, { partition, first, recordedAtMs }: CheckedBlock): boolean =>
  (cut.instant === null || recordedAtMs <= Date.parse(cut.instant)) && first <= limitOf(cut, partition);

/** The lowest position given for a log partition; infinite without one. */
export const limitOf = ({ positions }: Cut, partition: number): number =>
  Math.min(...positions.filter((limit) => limit.partition === partition).map(({ position }) => position), Infinity);
