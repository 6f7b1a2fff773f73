import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addAccount, findAccount, replacePasswordHash, setPasswordHash } from '#src/identity/accounts.ts';
import {
  confirmSession,
  endSessionsOf,
  findLiveSession,
  rotateRefreshToken,
  startSession,
} from '#src/identity/sessions.ts';
import { eventually } from '#test/support/eventually.ts';
import { openTestLog, type TestLog } from '#test/support/log.ts';

const NOW = new Date('2026-03-01T10:00:00.000Z');
const LATER = new Date('2026-03-01T10:30:00.000Z');

let test: TestLog;
beforeAll(async () => {
  test = await openTestLog(1);
});
afterAll(() => test.close());

const run = (sql: string, values: unknown[]) => test.pool.query(sql, values);
const person = async (): Promise<string> => {
  const userId = randomUUID();
  const account = { userId, email: `${userId}@example.com`, firstName: 'A', lastName: 'B', createdAt: NOW };
  expect(await addAccount(run, { ...account, passwordHash: 'before' })).toBe(true);
  return userId;
};
/** A sign-in whose password was right when the hash was this one. */
const sessionOf = (userId: string, passwordHash: string) => ({
  sessionId: randomUUID(),
  userId,
  refreshTokenId: randomUUID(),
  createdAt: NOW,
  expiresAt: LATER,
  ip: null,
  passwordHash,
});

describe('a sign-in that began before the password was changed', () => {
  it('starts no session after it', async () => {
    const userId = await person();
    await setPasswordHash(run, userId, 'after');
    expect(await startSession(run, sessionOf(userId, 'before'))).toBe(false);
    expect(await startSession(run, sessionOf(userId, 'after'))).toBe(true);
  });

  it('waits for a change that is under way, and starts no session then', async () => {
    const userId = await person();
    const session = sessionOf(userId, 'before');
    const change = await test.pool.connect();
    await change.query('BEGIN');
    await setPasswordHash((sql, values) => change.query(sql, values), userId, 'after');
    await endSessionsOf((sql, values) => change.query(sql, values), userId, 'password', NOW);
    const started = startSession(run, session);
    await eventually(async () => {
      const { rows } = await test.owner.query('SELECT 1 FROM pg_locks WHERE NOT granted');
      expect(rows).not.toEqual([]);
    });
    await change.query('COMMIT');
    change.release();
    expect(await started).toBe(false);
    expect(await findLiveSession(test.pool, session.sessionId, userId, NOW)).toBeUndefined();
  });
});

it('a hash that was replaced meanwhile is not replaced by what began before', async () => {
  const userId = await person();
  const read = { userId, passwordHash: 'before' };
  await setPasswordHash(run, userId, 'after');
  expect(await replacePasswordHash(run, read, 'the old password at a new cost')).toBe(false);
  expect((await findAccount(test.pool, userId))?.passwordHash).toBe('after');
  expect(await replacePasswordHash(run, { userId, passwordHash: 'after' }, 'newer')).toBe(true);
});

describe('a session that is refreshed again and again', () => {
  it('ends thirty days after its password was given last', async () => {
    const DAY_MS = 86_400_000;
    const day = (number: number): Date => new Date(NOW.getTime() + number * DAY_MS);
    const session = sessionOf(await person(), 'before');
    expect(await startSession(run, session)).toBe(true);
    let shown = session.refreshTokenId;
    const refresh = async (at: Date, expiresAt: Date): Promise<Date | undefined> => {
      const next = randomUUID();
      const found = await rotateRefreshToken(test.pool, { sessionId: session.sessionId, shown, next, at, expiresAt });
      shown = next;
      return found?.expiresAt;
    };
    expect(await refresh(NOW, day(29))).toEqual(day(29));
    expect(await refresh(day(28), day(31))).toEqual(day(30));
    await confirmSession(test.pool, session.sessionId, day(29));
    expect(await refresh(day(29), day(31))).toEqual(day(31));
    expect(await refresh(day(30), day(60))).toEqual(day(59));
    expect(await refresh(day(59), day(60))).toBeUndefined();
  });
});
