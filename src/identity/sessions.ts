import type { RunQuery } from '../eventstore/types.ts';
import type { Queryable } from '../projections/page.ts';

/** One sign-in, from the password to the logout. */
export type Session = {
  readonly sessionId: string;
  readonly userId: string;
  readonly createdAt: Date;
  /** When the password was given last. */
  readonly authenticatedAt: Date;
  /** When it ends unless it is refreshed. */
  readonly expiresAt: Date;
  readonly ip: string | null;
};

/** `reuse`: a refresh token came a second time, so one of the two who had it stole it. */
export type EndReason = 'logout' | 'password' | 'reuse';

/**
 * False when the account has another password by now, or is gone: whoever changes it ends all sessions, and a sign-in that began
 * before must not outlive that. The lock has the two wait for each other.
 */
export const startSession = async (
  run: RunQuery,
  session: Omit<Session, 'authenticatedAt'> & { readonly refreshTokenId: string; readonly passwordHash: string },
): Promise<boolean> => {
  const { rows } = await run(
    `INSERT INTO user_session (session_id, user_id, refresh_token_id, created_at, authenticated_at, expires_at, ip)
     SELECT $1::uuid, user_id, $3::uuid, $4::timestamptz, $4::timestamptz, $5::timestamptz, $6
     FROM user_account WHERE user_id = $2 AND password_hash = $7 FOR SHARE
     RETURNING session_id`,
    [
      session.sessionId,
      session.userId,
      session.refreshTokenId,
      session.createdAt,
      session.expiresAt,
      session.ip,
      session.passwordHash,
    ],
  );
  return rows.length > 0;
};

type SessionRow = {
  session_id: string;
  user_id: string;
  created_at: Date;
  authenticated_at: Date;
  expires_at: Date;
  ip: string | null;
};
const COLUMNS = 'session_id, user_id, created_at, authenticated_at, expires_at, ip';
const toSession = (row: SessionRow): Session => ({
  sessionId: row.session_id,
  userId: row.user_id,
  createdAt: row.created_at,
  authenticatedAt: row.authenticated_at,
  expiresAt: row.expires_at,
  ip: row.ip,
});

/** One that is neither over nor expired. */
export const findLiveSession = async (
  db: Queryable,
  sessionId: string,
  userId: string,
  at: Date,
): Promise<Session | undefined> => {
  const { rows } = await db.query<SessionRow>({
    name: 'find_live_session',
    text: `SELECT ${COLUMNS} FROM user_session
           WHERE session_id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > $3`,
    values: [sessionId, userId, at],
  });
  return rows[0] && toSession(rows[0]);
};

/** Those that go on, newest first. */
export const listLiveSessions = async (db: Queryable, userId: string, at: Date): Promise<readonly Session[]> => {
  const { rows } = await db.query<SessionRow>(
    `SELECT ${COLUMNS} FROM user_session WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2
     ORDER BY session_id DESC LIMIT 100`,
    [userId, at],
  );
  return rows.map(toSession);
};

/** However often it is refreshed, a session asks for the password again after so long (NIST SP 800-63B, 2.1.3). */
const PASSWORD_GOOD_FOR = '30 days';

/**
 * Puts the next refresh token in the place of the one that was shown, in one statement: of two who come with the same token one
 * gets through. Undefined when it is not the newest of its session any more, or the session is over.
 */
export const rotateRefreshToken = async (
  db: Queryable,
  {
    sessionId,
    shown,
    next,
    at,
    expiresAt,
  }: { sessionId: string; shown: string; next: string; at: Date; expiresAt: Date },
): Promise<Session | undefined> => {
  const { rows } = await db.query<SessionRow>(
    `UPDATE user_session SET refresh_token_id = $3, expires_at = LEAST($5, authenticated_at + interval '${PASSWORD_GOOD_FOR}')
     WHERE session_id = $1 AND refresh_token_id = $2 AND ended_at IS NULL AND expires_at > $4
     RETURNING ${COLUMNS}`,
    [sessionId, shown, next, at, expiresAt],
  );
  return rows[0] && toSession(rows[0]);
};

/** The password was given again. */
export const confirmSession = async (db: Queryable, sessionId: string, at: Date): Promise<void> => {
  await db.query('UPDATE user_session SET authenticated_at = $2 WHERE session_id = $1 AND ended_at IS NULL', [
    sessionId,
    at,
  ]);
};

/** False when it was over already. */
export const endSession = async (db: Queryable, sessionId: string, reason: EndReason, at: Date): Promise<boolean> => {
  const { rowCount } = await db.query(
    'UPDATE user_session SET ended_at = $3, end_reason = $2 WHERE session_id = $1 AND ended_at IS NULL',
    [sessionId, reason, at],
  );
  return (rowCount ?? 0) > 0;
};

export const endSessionsOf = async (run: RunQuery, userId: string, reason: EndReason, at: Date): Promise<void> => {
  await run('UPDATE user_session SET ended_at = $3, end_reason = $2 WHERE user_id = $1 AND ended_at IS NULL', [
    userId,
    reason,
    at,
  ]);
};
