/** A receiver may put off a retry by this much at most. */
export const RETRY_AFTER_MS_MAX = 10 * 3_600_000;

const SECONDS = /^\d+$/;
const IMF_FIXDATE = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
const RFC_850 = /^[A-Z][a-z]{5,8}, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
const ASCTIME = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const HEADER_LENGTH_MAX = 64;

/**
 * What a `Retry-After` header asks for, in milliseconds from `now`, never more than 10 h; null when it asks for nothing we
 * honour: absent, negative, past, or neither seconds nor one of the three forms of an HTTP-date (RFC 9110, 5.6.7, 10.2.3).
 */
export const parseRetryAfter = (header: string | undefined, now: Date): number | null => {
  const text = header?.trim() ?? '';
  if (text === '' || text.length > HEADER_LENGTH_MAX) return null;
  if (SECONDS.test(text)) return Math.min(Number(text) * 1_000, RETRY_AFTER_MS_MAX);
  const at = httpDateMs(text, now);
  if (at === null || at < now.getTime()) return null;
  return Math.min(at - now.getTime(), RETRY_AFTER_MS_MAX);
};

const httpDateMs = (text: string, now: Date): number | null => {
  const imf = IMF_FIXDATE.exec(text);
  if (imf !== null) return instantMs(imf[3], imf[2], imf[1], imf.slice(4));
  const rfc850 = RFC_850.exec(text);
  if (rfc850 !== null)
    return instantMs(String(fullYear(Number(rfc850[3]), now)), rfc850[2], rfc850[1], rfc850.slice(4));
  const asctime = ASCTIME.exec(text);
  return asctime === null ? null : instantMs(asctime[6], asctime[1], asctime[2], asctime.slice(3, 6));
};

/** Two digits that seem to be more than 50 years ahead are the most recent such year of the past (RFC 9110, 5.6.7). */
const fullYear = (twoDigits: number, now: Date): number => {
  const thisYear = now.getUTCFullYear();
  const year = thisYear - (thisYear % 100) + twoDigits;
  return year > thisYear + 50 ? year - 100 : year;
};

const instantMs = (year = '', month = '', day = '', clock: string[]): number | null => {
  const [hour = 0, minute = 0, second = 0] = clock.map(Number);
  const monthIndex = MONTHS.indexOf(month);
  if (monthIndex < 0 || hour > 23 || minute > 59 || second > 60) return null; // 60 is a leap second.
  const dayMs = Date.UTC(Number(year), monthIndex, Number(day));
  if (new Date(dayMs).getUTCDate() !== Number(day)) return null; // 30 February would become 1 or 2 March.
  return dayMs + ((hour * 60 + minute) * 60 + second) * 1_000;
};
