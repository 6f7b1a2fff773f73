import type { RunQuery } from '../eventstore/types.ts';
import { addMail } from './outbox.ts';
import type { MailContent } from './templates.ts';

const OWNERS = `
  SELECT u.email FROM membership AS m JOIN user_account AS u USING (user_id)
  WHERE m.organization_id = $1 AND m.role = 'owner' AND u.verified_at IS NOT NULL
  LIMIT 50`;

/** Writes a mail to every owner of an organization; within the append of what it tells of. */
export const mailOwners = async (
  run: RunQuery,
  {
    organizationId,
    content,
    at,
    newId,
  }: { organizationId: string; content: MailContent; at: Date; newId: () => string },
): Promise<void> => {
  const { rows } = await run(OWNERS, [organizationId]);
  for (const { email } of rows) await addMail(run, { mailId: newId(), recipient: String(email), content, at });
};
