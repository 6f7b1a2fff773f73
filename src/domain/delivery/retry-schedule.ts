import type { RetryPlan } from './events.ts';
import { RETRY_AFTER_MS_MAX } from './retry-after.ts';

export { parseRetryAfter } from './retry-after.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const UNITS_MS = { d: DAY_MS, h: HOUR_MS, m: MINUTE_MS, s: SECOND_MS, ms: 1 } as const;

const TEXT_LENGTH_MAX = 1_000;
const RETRIES_MAX = 100;
const DELAY_MS_MAX = 7 * DAY_MS;
const FACTOR_MAX = 100;
const JITTER_SHARE = 0.1;
const JITTER_MS_MIN = 2 * SECOND_MS;
const JITTER_MS_MAX = 15 * MINUTE_MS;

const DURATION = /^(\d{1,9})(ms|s|m|h|d)$/;
const FACTOR = /^\d{1,3}(?:\.\d{1,3})?$/;
const COUNT = /^\d{1,3}$/;
const EXPONENTIAL = /^exponential\(([^()]*)\)$/;

/**
 * Reads `exponential(30s, 2, 10h, 16)` (first delay, factor, longest delay, retries) or a list such as
 * `3s,10s,30m,10h×17`, where `×N` or `xN` repeats a delay. 1 to 100 retries, each delay from 1 ms to 7 d.
 * Throws a RangeError whose message is one sentence for the person who wrote it.
 */
export const parseRetrySchedule = (text: string): RetryPlan => {
  if (text.length > TEXT_LENGTH_MAX)
    throw new RangeError(`A retry schedule has at most ${TEXT_LENGTH_MAX} characters.`);
  const compact = text.replaceAll(' ', '');
  const exponential = EXPONENTIAL.exec(compact);
  const delaysMs = exponential === null ? listed(compact) : powers((exponential[1] ?? '').split(','));
  if (delaysMs.length > RETRIES_MAX)
    throw new RangeError(`A retry schedule holds at most ${RETRIES_MAX} retries, not ${delaysMs.length}.`);
  return { delaysMs };
};

/** The plan as a list that parses to the same plan; a run of equal delays is written once, with `×N`. */
export const formatRetrySchedule = ({ delaysMs }: RetryPlan): string => {
  const runs: { delayMs: number; times: number }[] = [];
  for (const delayMs of delaysMs) {
    const run = runs.at(-1);
    if (run?.delayMs === delayMs) run.times += 1;
    else runs.push({ delayMs, times: 1 });
  }
  return runs.map(({ delayMs, times }) => durationText(delayMs) + (times === 1 ? '' : `×${times}`)).join(',');
};

/**
 * Milliseconds to wait after the failure number `retryCount + 1`, or null when the plan has no retry left. Jitter is added
 * only, uniform in [0, 10 % of the delay), of a width from 2 s (or the delay itself, when that is shorter) to 15 min, so
 * that a request never comes earlier than the plan says. What the receiver asked for is a floor, read up to 10 h.
 */
export const retryDelayMs = (
  { delaysMs }: RetryPlan,
  retryCount: number,
  random: number,
  retryAfterMs: number | null,
): number | null => {
  const baseMs = delaysMs[retryCount];
  if (baseMs === undefined) return null;
  const widthMs = Math.min(Math.max(baseMs * JITTER_SHARE, Math.min(JITTER_MS_MIN, baseMs)), JITTER_MS_MAX);
  const plannedMs = baseMs + Math.floor(random * widthMs);
  if (retryAfterMs === null || !(retryAfterMs >= 0)) return plannedMs; // NaN is not >= 0 either.
  return Math.max(plannedMs, Math.ceil(Math.min(retryAfterMs, RETRY_AFTER_MS_MAX)));
};

/** The longest that all retries of a plan can take together, jitter included; a receiver's `Retry-After` may add to it. */
export const retryWindowMs = (plan: RetryPlan): number =>
  plan.delaysMs.reduce((sum, _, retry) => sum + (retryDelayMs(plan, retry, 1, null) ?? 0), 0);

const listed = (compact: string): number[] =>
  compact.split(',').flatMap((entry) => {
    const [delay = '', times, ...rest] = entry.split(/[x×]/);
    const count = times === undefined ? 1 : countOf(times, entry);
    if (rest.length > 0) throw new RangeError(`"${entry}" in a retry schedule repeats its delay twice.`);
    return new Array<number>(count).fill(durationMs(delay));
  });

const powers = (parts: string[]): number[] => {
  const [first, factor, longest, retries, ...rest] = parts;
  if (first === undefined || factor === undefined || longest === undefined || retries === undefined || rest.length > 0)
    throw new RangeError('exponential(...) takes four values: first delay, factor, longest delay, number of retries.');
  const [firstMs, longestMs] = [durationMs(first), durationMs(longest)];
  if (longestMs < firstMs)
    throw new RangeError(`The longest delay ${longest} is shorter than the first one, ${first}.`);
  const times = FACTOR.test(factor) ? Number(factor) : Number.NaN;
  if (!(times >= 1 && times <= FACTOR_MAX))
    throw new RangeError(`The factor of a retry schedule is a number from 1 to ${FACTOR_MAX}, not "${factor}".`);
  return Array.from({ length: countOf(retries, retries) }, (_, n) =>
    Math.round(Math.min(firstMs * times ** n, longestMs)),
  );
};

const durationMs = (text: string): number => {
  const [, digits, unit] = DURATION.exec(text) ?? [];
  if (digits === undefined || unit === undefined)
    throw new RangeError(`"${text}" is not a delay such as 500ms, 30s, 5m, 10h or 1d.`);
  const delayMs = Number(digits) * UNITS_MS[unit as keyof typeof UNITS_MS];
  if (delayMs >= 1 && delayMs <= DELAY_MS_MAX) return delayMs;
  throw new RangeError(`The delay ${text} of a retry schedule is outside of 1ms to 7d.`);
};

const countOf = (text: string, entry: string): number => {
  const count = COUNT.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= RETRIES_MAX) return count;
  throw new RangeError(`"${entry}" in a retry schedule needs a number of retries from 1 to ${RETRIES_MAX}.`);
};

const durationText = (delayMs: number): string => {
  for (const [unit, unitMs] of Object.entries(UNITS_MS))
    if (delayMs % unitMs === 0) return `${delayMs / unitMs}${unit}`;
  return `${delayMs}ms`;
};
