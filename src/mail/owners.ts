import type { RunQuery } from '../eventstore/types.ts';
import { findVerifiedAddresses } from '../identity/accounts.ts';
import { listOwners } from '../projections/identity/queries.ts';
import { queryableWithin } from '../projections/page.ts';
import { addMail } from './outbox.ts';
import type { MailContent } from './templates.ts';

/** Writes a mail to every owner of an organization whose address is verified; within the append of what it tells of. */
export const mailOwners = async (
  run: RunQuery,
  {
    organizationId,
    content,
    at,
    newId,
  }: { organizationId: string; content: MailContent; at: Date; newId: () => string },
): Promise<void> => {
  const db = queryableWithin(run);
  for (const recipient of await findVerifiedAddresses(db, await listOwners(db, organizationId)))
    await addMail(run, { mailId: newId(), recipient, content, at });
};
