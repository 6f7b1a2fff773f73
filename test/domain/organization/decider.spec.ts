import { describe, it } from 'vitest';
import { organizationDecider } from '#src/domain/organization/decider.ts';
import type { OrganizationCommand, OrganizationEvent } from '#src/domain/organization/events.ts';
import type { Role } from '#src/domain/organization/role.ts';
import { specFor } from '#test/support/spec.ts';

const given = specFor(organizationDecider);
const now = new Date('2026-03-01T10:00:00.000Z');
const at = now.toISOString();
const organizationId = '018f0000-0000-7000-8000-000000000001';

const create = (name: string): OrganizationCommand => ({
  type: 'CreateOrganization',
  data: { organizationId, name },
  metadata: { now },
});
const rename = (name: string): OrganizationCommand => ({
  type: 'RenameOrganization',
  data: { organizationId, name },
  metadata: { now },
});
const remove = (applications: number): OrganizationCommand => ({
  type: 'DeleteOrganization',
  data: { organizationId, applications },
  metadata: { now },
});
const created: OrganizationEvent = {
  type: 'OrganizationCreated',
  data: { organizationId, name: 'Acme', createdAt: at },
};
const renamed: OrganizationEvent = {
  type: 'OrganizationRenamed',
  data: { organizationId, name: 'Apex', renamedAt: at },
};
const deleted: OrganizationEvent = { type: 'OrganizationDeleted', data: { organizationId, deletedAt: at } };

describe('creating an organization', () => {
  it('records it', () => given().when(create('Acme')).then(created));
  it('stays quiet when repeated', () => given(created).when(create('Acme')).then());
  it('is refused under an id that means another', () => given(created).when(create('Apex')).thenThrows('NotFound'));
  it('is refused under a deleted id', () => given(created, deleted).when(create('Acme')).thenThrows('NotFound'));
  it('is refused without a name', () => given().when(create(' ')).thenThrows('OrganizationNameMissing'));
});

describe('renaming an organization', () => {
  it('records the new name', () => given(created).when(rename('Apex')).then(renamed));
  it('stays quiet when it has that name', () => given(created, renamed).when(rename('Apex')).then());
  it('goes back to an earlier name', () =>
    given(created, renamed)
      .when(rename('Acme'))
      .then({ type: 'OrganizationRenamed', data: { organizationId, name: 'Acme', renamedAt: at } }));
  it('is refused without a name', () => given(created).when(rename('')).thenThrows('OrganizationNameMissing'));
  it('is refused when unknown', () => given().when(rename('Apex')).thenThrows('NotFound'));
  it('is refused when deleted', () => given(created, deleted).when(rename('Apex')).thenThrows('NotFound'));
});

describe('deleting an organization', () => {
  it('records it', () => given(created).when(remove(0)).then(deleted));
  it('stays quiet when repeated', () => given(created, deleted).when(remove(0)).then());
  it('is refused while it owns applications', () =>
    given(created).when(remove(1)).thenThrows('OrganizationIsNotEmpty'));
  it('is refused when unknown', () => given().when(remove(0)).thenThrows('NotFound'));
});

type Of<T extends OrganizationCommand['type']> = Omit<
  Extract<OrganizationCommand, { type: T }>['data'],
  'organizationId'
>;
const command = <T extends OrganizationCommand['type']>(type: T, data: Of<T>): OrganizationCommand =>
  ({ type, data: { organizationId, ...data }, metadata: { now } }) as OrganizationCommand;
const added = (userId: string, role: Role, invitationId: string | null = null): OrganizationEvent => ({
  type: 'MemberAdded',
  data: { organizationId, userId, role, invitationId, addedAt: at },
});
const invited = (invitationId: string, role: Role): OrganizationEvent => ({
  type: 'MemberInvited',
  data: { organizationId, invitationId, role, invitedAt: at },
});

describe('inviting', () => {
  const invite = (invitationId: string, membersMax = 9) =>
    command('InviteMember', { invitationId, role: 'viewer', membersMax, askedBy: null });
  it('records it', () => given(created).when(invite('i')).then(invited('i', 'viewer')));
  it('stays quiet when repeated', () => given(created, invited('i', 'viewer')).when(invite('i')).then());
  it('counts open invitations against the quota', () =>
    given(created, added('a', 'owner'), invited('i', 'viewer'))
      .when(invite('j', 2))
      .thenThrows('TooManyMembersPerOrganization'));
  it('is refused in a deleted organization', () => given(created, deleted).when(invite('i')).thenThrows('NotFound'));
});

describe('adding a member', () => {
  const add = (userId: string, invitationId: string | null = null, membersMax = 9) =>
    command('AddMember', { userId, role: 'editor', invitationId, membersMax, askedBy: null });
  it('records it', () => given(created).when(add('a')).then(added('a', 'editor')));
  it('by an invitation ends the invitation, which held its place', () =>
    given(created, invited('i', 'editor'))
      .when(add('a', 'i', 1))
      .then(added('a', 'editor', 'i')));
  it('by an invitation that was taken back is refused', () =>
    given(created, invited('i', 'editor'), {
      type: 'InvitationRevoked',
      data: { organizationId, invitationId: 'i', revokedAt: at },
    })
      .when(add('a', 'i'))
      .thenThrows('NotFound'));
  it('is refused for a member', () =>
    given(created, added('a', 'viewer')).when(add('a')).thenThrows('InvitedUserAlreadyInOrganization'));
  it('is refused beyond the quota', () =>
    given(created, added('a', 'owner'))
      .when(add('b', null, 1))
      .thenThrows('TooManyMembersPerOrganization'));
});

describe('changing roles and leaving', () => {
  const change = (userId: string, role: Role) => command('ChangeMemberRole', { userId, role, askedBy: null });
  const leave = (userId: string) => command('RemoveMember', { userId, reason: 'left', askedBy: null });
  const owners = [created, added('a', 'owner'), added('b', 'owner')] as const;
  it('records the role with the one before', () =>
    given(...owners)
      .when(change('b', 'viewer'))
      .then({
        type: 'MemberRoleChanged',
        data: { organizationId, userId: 'b', role: 'viewer', previousRole: 'owner', changedAt: at },
      }));
  it('stays quiet when it is the role already', () =>
    given(...owners)
      .when(change('b', 'owner'))
      .then());
  it('lets one of two owners go', () =>
    given(...owners)
      .when(leave('a'))
      .then({ type: 'MemberRemoved', data: { organizationId, userId: 'a', reason: 'left', removedAt: at } }));
  it('keeps the last owner', () => {
    const last = given(created, added('a', 'owner'), added('b', 'editor'));
    last.when(leave('a')).thenThrows('OrganizationNeedsAnOwner');
    given(created, added('a', 'owner')).when(change('a', 'editor')).thenThrows('OrganizationNeedsAnOwner');
  });
  it('makes, changes and removes owners for those alone who are owners at that moment', () => {
    const asked = (askedBy: string) => [
      command('ChangeMemberRole', { userId: 'b', role: 'viewer', askedBy }),
      command('RemoveMember', { userId: 'b', reason: 'removed', askedBy }),
      command('ChangeMemberRole', { userId: 'v', role: 'owner', askedBy }),
      command('InviteMember', { invitationId: 'i', role: 'owner', membersMax: 9, askedBy }),
      command('AddMember', { userId: 'n', role: 'owner', invitationId: null, membersMax: 9, askedBy }),
    ];
    const members = [...owners, added('c', 'owner'), added('v', 'viewer'), added('e', 'editor')];
    for (const each of ['e', 'service_token:t'].flatMap(asked))
      given(...members)
        .when(each)
        .thenThrows('Forbidden');
    // An owner whom another one has just made an editor.
    const demoted: OrganizationEvent = {
      type: 'MemberRoleChanged',
      data: { organizationId, userId: 'c', role: 'editor', previousRole: 'owner', changedAt: at },
    };
    for (const each of asked('c'))
      given(...members, demoted)
        .when(each)
        .thenThrows('Forbidden');
    given(...members)
      .when(command('RemoveMember', { userId: 'v', reason: 'removed', askedBy: 'e' }))
      .then({ type: 'MemberRemoved', data: { organizationId, userId: 'v', reason: 'removed', removedAt: at } });
  });
  it('is refused for a stranger', () =>
    given(...owners)
      .when(leave('c'))
      .thenThrows('NotFound'));
});

describe('erasing an organization', () => {
  const erase = command('EraseOrganization', {});
  const erased: OrganizationEvent = { type: 'OrganizationErased', data: { organizationId, erasedAt: at } };
  it('records it once it is deleted', () => given(created, deleted).when(erase).then(erased));
  it('stays quiet when repeated', () => given(created, deleted, erased).when(erase).then());
  it('is refused while it lives', () => given(created).when(erase).thenThrows('NotFound'));
});
