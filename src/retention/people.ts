import type { Queryable } from '../projections/page.ts';
import type { Cleaner } from './cleaner.ts';

/** Rows that one call deletes. */
const ROWS_MAX = 5_000;
const DAY_MS = 86_400_000;
/** Sessions and tokens of mails are kept for a while after their end, for whoever asks what happened. */
const OVER_DAYS = 7;
const before = (now: Date, days: number): Date => new Date(now.getTime() - days * DAY_MS);

/** A table whose rows are over before an instant. `condition` speaks of `$1`. */
const cleaner = (
  name: string,
  { table, key, condition, days }: { table: string; key: string; condition: string; days: number },
): Cleaner => ({
  name,
  plan: async (db: Queryable, now) => {
    const { rows } = await db.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM ${table} WHERE ${condition}`,
      [before(now, days)],
    );
    return { [name]: rows[0]?.count ?? 0 };
  },
  apply: async (db, now) => {
    const { rowCount } = await db.query(
      `DELETE FROM ${table} WHERE ${key} IN (SELECT ${key} FROM ${table} WHERE ${condition} LIMIT ${ROWS_MAX})`,
      [before(now, days)],
    );
    return { [name]: rowCount ?? 0 };
  },
});

export const endedSessions = cleaner('ended_sessions', {
  table: 'user_session',
  key: 'session_id',
  condition: 'expires_at < $1 OR ended_at < $1',
  days: OVER_DAYS,
});

export const expiredMailTokens = cleaner('expired_mail_tokens', {
  table: 'mail_token',
  key: 'token_id',
  condition: 'expires_at < $1',
  days: OVER_DAYS,
});

/** What days that are over have used of their quotas; today's and yesterday's are asked for. */
export const pastUsage = cleaner('past_usage', {
  table: 'event_usage',
  key: 'ctid',
  condition: 'day < $1::timestamptz::date',
  days: 2,
});
