import fc from 'fast-check';
import { Pool } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Buckets, createBuckets } from '#src/api/rate-limit/buckets.ts';
import { type Limit, perMinute, perSecond } from '#src/api/rate-limit/limit.ts';
import { createRateLimiter, type RateLimiter } from '#src/api/rate-limit/limiter.ts';
import { createAppPool } from '#src/eventstore/pool.ts';
import { createTestDatabase, type TestDatabase } from '#test/support/database.ts';

const T0 = Date.parse('2026-03-01T10:00:00Z');

let database: TestDatabase;
let pool: Pool;
let buckets: Buckets;
/** Milliseconds since T0, for the database and for all processes. */
let clock = 0;
let statements = 0;
const underWay = new Set<Promise<unknown>>();
const failures: unknown[] = [];
beforeAll(async () => {
  database = await createTestDatabase();
  pool = createAppPool({ url: database.url, max: 2, name: 'test' });
  buckets = createBuckets({ pool, at: () => new Date(T0 + clock) });
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

/** Once no process asks for anything any more: what it borrows ahead of need would be missing from the next one's buckets. */
const begin = async (): Promise<void> => {
  do {
    await Promise.allSettled(underWay);
    await new Promise(setImmediate);
  } while (underWay.size > 0);
  await pool.query('DELETE FROM rate_limit');
  clock = 0;
  statements = 0;
  failures.length = 0;
};
beforeEach(begin);

const watched = (own: Pick<Buckets, 'borrow'>): Pick<Buckets, 'borrow'> => ({
  borrow: (asks) => {
    statements += 1;
    const borrowing = own.borrow(asks).finally(() => underWay.delete(borrowing));
    underWay.add(borrowing);
    return borrowing;
  },
});

const newProcess = (own: Pick<Buckets, 'borrow'> = buckets, keysMax?: number): RateLimiter =>
  createRateLimiter({
    buckets: watched(own),
    now: () => clock,
    onError: (error) => failures.push(error),
    ...(keysMax === undefined ? {} : { keysMax }),
    // A busy machine is no database that hangs.
    ...(own === buckets ? { deadlineMs: 10_000 } : {}),
  });

/** Takes so often at once, and answers how often it was let through. */
const takeMany = async (limiter: RateLimiter, key: string, limit: Limit, times: number, n = 1): Promise<number> => {
  const decisions = await Promise.all(Array.from({ length: times }, () => limiter.take(key, limit, n)));
  return decisions.filter(({ kind }) => kind === 'allowed').length * n;
};

describe('one bucket', () => {
  it('gives its burst, then what it is refilled with', async () => {
    const limiter = newProcess();
    const limit = perSecond('test', 50);
    expect(await takeMany(limiter, 'a', limit, 80)).toBe(50);
    expect(await limiter.take('a', limit)).toEqual({ kind: 'refused', retryAfterMs: 20 });
    clock += 100;
    expect(await takeMany(limiter, 'a', limit, 80)).toBe(5);
    expect(await takeMany(limiter, 'b', limit, 80)).toBe(50);
    clock += 60_000;
    expect(await takeMany(limiter, 'a', limit, 80)).toBe(50);
  });

  it('says when the next one is let through', async () => {
    const [limiter, limit] = [newProcess(), perMinute('login', 5)];
    expect(await takeMany(limiter, 'a', limit, 5)).toBe(5);
    expect(await limiter.take('a', limit)).toEqual({ kind: 'refused', retryAfterMs: 12_000 });
    expect(limiter.emptyFor('a')).toBe(12_000);
    clock += 11_999;
    expect(await limiter.take('a', limit)).toEqual({ kind: 'refused', retryAfterMs: 1 });
    clock += 1;
    expect(limiter.emptyFor('a')).toBe(0);
    expect(await takeMany(limiter, 'a', limit, 3)).toBe(1);
  });

  it('gives many at once or none, and at most as many as it holds', async () => {
    const [limiter, limit] = [newProcess(), perSecond('test', 100)];
    expect(await takeMany(limiter, 'a', limit, 1, 70)).toBe(70);
    expect(await limiter.take('a', limit, 70)).toEqual({ kind: 'refused', retryAfterMs: 400 });
    expect(await takeMany(limiter, 'a', limit, 30)).toBe(30);
    clock += 1_000;
    expect((await limiter.take('a', limit, 1_000)).kind).toBe('allowed');
    expect((await limiter.take('a', limit)).kind).toBe('refused');
  });

  it('opens again when the clock of the database is set back', async () => {
    const [limiter, limit] = [newProcess(), perSecond('test', 10)];
    clock = 3_600_000;
    expect(await takeMany(limiter, 'a', limit, 20)).toBe(10);
    clock = 0;
    const successor = newProcess();
    expect(await takeMany(successor, 'a', limit, 1)).toBe(0);
    clock += 12_000;
    expect(await takeMany(successor, 'a', limit, 20)).toBeGreaterThan(0);
  });
});

describe('processes on one database', () => {
  it('let through no more than the rate, and no less than is there', async () => {
    const step = fc.record({ ms: fc.nat(120), who: fc.nat(1), times: fc.integer({ min: 1, max: 40 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 20, maxLength: 60 }),
        fc.integer({ min: 5, max: 300 }),
        async (steps, rate) => {
          await begin();
          const [one, two] = [newProcess(), newProcess()];
          const limit = perSecond('test', rate);
          const passed: { at: number; count: number }[] = [];
          for (const { ms, who, times } of steps) {
            clock += ms;
            // The other one asks at the same time, for less.
            const [own, others] = [who === 0 ? one : two, who === 0 ? two : one];
            const counts = await Promise.all([takeMany(own, 'a', limit, times), takeMany(others, 'a', limit, 3)]);
            passed.push({ at: clock, count: counts[0] + counts[1] });
          }
          for (let from = 0; from < passed.length; from += 1) {
            let sum = 0;
            for (const { at, count } of passed.slice(from)) {
              sum += count;
              const held = from === 0 ? 0 : 2 * rate * 0.1;
              expect(sum).toBeLessThanOrEqual(rate + (rate * (at - (passed[from]?.at ?? 0))) / 1_000 + held + 0.01);
            }
          }
        },
      ),
      { numRuns: 12 },
    );
  });

  it('share a bucket that both want more of than it has, and lose little of it', async () => {
    const [one, two] = [newProcess(), newProcess()];
    const limit = perSecond('test', 100);
    let sum = 0;
    for (; clock < 2_000; clock += 10)
      for (const count of await Promise.all([takeMany(one, 'a', limit, 2), takeMany(two, 'a', limit, 2)])) sum += count;
    expect(sum).toBeLessThanOrEqual(300);
    expect(sum).toBeGreaterThan(250);
  });
});

describe('a busy key', () => {
  it('asks the database by far less often than it takes, and at once when it has a share', async () => {
    const [limiter, limit] = [newProcess(), perSecond('test', 5_000)];
    let waited = 0;
    for (let n = 0; n < 4_000; n += 1) {
      if (n % 4 === 0) clock += 1;
      const decision = limiter.take('a', limit);
      if (decision instanceof Promise) waited += 1;
      expect((await decision).kind).toBe('allowed');
      if (n % 40 === 0) await new Promise(setImmediate);
    }
    expect(statements).toBeLessThan(150);
    expect(waited).toBeLessThan(150);
  });

  it('comes in one statement with all others that need more', async () => {
    const [limiter, limit] = [newProcess(), perSecond('test', 10)];
    await Promise.all(Array.from({ length: 150 }, (_, n) => limiter.take(`key ${n}`, limit)));
    expect(statements).toBe(1);
    await Promise.all(Array.from({ length: 450 }, (_, n) => limiter.take(`other ${n}`, limit)));
    expect(statements).toBe(4);
  });

  it('holds nothing for long once it is idle', async () => {
    const [limiter, limit] = [newProcess(), perSecond('test', 100)];
    for (let n = 0; n < 40; n += 1) {
      clock += 10;
      await limiter.take('a', limit);
    }
    const before = statements;
    clock += 500;
    await limiter.take('a', limit);
    expect(statements).toBe(before + 1);
  });

  it('is forgotten for newer ones, without a gap in what is counted', async () => {
    const [limiter, limit] = [newProcess(buckets, 10), perSecond('test', 3)];
    expect(await takeMany(limiter, 'a', limit, 3)).toBe(3);
    for (let n = 0; n < 30; n += 1) await limiter.take(`key ${n}`, limit);
    expect(await takeMany(limiter, 'a', limit, 3)).toBe(0);
  });
});

describe('the table', () => {
  it('keeps no bucket that is full', async () => {
    const limiter = newProcess();
    await limiter.take('slow', perMinute('login', 5));
    await limiter.take('quick', perSecond('test', 5));
    clock += 1_000;
    expect(await buckets.clean()).toBe(1);
    clock += 20_000;
    expect(await buckets.clean()).toBe(1);
    const { rows } = await pool.query<{ count: number }>('SELECT count(*)::int AS count FROM rate_limit');
    expect(rows[0]?.count).toBe(0);
  });
});

describe('a database that is away', () => {
  it('makes all decisions unavailable for a second, without being asked again', async () => {
    const broken = new Pool({ connectionString: 'postgres://127.0.0.1:1/none' });
    const limiter = newProcess(createBuckets({ pool: broken }));
    const limit = perSecond('test', 5);
    expect(await limiter.take('a', limit)).toEqual({ kind: 'unavailable' });
    expect(limiter.take('b', limit)).toEqual({ kind: 'unavailable' });
    expect(failures).toHaveLength(1);
    clock += 1_000;
    expect(limiter.take('b', limit)).toBeInstanceOf(Promise);
    await broken.end();
  });

  it('is not asked by more than ten thousand at once', async () => {
    const limiter = newProcess();
    const limit = perSecond('test', 5);
    const first = Array.from({ length: 10_000 }, (_, n) => limiter.take(`key ${n % 100}`, limit));
    expect(limiter.take('other', limit)).toEqual({ kind: 'refused', retryAfterMs: 1_000 });
    const kinds = (await Promise.all(first)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'allowed')).toHaveLength(500);
    expect((await limiter.take('other', limit)).kind).toBe('allowed');
  });

  it('that hangs holds nobody up, and is asked nothing more until it answers', async () => {
    let answer = (): void => undefined;
    const isAnswered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const limiter = newProcess({ borrow: (asks) => isAnswered.then(() => buckets.borrow(asks)) });
    const limit = perSecond('test', 5);
    expect(await limiter.take('a', limit)).toEqual({ kind: 'unavailable' });
    clock += 3_600_000;
    expect(limiter.take('b', limit)).toEqual({ kind: 'unavailable' });
    answer();
    await expect.poll(async () => (await limiter.take('b', limit)).kind).toBe('allowed');
    expect(failures).toEqual([]);
  });
});
