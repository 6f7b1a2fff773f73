import type { RunQuery } from '../eventstore/types.ts';
import type { Queryable } from '../projections/page.ts';

/** What a token that was sent by mail is for. */
export type MailPurpose = 'email_verification' | 'password_reset';

/** How long each is good: Hook0's 24 h and 30 min. */
export const MAIL_TOKEN_MS: Readonly<Record<MailPurpose, number>> = {
  email_verification: 24 * 3_600_000,
  password_reset: 30 * 60_000,
};

/** Of one account and purpose: no more mails than these, so that nobody's mailbox can be filled. */
const COOLDOWN_MS = 60_000;
const WINDOW_MS = 24 * 3_600_000;
const PER_WINDOW_MAX = 5;

/** A new token, which takes the place of those sent before. */
export const addMailToken = async (
  run: RunQuery,
  token: { tokenId: string; userId: string; purpose: MailPurpose; createdAt: Date },
): Promise<void> => {
  const { tokenId, userId, purpose, createdAt } = token;
  const expiresAt = new Date(createdAt.getTime() + MAIL_TOKEN_MS[purpose]);
  await run('UPDATE mail_token SET used_at = $3 WHERE user_id = $1 AND purpose = $2 AND used_at IS NULL', [
    userId,
    purpose,
    createdAt,
  ]);
  await run('INSERT INTO mail_token (token_id, user_id, purpose, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)', [
    tokenId,
    userId,
    purpose,
    createdAt,
    expiresAt,
  ]);
};

/** Whether another mail may be sent. */
export const mayMail = async (db: Queryable, userId: string, purpose: MailPurpose, at: Date): Promise<boolean> => {
  const { rows } = await db.query<{ sent: number; last: Date | null }>(
    `SELECT count(*)::int AS sent, max(created_at) AS last FROM mail_token
     WHERE user_id = $1 AND purpose = $2 AND created_at > $3`,
    [userId, purpose, new Date(at.getTime() - WINDOW_MS)],
  );
  const { sent = 0, last = null } = rows[0] ?? {};
  return sent < PER_WINDOW_MAX && (last === null || at.getTime() - last.getTime() >= COOLDOWN_MS);
};

/** Whose it is, while it is good. */
export const findMailToken = async (
  db: Queryable,
  tokenId: string,
  purpose: MailPurpose,
  at: Date,
): Promise<string | undefined> => {
  const { rows } = await db.query<{ user_id: string }>(
    'SELECT user_id FROM mail_token WHERE token_id = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3',
    [tokenId, purpose, at],
  );
  return rows[0]?.user_id;
};

/** Uses it up: of two who come with the same token one gets true. */
export const takeMailToken = async (
  run: RunQuery,
  tokenId: string,
  purpose: MailPurpose,
  at: Date,
): Promise<boolean> => {
  const { rows } = await run(
    `UPDATE mail_token SET used_at = $3
     WHERE token_id = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3 RETURNING token_id`,
    [tokenId, purpose, at],
  );
  return rows.length > 0;
};
