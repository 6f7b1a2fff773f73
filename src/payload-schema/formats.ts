import { isIPv4, isIPv6 } from 'node:net';

/** No text of any of these is longer, and what is checked of longer ones would take time. */
const LENGTH_MAX = 2_048;

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;
const TIME = /^([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(z|[+-]([01]\d|2[0-3]):[0-5]\d)$/i;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const LABEL = /^[a-z0-9-]{1,63}$/i;
const MAILBOX = /^[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}$/i;
const SCHEME = /^[a-z][a-z0-9+.-]*:/i;

const isDate = (text: string): boolean => {
  const [, year = '', month = '', day = ''] = DATE.exec(text) ?? [];
  const days = new Date(Date.UTC(Number(year) || 2000, Number(month), 0)).getUTCDate();
  return year !== '' && Number(month) >= 1 && Number(month) <= 12 && Number(day) >= 1 && Number(day) <= days;
};
const isTime = (text: string): boolean => TIME.test(text);
const isDateTime = (text: string): boolean =>
  isDate(text.slice(0, 10)) && /^[t ]$/i.test(text.charAt(10)) && isTime(text.slice(11));
const isHostname = (text: string): boolean =>
  text.length <= 253 &&
  text.split('.').every((label) => LABEL.test(label) && !label.startsWith('-') && !label.endsWith('-'));
const isEmail = (text: string): boolean => {
  const at = text.lastIndexOf('@');
  const mailbox = text.slice(0, Math.max(0, at));
  const isDotted = mailbox.startsWith('.') || mailbox.endsWith('.') || mailbox.includes('..');
  return MAILBOX.test(mailbox) && !isDotted && isHostname(text.slice(at + 1));
};
const isUri = (text: string): boolean => SCHEME.test(text) && !/[\s<>"{}|\\^`]/.test(text) && URL.canParse(text);

const bounded =
  (is: (text: string) => boolean) =>
  (text: string): boolean =>
    text.length <= LENGTH_MAX && is(text);

/**
 * The formats that are checked (RFC 3339, 4122, 5321, 1123, 3986). Each looks at its text once: the expressions have no
 * repetition within a repetition, so the engine they run on has nothing to go back to.
 */
export const FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  'date-time': bounded(isDateTime),
  date: bounded(isDate),
  time: bounded(isTime),
  uuid: bounded((text) => UUID.test(text)),
  email: bounded(isEmail),
  hostname: bounded(isHostname),
  ipv4: bounded(isIPv4),
  ipv6: bounded(isIPv6),
  uri: bounded(isUri),
};
