import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatRetrySchedule,
  parseRetrySchedule,
  retryDelayMs,
  retryWindowMs,
} from '#src/domain/delivery/retry-schedule.ts';

const HOUR_MS = 3_600_000;
const delay = fc.oneof(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 7 * 24 * HOUR_MS }));
const plan = fc.array(delay, { minLength: 1, maxLength: 100 }).map((delaysMs) => ({ delaysMs }));
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('parseRetrySchedule', () => {
  it('reads the default', () => {
    const { delaysMs } = parseRetrySchedule('exponential(30s, 2, 10h, 16)');
    expect(delaysMs).toHaveLength(16);
    expect(delaysMs.slice(0, 3)).toStrictEqual([30_000, 60_000, 120_000]);
    expect(delaysMs.slice(-6)).toStrictEqual([30_720_000, 36_000_000, 36_000_000, 36_000_000, 36_000_000, 36_000_000]);
  });
  it('reads a list', () => {
    const { delaysMs } = parseRetrySchedule('3s,10s, 30m, 10h×17');
    expect(delaysMs).toStrictEqual([3_000, 10_000, 1_800_000, ...Array(17).fill(36_000_000)]);
  });
  it.each([
    ['50ms', [50]],
    ['50msx3', [50, 50, 50]],
    ['1d×2,7d', [86_400_000, 86_400_000, 604_800_000]],
    ['exponential(1s,1.5,1h,3)', [1_000, 1_500, 2_250]],
    ['exponential(10h,1,10h,1)', [36_000_000]],
    ['exponential(1ms,100,7d,100)', [1, 100, 10_000, 1_000_000, 100_000_000, ...Array(95).fill(604_800_000)]],
  ])('reads %s', (text, delaysMs) => expect(parseRetrySchedule(text)).toStrictEqual({ delaysMs }));
  it.each([
    '',
    ',',
    '3',
    '3s,',
    's',
    '-3s',
    '0s',
    '0.5s',
    '8d',
    '999999999d',
    '1e3s',
    '3sx',
    '3sx0',
    '3sx101',
    '3sx2x2',
    '3s×60,4s×41',
    '3S',
    '3 weeks',
    'exponential',
    'exponential()',
    'exponential(30s,2,10h)',
    'exponential(30s,2,10h,16,1)',
    'exponential(30s,0.5,10h,16)',
    'exponential(30s,101,10h,16)',
    'exponential(30s,NaN,10h,16)',
    'exponential(30s,2,10s,16)',
    'exponential(30s,2,10h,0)',
    'exponential(30s,2,10h,101)',
    'exponential(30s,2,10h,1.5)',
    'exponential(30s,2,10h,16),3s',
    '3s,'.repeat(400),
  ])('refuses %j with one sentence', (text) => {
    expect(() => parseRetrySchedule(text)).toThrow(RangeError);
    expect(() => parseRetrySchedule(text)).toThrow(/^[^\n]+\.$/);
  });
  it('never throws anything else', () =>
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^(exponential\()?[0-9smhdx×,. ]*\)?$/)), (text) => {
        try {
          const { delaysMs } = parseRetrySchedule(text);
          expect(delaysMs.length >= 1 && delaysMs.length <= 100).toBe(true);
          expect(delaysMs.every((ms) => Number.isInteger(ms) && ms >= 1 && ms <= 7 * 24 * HOUR_MS)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
    ));
});

describe('formatRetrySchedule', () => {
  it('writes runs once', () =>
    expect(formatRetrySchedule(parseRetrySchedule('exponential(30s, 2, 2m, 5)'))).toBe('30s,1m,2m×3'));
  it('comes back as the same plan', () =>
    fc.assert(
      fc.property(plan, (any) => {
        const text = formatRetrySchedule(any);
        // A hundred different delays to the millisecond are longer than anybody may write by hand.
        fc.pre(text.length <= 1_000);
        expect(parseRetrySchedule(text)).toStrictEqual(any);
      }),
    ));
});

describe('retryDelayMs', () => {
  it('stays between the delay and its jitter, never early', () =>
    fc.assert(
      fc.property(plan, fc.nat(99), random, (any, retryCount, r) => {
        const base = any.delaysMs[retryCount];
        const delayMs = retryDelayMs(any, retryCount, r, null);
        if (base === undefined) {
          expect(delayMs).toBeNull();
          return;
        }
        const width = Math.min(Math.max(base * 0.1, Math.min(2_000, base)), 900_000);
        expect(delayMs).toBeGreaterThanOrEqual(base);
        expect(delayMs).toBeLessThan(base + width);
        expect(Number.isInteger(delayMs)).toBe(true);
      }),
    ));
  it('uses the whole width', () => {
    const nearly = 1 - Number.EPSILON;
    const widest = (base: number) => retryDelayMs({ delaysMs: [base] }, 0, nearly, null);
    expect(widest(50)).toBe(99);
    expect(widest(3_000)).toBe(4_999);
    expect(widest(60_000)).toBe(65_999);
    expect(widest(10 * HOUR_MS)).toBe(10 * HOUR_MS + 899_999);
  });
  it('takes what the receiver asks for as a floor, up to 10 h', () =>
    fc.assert(
      fc.property(plan, random, fc.double(), (any, r, retryAfterMs) => {
        const planned = retryDelayMs(any, 0, r, null) ?? Number.NaN;
        const floor = retryAfterMs >= 0 ? Math.ceil(Math.min(retryAfterMs, 10 * HOUR_MS)) : 0;
        expect(retryDelayMs(any, 0, r, retryAfterMs)).toBe(Math.max(planned, floor));
      }),
    ));
  it.each([
    [-1, 1_000],
    [Number.NaN, 1_000],
    [0, 1_000],
    [1_000.5, 1_001],
    [Number.POSITIVE_INFINITY, 10 * HOUR_MS],
  ])('reads a Retry-After of %s ms', (retryAfterMs, expected) =>
    expect(retryDelayMs({ delaysMs: [1_000] }, 0, 0, retryAfterMs)).toBe(expected),
  );
  it('is null when no retry is left', () => expect(retryDelayMs({ delaysMs: [1] }, 1, 0, 5_000)).toBeNull());
});

it('has a window that no retry of it leaves', () => {
  expect(retryWindowMs(parseRetrySchedule('10s,10s'))).toBe(24_000);
  expect(retryWindowMs(parseRetrySchedule('10h×2'))).toBe(2 * (10 * HOUR_MS + HOUR_MS / 4));
});
