import type { RunQuery } from '../eventstore/types.ts';
import type { MailContent } from './templates.ts';

/** A mail to be sent: written in the transaction of what it tells of, so that none is lost and none sent for nothing. */
export type NewMail = {
  readonly mailId: string;
  readonly recipient: string;
  readonly content: MailContent;
  readonly at: Date;
};

export const addMail = async (run: RunQuery, { mailId, recipient, content, at }: NewMail): Promise<void> => {
  const { template, ...rest } = content;
  await run(
    `INSERT INTO mail (mail_id, recipient, template, content, created_at, due_at) VALUES ($1, $2, $3, $4::json, $5, $5)`,
    [mailId, recipient, template, JSON.stringify(rest), at],
  );
};

/** Of mails that nobody has taken so far nothing is left to a person who is erased; one that is being sent is not waited for. */
export const forgetMailsTo = async (run: RunQuery, userId: string): Promise<void> => {
  await run(
    `DELETE FROM mail WHERE mail_id IN (
       SELECT m.mail_id FROM mail AS m JOIN user_account AS u ON lower(m.recipient) = lower(u.email)
       WHERE u.user_id = $1 FOR UPDATE OF m SKIP LOCKED)`,
    [userId],
  );
};
