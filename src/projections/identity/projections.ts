import type { OrganizationEvent } from '../../domain/organization/events.ts';
import type { ServiceTokenEvent } from '../../domain/service-token/events.ts';
import { inlineProjection } from '../inline.ts';
import type { Projection } from '../projection.ts';

type MembershipEvent = Extract<OrganizationEvent, { type: `Member${'Added' | 'RoleChanged' | 'Removed'}` }>;

export const membershipProjection = inlineProjection<MembershipEvent>(
  'membership',
  ['MemberAdded', 'MemberRoleChanged', 'MemberRemoved'],
  ({ type, data, partition, position }, table) => {
    const { organizationId, userId } = data;
    switch (type) {
      case 'MemberAdded':
        return [
          `INSERT INTO ${table('membership')} (organization_id, user_id, role, since, partition_no, position)
           VALUES ($1, $2, $3, $4, $5, $6)`,
          [organizationId, userId, data.role, data.addedAt, partition, position],
        ];
      case 'MemberRoleChanged':
        return [
          `UPDATE ${table('membership')} SET role = $3, position = $4 WHERE organization_id = $1 AND user_id = $2`,
          [organizationId, userId, data.role, position],
        ];
      case 'MemberRemoved':
        return [
          `DELETE FROM ${table('membership')} WHERE organization_id = $1 AND user_id = $2`,
          [organizationId, userId],
        ];
    }
  },
);

type InvitationEvent = Extract<OrganizationEvent, { type: 'MemberInvited' | 'InvitationRevoked' | 'MemberAdded' }>;

/** Open invitations; whom they are for is told by `invitation_address`, which is not of the log. */
export const invitationProjection = inlineProjection<InvitationEvent>(
  'invitation',
  ['MemberInvited', 'InvitationRevoked', 'MemberAdded'],
  ({ type, data, partition, position }, table) => {
    switch (type) {
      case 'MemberInvited':
        return [
          `INSERT INTO ${table('invitation')} (invitation_id, organization_id, role, created_at, partition_no, position)
           VALUES ($1, $2, $3, $4, $5, $6)`,
          [data.invitationId, data.organizationId, data.role, data.invitedAt, partition, position],
        ];
      case 'InvitationRevoked':
        return [`DELETE FROM ${table('invitation')} WHERE invitation_id = $1`, [data.invitationId]];
      case 'MemberAdded':
        if (data.invitationId === null) return undefined;
        return [`DELETE FROM ${table('invitation')} WHERE invitation_id = $1`, [data.invitationId]];
    }
  },
);

type TokenChange = Exclude<ServiceTokenEvent, { type: 'ServiceTokenBlockRevoked' }>;

export const serviceTokenProjection = inlineProjection<TokenChange>(
  'service_token',
  ['ServiceTokenCreated', 'ServiceTokenRenamed', 'ServiceTokenRevoked'],
  ({ type, data, partition, position }, table) => {
    switch (type) {
      case 'ServiceTokenCreated':
        return [
          `INSERT INTO ${table('service_token')}
             (token_id, organization_id, name, revocation_id, created_at, partition_no, position)
           VALUES ($1, $2, $3, $4, $5, $6, $7)`,
          [data.tokenId, data.organizationId, data.name, data.revocationId, data.createdAt, partition, position],
        ];
      case 'ServiceTokenRenamed':
        return [
          `UPDATE ${table('service_token')} SET name = $2, position = $3 WHERE token_id = $1`,
          [data.tokenId, data.name, position],
        ];
      case 'ServiceTokenRevoked':
        return [
          `UPDATE ${table('service_token')} SET revoked_at = $2, position = $3 WHERE token_id = $1`,
          [data.tokenId, data.revokedAt, position],
        ];
    }
  },
);

export const revokedBlockProjection = inlineProjection<
  Extract<ServiceTokenEvent, { type: 'ServiceTokenBlockRevoked' }>
>('revoked_block', ['ServiceTokenBlockRevoked'], ({ data, partition, position }, table) => [
  `INSERT INTO ${table('revoked_block')} (revocation_id, organization_id, token_id, revoked_at, partition_no, position)
   VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
  [data.revocationId, data.organizationId, data.tokenId, data.revokedAt, partition, position],
]);

/** Who may do what, each table with its projection. Their domain events change nothing that events are routed with. */
export const identityProjections: readonly Projection[] = [
  membershipProjection,
  invitationProjection,
  serviceTokenProjection,
  revokedBlockProjection,
];
