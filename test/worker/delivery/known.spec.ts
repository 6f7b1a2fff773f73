import { describe, expect, it } from 'vitest';
import { KnownDeliveries } from '#src/worker/delivery/known.ts';

/** A reading that ends when it is told to. */
const openReading = (known: KnownDeliveries): { end: () => Promise<void> } => {
  const gate = Promise.withResolvers<void>();
  const done = known.reading(() => gate.promise);
  return {
    end: () => {
      gate.resolve();
      return done;
    },
  };
};

describe('deliveries in memory', () => {
  it('are taken up once', () => {
    const known = new KnownDeliveries();
    expect([known.add('a', 1), known.add('a', 1), known.add('a', 2), known.add('b', 1)]).toEqual([
      true,
      false,
      false,
      true,
    ]);
    expect([known.has('a'), known.has('c'), known.size]).toEqual([true, false, 2]);
    expect([known.attemptOf('a'), known.attemptOf('c')]).toEqual([1, undefined]);
  });

  it('may come again once they were dropped', () => {
    const known = new KnownDeliveries();
    known.add('a', 1);
    known.drop('a');
    expect([known.has('a'), known.add('a', 1)]).toEqual([false, true]);
  });
});

describe('what was settled', () => {
  it('is not taken up from a reading that began before', async () => {
    const known = new KnownDeliveries();
    known.add('a', 2);
    const reading = openReading(known);
    known.settle('a', 2);
    expect([known.has('a'), known.add('a', 1), known.add('a', 2)]).toEqual([false, false, false]);
    await reading.end();
  });

  it('may come with its next attempt during the same reading', async () => {
    const known = new KnownDeliveries();
    known.add('a', 1);
    const reading = openReading(known);
    known.settle('a', 1);
    expect(known.add('a', 2)).toBe(true);
    await reading.end();
  });

  it('is forgotten when no reading is under way that could still show it', async () => {
    const known = new KnownDeliveries();
    known.add('a', 1);
    known.settle('a', 1);
    expect(known.remembered).toBe(0);
    const reading = openReading(known);
    known.add('b', 1);
    known.settle('b', 1);
    expect(known.remembered).toBe(1);
    await reading.end();
    expect(known.remembered).toBe(0);
  });

  it('is forgotten after a reading that failed', async () => {
    const known = new KnownDeliveries();
    await expect(
      known.reading(async () => {
        known.settle('a', 1);
        throw new Error('away');
      }),
    ).rejects.toThrow('away');
    expect(known.remembered).toBe(0);
  });

  it('does not pile up while readings overlap without end', async () => {
    const known = new KnownDeliveries();
    let reading = openReading(known);
    for (let round = 0; round < 100; round += 1) {
      const next = openReading(known);
      known.add(`delivery ${round}`, 1);
      known.settle(`delivery ${round}`, 1);
      await reading.end();
      reading = next;
      expect(known.remembered).toBeLessThanOrEqual(1);
      expect(known.add(`delivery ${round}`, 1)).toBe(false);
    }
    await reading.end();
  });

  it('is kept for the oldest reading when a younger one ends first', async () => {
    const known = new KnownDeliveries();
    const older = openReading(known);
    const younger = openReading(known);
    known.settle('a', 3);
    await younger.end();
    expect(known.add('a', 3)).toBe(false);
    known.settle('a', 4); // Settled again: it counts from now.
    await older.end();
    expect(known.remembered).toBe(0);
  });
});
