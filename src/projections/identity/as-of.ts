import type { OrganizationEvent } from '../../domain/organization/events.ts';
import type { RecordedEvent } from '../../eventstore/types.ts';
import { listAsOf } from '../as-of/page.ts';
import { type Past, readStreamsAsOf } from '../as-of/past.ts';
import { decodeCursor, type Page, type PageRequest, toPage } from '../page.ts';
import type { MemberRecord } from './queries.ts';

/** Who belonged to an organization at a cut, in order of their ids, and how many invitations were open. */
export type MembersAsOf = { readonly members: readonly MemberRecord[]; readonly invitations: number };

const fold = (stream: readonly RecordedEvent[]): MembersAsOf => {
  const members = new Map<string, MemberRecord>();
  const invitations = new Set<string>();
  for (const { type, data } of stream as unknown as readonly OrganizationEvent[])
    switch (type) {
      case 'MemberInvited':
        invitations.add(data.invitationId);
        break;
      case 'InvitationRevoked':
        invitations.delete(data.invitationId);
        break;
      case 'MemberAdded':
        members.set(data.userId, { userId: data.userId, role: data.role, since: new Date(data.addedAt) });
        if (data.invitationId !== null) invitations.delete(data.invitationId);
        break;
      case 'MemberRoleChanged': {
        const before = members.get(data.userId);
        if (before) members.set(data.userId, { ...before, role: data.role });
        break;
      }
      case 'MemberRemoved':
        members.delete(data.userId);
    }
  return {
    members: [...members.values()].toSorted((a, b) => (a.userId < b.userId ? -1 : 1)),
    invitations: invitations.size,
  };
};

/** Memberships leave no row behind: they are told by the stream of their organization. */
export const membersAsOf = async (
  { reader, cut }: Past,
  { organizationId, partition }: { readonly organizationId: string; readonly partition: number },
): Promise<MembersAsOf> => {
  const streamId = `organization:${organizationId}`;
  const streams = await readStreamsAsOf(reader, [{ partition, streamId }], cut);
  return fold(streams.get(streamId) ?? []);
};

/** A page of them, in order of their ids. Throws InvalidCursor. */
export const pageOfMembersAsOf = (
  { cut }: Past,
  { members }: MembersAsOf,
  { cursor, limit }: PageRequest,
): Page<MemberRecord> => {
  const list = listAsOf('members', cut);
  const after = decodeCursor(list, 'uuid', cursor);
  const rest = after === null ? members : members.filter(({ userId }) => userId > after);
  return toPage(list, rest, { limit, keyOf: ({ userId }) => userId });
};
