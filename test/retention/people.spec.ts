import type { Pool } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { initialise } from '#src/eventstore/initialise.ts';
import { createAppPool } from '#src/eventstore/pool.ts';
import { createRetentionDaysOf } from '#src/retention/days.ts';
import { endedSessions, expiredMailTokens, pastUsage } from '#src/retention/people.ts';
import { applicationCreated, idOf, openTestLog, organizationCreated, type TestLog } from '#test/support/builders.ts';
import { createTestDatabase, type TestDatabase } from '#test/support/database.ts';

let database: TestDatabase;
let pool: Pool;
beforeAll(async () => {
  database = await createTestDatabase();
  await initialise({ url: database.url, partitions: 4 });
  pool = createAppPool({ url: database.url, max: 2, name: 'test' });
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

const now = new Date('2026-03-20T10:00:00Z');
const daysAgo = (days: number): Date => new Date(now.getTime() - days * 86_400_000);

const addUser = async (name: string, createdAt: Date, verifiedAt: Date | null): Promise<string> => {
  await pool.query(
    `INSERT INTO user_account (user_id, email, email_key, first_name, last_name, password_hash, created_at, verified_at)
     VALUES ($1, $2, $2, $2, $2, 'x', $3, $4)`,
    [idOf(name), name, createdAt, verifiedAt],
  );
  return idOf(name);
};
const addSession = (name: string, userId: string, expiresAt: Date, endedAt: Date | null) =>
  pool.query(
    `INSERT INTO user_session (session_id, user_id, refresh_token_id, created_at, authenticated_at, expires_at, ended_at)
     VALUES ($1, $2, $1, $3, $3, $3, $4)`,
    [idOf(name), userId, expiresAt, endedAt],
  );

it('sessions, tokens of mails and past usage are cleaned a week after they are over', async () => {
  const ada = await addUser('ada', daysAgo(100), daysAgo(99));
  await addSession('live', ada, daysAgo(-1), null);
  await addSession('expired lately', ada, daysAgo(1), null);
  await addSession('expired', ada, daysAgo(8), null);
  await addSession('ended', ada, daysAgo(-1), daysAgo(9));
  for (const [name, expiresAt] of [
    ['good', daysAgo(-1)],
    ['past', daysAgo(8)],
  ] as const)
    await pool.query(
      `INSERT INTO mail_token (token_id, user_id, purpose, created_at, expires_at) VALUES ($1, $2, 'password_reset', $3, $3)`,
      [idOf(name), ada, expiresAt],
    );
  await pool.query(
    `INSERT INTO event_usage VALUES ($1, '2026-03-20', 1), ($1, '2026-03-17', 1), ($1, '2026-03-16', 9)`,
    [ada],
  );

  const expected = [
    [endedSessions, { ended_sessions: 2 }],
    [expiredMailTokens, { expired_mail_tokens: 1 }],
    [pastUsage, { past_usage: 2 }],
  ] as const;
  for (const [cleaner, counts] of expected) {
    expect(await cleaner.plan(pool, now)).toEqual(counts);
    if (!('apply' in cleaner)) throw new Error(`${cleaner.name} deletes no rows.`);
    expect(await cleaner.apply(pool, now)).toEqual(counts);
    expect(await cleaner.plan(pool, now)).toEqual({ [cleaner.name]: 0 });
  }
});

it('an application keeps its payloads as long as it, its organization or its plan says, the nearest of them', async () => {
  const log: TestLog = await openTestLog(database.url);
  try {
    await log.append(organizationCreated());
    const [created] = await log.append(applicationCreated());
    const applicationId = String(created?.data.applicationId);
    const organizationId = String(created?.data.organizationId);
    const quotas = {
      enabled: false,
      members: 1,
      applications: 1,
      eventsPerDay: 1,
      retentionDays: 7,
      subscriptions: 1,
      eventTypes: 1,
    };
    const retentionDaysOf = createRetentionDaysOf(pool, { quotas, retentionDays: 90 });
    const at = now.toISOString();
    expect(await retentionDaysOf(applicationId)).toBe(90);
    await log.append({
      type: 'PlanDefined',
      data: { name: 'p', label: 'P', limits: { retentionDays: 30 }, definedAt: at },
    });
    await log.append({ type: 'OrganizationQuotasSet', data: { organizationId, plan: 'p', limits: {}, setAt: at } });
    expect(await retentionDaysOf(applicationId)).toBe(30);
    await log.append({
      type: 'ApplicationQuotasSet',
      data: { organizationId, applicationId, limits: { retentionDays: 3 }, setAt: at },
    });
    expect(await retentionDaysOf(applicationId)).toBe(3);
    const enforced = createRetentionDaysOf(pool, { quotas: { ...quotas, enabled: true }, retentionDays: 90 });
    expect(await enforced(idOf('another'))).toBe(7);
  } finally {
    await log.stop();
  }
});
