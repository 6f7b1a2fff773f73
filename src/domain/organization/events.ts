import type { DomainCommand, DomainEvent } from '../metadata.ts';
import type { Role } from './role.ts';

/**
 * Stream `organization:<organization id>`, in the log partition of the organization id. People are told by their ids: names and
 * mail addresses are outside the log, where they can be erased.
 */
export type OrganizationEvent =
  | DomainEvent<'OrganizationCreated', { organizationId: string; name: string; createdAt: string }>
  | DomainEvent<'OrganizationRenamed', { organizationId: string; name: string; renamedAt: string }>
  | DomainEvent<'OrganizationDeleted', { organizationId: string; deletedAt: string }>
  /** After its deletion: the keys of its secrets are destroyed, its payloads go within the hour. */
  | DomainEvent<'OrganizationErased', { organizationId: string; erasedAt: string }>
  | DomainEvent<'MemberInvited', { organizationId: string; invitationId: string; role: Role; invitedAt: string }>
  | DomainEvent<'InvitationRevoked', { organizationId: string; invitationId: string; revokedAt: string }>
  | DomainEvent<
      'MemberAdded',
      {
        organizationId: string;
        userId: string;
        role: Role;
        /** The invitation that was accepted; null for who founded the organization, or had an account when invited. */
        invitationId: string | null;
        addedAt: string;
      }
    >
  | DomainEvent<
      'MemberRoleChanged',
      { organizationId: string; userId: string; role: Role; previousRole: Role; changedAt: string }
    >
  | DomainEvent<
      'MemberRemoved',
      { organizationId: string; userId: string; reason: MemberRemovedReason; removedAt: string }
    >;

/** `erased`: the person's account was. */
export type MemberRemovedReason = 'removed' | 'left' | 'erased';

export type OrganizationCommand =
  | DomainCommand<'CreateOrganization', { organizationId: string; name: string }>
  | DomainCommand<'RenameOrganization', { organizationId: string; name: string }>
  /** `applications` is how many live applications the organization still owns. */
  | DomainCommand<'DeleteOrganization', { organizationId: string; applications: number }>
  | DomainCommand<'EraseOrganization', { organizationId: string }>
  /** For somebody without an account. `membersMax` is the quota of members; open invitations count. */
  /** `askedBy`: only owners make, change or remove an owner, as far as they are at that moment; null for who need not be one. */
  | DomainCommand<
      'InviteMember',
      { organizationId: string; invitationId: string; role: Role; membersMax: number; askedBy: string | null }
    >
  | DomainCommand<'RevokeInvitation', { organizationId: string; invitationId: string }>
  | DomainCommand<
      'AddMember',
      {
        organizationId: string;
        userId: string;
        role: Role;
        invitationId: string | null;
        membersMax: number;
        askedBy: string | null;
      }
    >
  | DomainCommand<'ChangeMemberRole', { organizationId: string; userId: string; role: Role; askedBy: string | null }>
  | DomainCommand<
      'RemoveMember',
      { organizationId: string; userId: string; reason: MemberRemovedReason; askedBy: string | null }
    >;
