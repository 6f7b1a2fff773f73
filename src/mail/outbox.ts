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
