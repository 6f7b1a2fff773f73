import type { Decider } from '@event-driven-io/emmett';
import { DomainError } from '../errors.ts';
import { idTaken, notFound } from '../refusals.ts';
import type { OrganizationCommand, OrganizationEvent } from './events.ts';
import type { Role } from './role.ts';

type Active = {
  readonly status: 'active';
  readonly name: string;
  readonly members: ReadonlyMap<string, Role>;
  /** Open ones, by invitation id. */
  readonly invitations: ReadonlyMap<string, Role>;
};

export type Organization = { readonly status: 'unknown' } | Active | { readonly status: 'deleted' | 'erased' };

const decide = (command: OrganizationCommand, state: Organization): OrganizationEvent[] => {
  const { type, data, metadata } = command;
  const { organizationId } = data;
  const at = metadata.now.toISOString();
  switch (type) {
    case 'CreateOrganization':
      requireName(data.name);
      if (state.status === 'unknown')
        return [{ type: 'OrganizationCreated', data: { organizationId, name: data.name, createdAt: at } }];
      if (state.status === 'active' && state.name === data.name) return []; // A client retrying after a timeout.
      throw idTaken('organization', organizationId);
    case 'RenameOrganization': {
      const { name } = requireActive(state, organizationId);
      requireName(data.name);
      if (name === data.name) return [];
      return [{ type: 'OrganizationRenamed', data: { organizationId, name: data.name, renamedAt: at } }];
    }
    case 'DeleteOrganization':
      if (state.status === 'unknown') throw notFound('organization', organizationId);
      if (state.status !== 'active') return [];
      if (data.applications > 0) throw organizationNotEmpty(organizationId, data.applications);
      return [{ type: 'OrganizationDeleted', data: { organizationId, deletedAt: at } }];
    case 'EraseOrganization':
      if (state.status === 'erased') return [];
      if (state.status !== 'deleted') throw notFound('deleted organization', organizationId);
      return [{ type: 'OrganizationErased', data: { organizationId, erasedAt: at } }];
    default:
      return decideMembers(command, requireActive(state, organizationId));
  }
};

type MemberCommand = Extract<OrganizationCommand, { type: `${string}Member${string}` | 'RevokeInvitation' }>;

const decideMembers = (
  { type, data, metadata }: MemberCommand,
  { members, invitations }: Active,
): OrganizationEvent[] => {
  const { organizationId } = data;
  const at = metadata.now.toISOString();
  switch (type) {
    case 'InviteMember': {
      const { invitationId, role, membersMax, askedBy } = data;
      requireRank(members, askedBy, [role]);
      if (invitations.get(invitationId) === role) return [];
      requireRoom(organizationId, members.size + invitations.size, membersMax);
      return [{ type: 'MemberInvited', data: { organizationId, invitationId, role, invitedAt: at } }];
    }
    case 'RevokeInvitation': {
      const { invitationId } = data;
      if (!invitations.has(invitationId)) throw notFound('invitation', invitationId);
      return [{ type: 'InvitationRevoked', data: { organizationId, invitationId, revokedAt: at } }];
    }
    case 'AddMember': {
      const { userId, role, invitationId, membersMax, askedBy } = data;
      requireRank(members, askedBy, [role]);
      if (invitationId !== null && !invitations.has(invitationId)) throw notFound('invitation', invitationId);
      if (members.has(userId)) throw alreadyMember(organizationId, userId);
      // An invitation holds its place already.
      if (invitationId === null) requireRoom(organizationId, members.size + invitations.size, membersMax);
      return [{ type: 'MemberAdded', data: { organizationId, userId, role, invitationId, addedAt: at } }];
    }
    case 'ChangeMemberRole': {
      const { userId, role, askedBy } = data;
      const previousRole = members.get(userId);
      if (previousRole === undefined) throw notFound('member', userId);
      requireRank(members, askedBy, [previousRole, role]);
      if (previousRole === role) return [];
      if (previousRole === 'owner') requireAnotherOwner(organizationId, members);
      return [{ type: 'MemberRoleChanged', data: { organizationId, userId, role, previousRole, changedAt: at } }];
    }
    case 'RemoveMember': {
      const { userId, reason, askedBy } = data;
      const role = members.get(userId);
      if (role === undefined) throw notFound('member', userId);
      requireRank(members, askedBy, [role]);
      if (role === 'owner' && reason !== 'erased') requireAnotherOwner(organizationId, members);
      return [{ type: 'MemberRemoved', data: { organizationId, userId, reason, removedAt: at } }];
    }
  }
};

/** Total: what is recorded has happened, so folding it never throws and never refuses. */
const evolve = (state: Organization, event: OrganizationEvent): Organization => {
  switch (event.type) {
    case 'OrganizationCreated':
      return { status: 'active', name: event.data.name, members: new Map(), invitations: new Map() };
    case 'OrganizationRenamed':
      return state.status === 'active' ? { ...state, name: event.data.name } : state;
    case 'OrganizationDeleted':
      return { status: 'deleted' };
    case 'OrganizationErased':
      return { status: 'erased' };
    case 'MemberInvited':
      return withInvitation(state, event.data.invitationId, event.data.role);
    case 'InvitationRevoked':
      return withInvitation(state, event.data.invitationId, undefined);
    case 'MemberAdded': {
      const { userId, role, invitationId } = event.data;
      const added = withMember(state, userId, role);
      return invitationId === null ? added : withInvitation(added, invitationId, undefined);
    }
    case 'MemberRoleChanged':
      return withMember(state, event.data.userId, event.data.role);
    case 'MemberRemoved':
      return withMember(state, event.data.userId, undefined);
    default:
      event satisfies never;
      return state; // Written by a newer release during a rolling deploy.
  }
};

const changed = (of: ReadonlyMap<string, Role>, id: string, role: Role | undefined): ReadonlyMap<string, Role> => {
  const copy = new Map(of);
  if (role === undefined) copy.delete(id);
  else copy.set(id, role);
  return copy;
};

const withMember = (state: Organization, userId: string, role: Role | undefined): Organization =>
  state.status === 'active' ? { ...state, members: changed(state.members, userId, role) } : state;

const withInvitation = (state: Organization, invitationId: string, role: Role | undefined): Organization =>
  state.status === 'active' ? { ...state, invitations: changed(state.invitations, invitationId, role) } : state;

const requireActive = (state: Organization, organizationId: string): Active => {
  if (state.status === 'active') return state;
  throw notFound('organization', organizationId);
};

const requireName = (name: string): void => {
  if (name.trim() === '') throw new DomainError('OrganizationNameMissing', 'An organization needs a name. Send one.');
};

const requireRoom = (organizationId: string, members: number, membersMax: number): void => {
  if (members < membersMax) return;
  throw new DomainError(
    'TooManyMembersPerOrganization',
    `Organization ${organizationId} may have ${membersMax} member(s), open invitations included. Remove one, or ask for a larger plan.`,
  );
};

/** Here, and not before: whoever asks may have been an owner a moment ago, and the member none. */
const requireRank = (members: ReadonlyMap<string, Role>, askedBy: string | null, roles: readonly Role[]): void => {
  if (askedBy === null || members.get(askedBy) === 'owner' || !roles.includes('owner')) return;
  throw new DomainError('Forbidden', 'Only an owner can make, change or remove an owner.');
};

const requireAnotherOwner = (organizationId: string, members: ReadonlyMap<string, Role>): void => {
  if ([...members.values()].filter((role) => role === 'owner').length > 1) return;
  throw new DomainError(
    'OrganizationNeedsAnOwner',
    `Organization ${organizationId} would have no owner left. Make somebody else an owner first.`,
  );
};

const alreadyMember = (organizationId: string, userId: string): DomainError =>
  new DomainError(
    'InvitedUserAlreadyInOrganization',
    `User ${userId} is a member of organization ${organizationId} already. Change the role instead.`,
  );

/** Applications of other log partitions count, so that it is asked again where no more can be made. */
export const organizationNotEmpty = (organizationId: string, applications: number): DomainError =>
  new DomainError(
    'OrganizationIsNotEmpty',
    `Organization ${organizationId} still owns ${applications} application(s). Delete them first.`,
  );

export const organizationDecider: Decider<Organization, OrganizationCommand, OrganizationEvent> = {
  decide,
  evolve,
  initialState: () => ({ status: 'unknown' }),
};
