/** The last position seen of each log partition; a partition that is missing was seen from its very beginning. */
export type Positions = ReadonlyMap<number, number>;

/** Partitions of a log, at most (see `instance.partitions`). */
const PARTITIONS_MAX = 1_024;
const PLACE = /^(\d{1,4})\.(\d{1,15})$/;

/** Positions as clients keep them: `0.15_3.1207`, partitions in order. */
export const encodePositions = (positions: Positions): string =>
  [...positions]
    .sort(([a], [b]) => a - b)
    .map(([partition, position]) => `${partition}.${position}`)
    .join('_');

/** Undefined for what `encodePositions` cannot have made. */
export const decodePositions = (text: string): Positions | undefined => {
  const parts = text.split('_', PARTITIONS_MAX + 1);
  if (parts.length > PARTITIONS_MAX) return undefined;
  const positions = new Map<number, number>();
  for (const part of parts) {
    const [, partition, position] = PLACE.exec(part) ?? [];
    if (partition === undefined || position === undefined || positions.has(Number(partition))) return undefined;
    positions.set(Number(partition), Number(position));
  }
  return positions;
};
