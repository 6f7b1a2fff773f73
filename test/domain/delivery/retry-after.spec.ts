import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRetryAfter } from '#src/domain/delivery/retry-after.ts';

const now = new Date('2026-03-01T10:00:00.000Z');
const HOURS_10 = 36_000_000;

describe('parseRetryAfter', () => {
  it.each([
    ['0', 0],
    ['120', 120_000],
    [' 120 ', 120_000],
    ['36000', HOURS_10],
    ['36001', HOURS_10],
    ['9'.repeat(60), HOURS_10],
    ['Sun, 01 Mar 2026 10:01:30 GMT', 90_000],
    ['Sunday, 01-Mar-26 10:01:30 GMT', 90_000],
    ['Sun Mar  1 10:01:30 2026', 90_000],
    ['Sun Mar 01 10:01:30 2026', 90_000],
    ['Sun, 01 Mar 2026 10:00:00 GMT', 0],
    ['Sun, 01 Mar 2026 10:00:60 GMT', 60_000],
    ['Fri, 31 Dec 9999 23:59:59 GMT', HOURS_10],
    ['Friday, 01-Mar-76 10:00:00 GMT', HOURS_10],
  ])('reads %j', (header, expected) => expect(parseRetryAfter(header, now)).toBe(expected));
  it.each([
    undefined,
    '',
    '-1',
    '+1',
    '1.5',
    '1e3',
    '0x10',
    'NaN',
    'Infinity',
    'soon',
    '10 s',
    '9'.repeat(100),
    'Sun, 01 Mar 2026 09:59:59 GMT',
    'Sunday, 06-Nov-94 08:49:37 GMT',
    'Saturday, 01-Mar-77 10:00:00 GMT',
    'Sun Nov  6 08:49:37 1994',
    'Mon, 30 Feb 2026 10:01:30 GMT',
    'Sun, 01 Mrz 2026 10:01:30 GMT',
    'Sun, 01 Mar 2026 24:01:30 GMT',
    'Sun, 01 Mar 2026 10:60:30 GMT',
    'Sun, 01 Mar 2026 10:01:61 GMT',
    'Sun, 01 Mar 2026 10:01:30 CET',
    '2026-03-01T10:01:30Z',
  ])('ignores %j', (header) => expect(parseRetryAfter(header, now)).toBeNull());
  it('reads each date that the platform writes, to the second', () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 36_000 }), (seconds) => {
        const header = new Date(now.getTime() + seconds * 1_000).toUTCString();
        expect(parseRetryAfter(header, now)).toBe(seconds * 1_000);
      }),
    ));
  it('answers anything with null or 0 to 10 h', () =>
    fc.assert(
      fc.property(fc.string(), (header) => {
        const ms = parseRetryAfter(header, now);
        expect(ms === null || (ms >= 0 && ms <= HOURS_10)).toBe(true);
      }),
    ));
});
