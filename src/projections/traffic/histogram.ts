/**
 * How many requests took how long: the count of bucket 0 (at most 0.1 ms), 1, 2, ... up to the highest that is not empty.
 * Histograms are added bucket by bucket, so percentiles can be told of any span of time and any set of subscriptions.
 */
export type Histogram = readonly number[];

const FIRST_MS = 0.1;
/**
 * Each bucket is a fifth wider than the one before. The value that stands for it is off by at most (1.2 - 1) / (1.2 + 1),
 * which is 9.1 % (C. Masson et al., DDSketch, PVLDB 12, 2019); rounding to three digits keeps that below 10 %.
 */
const GROWTH = 1.2;
/** Two hours; no request is allowed to take as long. */
const BUCKET_MAX = 100;

/** The bucket of a duration in milliseconds. */
export const bucketOf = (ms: number): number =>
  ms > FIRST_MS ? Math.min(BUCKET_MAX, Math.ceil(Math.log(ms / FIRST_MS) / Math.log(GROWTH))) : 0;

/** Counts into a bucket that may not be there yet. */
export const countInto = (histogram: number[], bucket: number, count = 1): void => {
  while (histogram.length <= bucket) histogram.push(0);
  histogram[bucket] = (histogram[bucket] ?? 0) + count;
};

export const addInto = (histogram: number[], other: Histogram): void => {
  for (const [bucket, count] of other.entries()) if (count > 0) countInto(histogram, bucket, count);
};

/**
 * The duration in milliseconds that a share of the requests did not exceed (nearest rank), within 10 % or, below it,
 * 0.1 ms; null without requests.
 */
export const percentile = (histogram: Histogram, share: number): number | null => {
  const all = histogram.reduce((sum, count) => sum + count, 0);
  if (all === 0) return null;
  let left = Math.max(1, Math.ceil(share * all));
  const bucket = histogram.findIndex((count) => {
    left -= count;
    return left <= 0;
  });
  return middleOf(bucket);
};

/** Between the bounds of a bucket, where the relative error to both is equal. */
const middleOf = (bucket: number): number => {
  const high = FIRST_MS * GROWTH ** bucket;
  return bucket === 0 ? FIRST_MS : Number(((2 * high) / (1 + GROWTH)).toPrecision(3));
};
