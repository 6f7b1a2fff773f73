/** A token bucket: `burst` tokens at most, refilled with `rate` tokens per second. */
export type Limit = {
  /** As `RateLimit-Policy` tells it. */
  readonly name: string;
  readonly rate: number;
  /** A whole number. */
  readonly burst: number;
};

/** So many in a second, all of them at once if need be. */
export const perSecond = (name: string, count: number): Limit => ({ name, rate: count, burst: count });

/** So many in a minute, all of them at once if need be. */
export const perMinute = (name: string, count: number): Limit => ({ name, rate: count / 60, burst: count });
