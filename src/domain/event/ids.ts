import { hash, randomUUID } from 'node:crypto';

const TIME_MS_MAX = 2 ** 48 - 1;

/**
 * A UUIDv7 (RFC 9562, 5.7) for an instant in Unix milliseconds. Two of one millisecond come in no particular order. The
 * random bits are those of `randomUUID`, which draws them in batches and carries the same variant.
 */
export const uuidv7 = (nowMs: number): string => `${timePrefix(nowMs)}-7${randomUUID().slice(15)}`;

/**
 * The id of the delivery that one event owes one subscription: a UUIDv8 (RFC 9562, 5.8), always the same for the same
 * three ids, so that a repeat finds the delivery instead of making a second. The first 48 bits are the instant the event
 * was received, as in a UUIDv7; the rest is from the SHA-256 of the ids.
 */
export const deliveryId = (of: {
  readonly applicationId: string;
  readonly eventId: string;
  readonly subscriptionId: string;
  readonly receivedAt: string;
}): string => {
  const digest = hash('sha256', `${of.applicationId}:${of.eventId}:${of.subscriptionId}`, 'hex');
  const variant = ((Number.parseInt(digest.charAt(3), 16) & 0x3) | 0x8).toString(16);
  const time = timePrefix(Date.parse(of.receivedAt));
  return `${time}-8${digest.slice(0, 3)}-${variant}${digest.slice(4, 7)}-${digest.slice(7, 19)}`;
};

/** The Unix milliseconds at the front of a UUIDv7 or of a delivery id. */
export const uuidTime = (id: string): number => Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);

/** The least id of that instant: `id >= minUuidAt(ms)` selects everything from then on. */
export const minUuidAt = (ms: number): string => `${timePrefix(ms)}-0000-0000-000000000000`;

const timePrefix = (ms: number): string => {
  if (!(ms >= 0 && ms <= TIME_MS_MAX)) throw new RangeError(`${ms} is not an instant a UUID can carry.`);
  const hex = Math.floor(ms).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
};
