import { graphql } from '../../graphql/graphql.ts';

export const MEMBERS = graphql(`
  query Members($organization: UUID!, $after: String) {
    organization(id: $organization) {
      name
      members(first: 100, after: $after) {
        nodes { id email firstName lastName role since }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
`);
export const INVITATIONS = graphql(`
  query Invitations($organization: UUID!) {
    organization(id: $organization) {
      invitations(first: 100) { nodes { id email role createdAt } pageInfo { hasNextPage } }
    }
  }
`);
export const INVITE = graphql(`
  mutation InviteMember($organization: UUID!, $email: String!, $role: String!) {
    inviteMember(organizationId: $organization, email: $email, role: $role) { id }
  }
`);
export const REVOKE_INVITATION = graphql(`
  mutation RevokeInvitation($organization: UUID!, $id: UUID!) {
    revokeInvitation(organizationId: $organization, id: $id) { id }
  }
`);
export const CHANGE_ROLE = graphql(`
  mutation ChangeMemberRole($organization: UUID!, $user: UUID!, $role: String!) {
    changeMemberRole(organizationId: $organization, userId: $user, role: $role) { id }
  }
`);
export const REMOVE_MEMBER = graphql(`
  mutation RemoveMember($organization: UUID!, $user: UUID!) {
    removeMember(organizationId: $organization, userId: $user) { id }
  }
`);

export const ROLES = ['owner', 'editor', 'viewer'] as const;
