import { createHmac, type KeyObject, sign } from 'node:crypto';

export type StandardWebhooksMessage = {
  /** The delivery's id: the same over all retries. Must not hold a dot, which separates what is signed. */
  readonly id: string;
  /** Unix seconds of this very request. */
  readonly timestamp: number;
  /** The exact bytes sent. */
  readonly body: Uint8Array;
  /** Prepared keys: one `v1` entry per symmetric key, one `v1a` entry per Ed25519 key, in this order. */
  readonly keys: readonly KeyObject[];
};

/**
 * The value of `webhook-signature` (Standard Webhooks 1.0.0). During a rotation pass the new key and then the old one: a
 * receiver accepts whichever it knows. Throws a RangeError for an id with a dot, a fractional timestamp, or no keys.
 */
export const signStandardWebhooks = ({ id, timestamp, body, keys }: StandardWebhooksMessage): string => {
  if (id.includes('.')) throw new RangeError(`The webhook id ${id} holds a dot.`);
  if (!Number.isSafeInteger(timestamp)) throw new RangeError(`${timestamp} is not a whole number of seconds.`);
  if (keys.length === 0) throw new RangeError(`There is no key to sign ${id} with.`);
  const prefix = `${id}.${timestamp}.`;
  return keys.map((key) => (key.type === 'secret' ? v1(key, prefix, body) : v1a(key, prefix, body))).join(' ');
};

const v1 = (key: KeyObject, prefix: string, body: Uint8Array): string =>
  `v1,${createHmac('sha256', key).update(prefix).update(body).digest('base64')}`;

const v1a = (key: KeyObject, prefix: string, body: Uint8Array): string =>
  `v1a,${sign(null, Buffer.concat([Buffer.from(prefix), body]), key).toString('base64')}`;
