import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deliveryId, minUuidAt, uuidTime, uuidv7 } from '#src/domain/event/ids.ts';

const instant = fc.integer({ min: 0, max: 253_402_300_799_999 });
const of = {
  applicationId: '018f0000-0000-7000-8000-000000000001',
  eventId: '018f0000-0000-7000-8000-000000000002',
  subscriptionId: '018f0000-0000-7000-8000-000000000003',
  receivedAt: '2026-03-01T10:00:00.123Z',
};

describe('uuidv7', () => {
  it('is a version 7 UUID that carries its instant and sorts behind its bound', () =>
    fc.assert(
      fc.property(instant, (ms) => {
        const id = uuidv7(ms);
        expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        expect(uuidTime(id)).toBe(ms);
        expect(minUuidAt(ms) <= id && id < minUuidAt(ms + 1)).toBe(true);
      }),
    ));
  it('does not repeat', () => expect(new Set(Array.from({ length: 10_000 }, () => uuidv7(1))).size).toBe(10_000));
  it.each([-1, Number.NaN, 2 ** 48])('refuses %s', (ms) => expect(() => uuidv7(ms)).toThrow(RangeError));
});

describe('deliveryId', () => {
  it('is a version 8 UUID, always the same one', () => {
    expect(deliveryId(of)).toBe(deliveryId({ ...of }));
    // Computed apart with sha256sum: stored ids and retries depend on it staying so.
    expect(deliveryId(of)).toBe('019ca8d7-2d7b-83ef-9cd6-67e423178d85');
    expect(uuidTime(deliveryId(of))).toBe(Date.parse(of.receivedAt));
  });
  it('differs with each of the three ids and with the instant', () => {
    const other = '018f0000-0000-7000-8000-00000000000f';
    const ids = [
      of,
      { ...of, applicationId: other },
      { ...of, eventId: other },
      { ...of, subscriptionId: other },
      { ...of, receivedAt: '2026-03-01T10:00:00.124Z' },
    ].map(deliveryId);
    expect(new Set(ids).size).toBe(5);
  });
  it('has the version and variant of RFC 9562 for every input', () =>
    fc.assert(
      fc.property(fc.uuid(), fc.uuid(), fc.uuid(), instant, (applicationId, eventId, subscriptionId, ms) => {
        const id = deliveryId({ applicationId, eventId, subscriptionId, receivedAt: new Date(ms).toISOString() });
        expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        expect(uuidTime(id)).toBe(ms);
      }),
    ));
});
