import { createHmac, type KeyObject } from 'node:crypto';

export type Hook0Message = {
  /**
   * The current secret, prepared. During a rotation the old one does not sign here: the format has room for a single `v1`,
   * and receivers that meet two keep the last one. So the receiver learns the new secret first, or accepts both.
   */
  readonly key: KeyObject;
  /** Unix seconds of this very request. */
  readonly timestampSeconds: number;
  /** The exact bytes sent. */
  readonly body: Uint8Array;
  /** What is signed beside the body: custom headers, Content-Type, X-Event-Id, X-Event-Type; values as sent. */
  readonly headers: Readonly<Record<string, string>>;
  /** Adds `v0`, over the time and the body only, for receivers that know no other. */
  readonly withV0: boolean;
};

/** The value of `X-Hook0-Signature`: `t=<seconds>[,v0=<hex>],h=<names>,v1=<hex>`. */
export const signHook0 = ({ key, timestampSeconds, body, headers, withV0 }: Hook0Message): string => {
  if (!Number.isSafeInteger(timestampSeconds))
    throw new RangeError(`${timestampSeconds} is not a whole number of seconds.`);
  const signed = Object.entries(headers)
    .map(([name, value]) => ({ name: name.toLowerCase(), value: withoutEdges(value) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const names = signed.map(({ name }) => name).join(' ');
  const values = signed.map(({ value }) => value).join('.');
  const v0 = withV0 ? `,v0=${hex(key, `${timestampSeconds}.`, body)}` : '';
  return `t=${timestampSeconds}${v0},h=${names},v1=${hex(key, `${timestampSeconds}.${names}.${values}.`, body)}`;
};

const hex = (key: KeyObject, prefix: string, body: Uint8Array): string =>
  createHmac('sha256', key).update(prefix).update(body).digest('hex');

/** Blanks and tabs around a value do not arrive (RFC 9110, 5.5), so they cannot be signed. */
const withoutEdges = (value: string): string => {
  let [start, end] = [0, value.length];
  while (start < end && isBlank(value, start)) start += 1;
  while (end > start && isBlank(value, end - 1)) end -= 1;
  return value.slice(start, end);
};

const isBlank = (value: string, at: number): boolean => value[at] === ' ' || value[at] === '\t';
