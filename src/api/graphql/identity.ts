import { findAccount, findPeople } from '../../identity/accounts.ts';
import type { OrganizationRecord } from '../../projections/configuration/queries.ts';
import {
  type InvitationRecord,
  listInvitations,
  listMembers,
  listServiceTokens,
  type MemberRecord,
  type ServiceTokenRecord,
} from '../../projections/identity/queries.ts';
import { REAUTHENTICATION_MS } from '../auth/authorize.ts';
import { roleIn, type UserPrincipal } from '../auth/principal.ts';
import { Problem } from '../problems.ts';
import { usageOf } from '../quota/usage.ts';
import { type PageArgs, pageOf } from './connection.ts';
import { allow, type Context, type Seen } from './context.ts';
import type { Fields } from './schema.ts';

type Organization = Seen<OrganizationRecord>;

/** People, tokens and what was refused to them are told as of now: personal data is not kept for its history. */
export const requireNow = ({ moment }: Organization): void => {
  if (moment.cut !== null)
    throw new Problem('InvalidAsOf', 'Members, invitations, service tokens and refusals are told as of now only.');
};

/** Who may do what: members, invitations, service tokens, and who asks. */
export const identityFields: Fields = {
  Viewer: {
    user: async (_viewer: unknown, _args: unknown, { request: { principal }, deps }: Context) => {
      if (principal.kind !== 'user') return null;
      const account = await findAccount(deps.instancePool, principal.userId);
      return account ? { ...account, principal } : null;
    },
  },
  Viewing: {
    id: ({ userId }: { userId: string }) => userId,
    seesSecretsUntil: ({ principal }: { principal: UserPrincipal }) =>
      new Date(principal.authenticatedAt.getTime() + REAUTHENTICATION_MS),
  },
  Organization: {
    role: ({ organizationId }: Organization, _args: unknown, { request }: Context) =>
      roleIn(request.principal, organizationId),
    quotas: async (organization: Organization, _args: unknown, context: Context) => {
      requireNow(organization);
      const { organizationId } = organization;
      allow(context, 'organization:get', { organizationId });
      const { settings, ...used } = await usageOf(context.deps, organizationId);
      return { ...used, isEnforced: context.deps.limitsOf.isEnforced, plan: settings.plan?.name ?? null };
    },
    members: async (organization: Organization, args: PageArgs, context: Context) => {
      requireNow(organization);
      const { organizationId } = organization;
      const { pool } = context.deps;
      allow(context, 'member:list', { organizationId });
      const page = await listMembers(pool, organizationId, pageOf(args));
      const people = await findPeople(
        pool,
        page.rows.map(({ userId }) => userId),
      );
      return { ...page, rows: page.rows.map((member) => ({ ...people.get(member.userId), ...member })) };
    },
    invitations: async (organization: Organization, args: PageArgs, context: Context) => {
      requireNow(organization);
      const { organizationId } = organization;
      allow(context, 'organization:invite', { organizationId });
      return listInvitations(context.deps.pool, organizationId, pageOf(args));
    },
    serviceTokens: async (organization: Organization, args: PageArgs, context: Context) => {
      requireNow(organization);
      const { organizationId } = organization;
      allow(context, 'service_token:list', { organizationId });
      return listServiceTokens(context.deps.pool, organizationId, pageOf(args));
    },
  },
  Member: {
    id: ({ userId }: MemberRecord) => userId,
    email: ({ email }: { email?: string }) => email ?? '',
    firstName: ({ firstName }: { firstName?: string }) => firstName ?? '',
    lastName: ({ lastName }: { lastName?: string }) => lastName ?? '',
  },
  Invitation: { id: ({ invitationId }: InvitationRecord) => invitationId },
  ServiceToken: { id: ({ tokenId }: Pick<ServiceTokenRecord, 'tokenId'>) => tokenId },
};
