import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Action } from '../../domain/access/actions.ts';
import { DomainError } from '../../domain/errors.ts';
import { uuidv7 } from '../../domain/event/ids.ts';
import { ROLES, type Role } from '../../domain/organization/role.ts';
import { notFound } from '../../domain/refusals.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import type { RunQuery } from '../../eventstore/types.ts';
import { findAccountByEmail, findPeople, holdAccount } from '../../identity/accounts.ts';
import { emailKeyOf } from '../../identity/email.ts';
import { addMail } from '../../mail/outbox.ts';
import { findOrganizationsAsOf } from '../../projections/configuration/lists-as-of.ts';
import { findOrganization } from '../../projections/configuration/queries.ts';
import { membersAsOf, pageOfMembersAsOf } from '../../projections/identity/as-of.ts';
import { listInvitations, listMembers } from '../../projections/identity/queries.ts';
import { createGuessLimits } from '../account/limits.ts';
import { email } from '../account/routes.ts';
import { authorize } from '../auth/authorize.ts';
import { actorOf } from '../auth/principal.ts';
import { createCommands } from '../commands.ts';
import type { ApiDeps } from '../deps.ts';
import { pastOf } from '../http/as-of.ts';
import { AsOfQuery, PageQuery } from '../http/inputs.ts';
import { NoContent, operation } from '../http/operation.ts';
import { linkNext, pageRequest } from '../http/page.ts';
import { text, uuid } from '../http/strings.ts';
import { Problem } from '../problems.ts';

const MembersQuery = PageQuery.extend(AsOfQuery.shape);
const OrganizationParams = z.object({ organization_id: uuid() });
const RoleName = text(1, 50).describe('owner, editor or viewer.');
const Done = z.object({});
export const Member = z.object({
  user_id: z.string(),
  email: z.string().describe('Empty when the person was erased, or, with `as_of`, has left.'),
  first_name: z.string(),
  last_name: z.string(),
  role: z.enum(ROLES),
  since: z.string(),
});
const Invitation = z.object({
  invitation_id: z.string(),
  email: z.string(),
  role: z.enum(ROLES),
  created_at: z.string(),
});

const roleOf = (text: string): Role => {
  const role = ROLES.find((known) => known === text.toLowerCase());
  if (!role) throw new Problem('InvalidRole', `There is no role ${JSON.stringify(text)}. Use ${ROLES.join(', ')}.`);
  return role;
};

/** Who has to be an owner to touch one: nobody, with the master key; whatever is no person never is. */
const askerOf = ({ principal }: FastifyRequest): string | null => {
  if (principal.kind === 'master') return null;
  return principal.kind === 'user' ? principal.userId : actorOf(principal);
};

/** What is refused for want of rank, where the change is decided, is recorded as what `authorize` refuses is. */
const recorded = async <Result>(
  { principal }: FastifyRequest,
  action: Action,
  organizationId: string,
  work: () => Promise<Result>,
): Promise<Result> => {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DomainError && error.id === 'Forbidden' && principal.kind !== 'master')
      principal.refused({ actor: actorOf(principal), action, id: 'Forbidden', organizationId });
    throw error;
  }
};

/** Members of an organization, and those who were invited and have no account yet. */
export const memberRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const { pool, instancePool, config, now, partitions, limitsOf, mailHint } = deps;
    const commands = createCommands(deps);
    const limits = createGuessLimits(deps);

    const nameOf = async (organizationId: string): Promise<string> => {
      const found = await findOrganization(pool, organizationId);
      if (!found) throw notFound('organization', organizationId);
      return found.name;
    };

    const membersOf = async (organizationId: string, query: z.output<typeof MembersQuery>) => {
      const past = await pastOf(deps, query);
      if (!past) {
        await nameOf(organizationId);
        return listMembers(pool, organizationId, pageRequest(query));
      }
      const then = await findOrganizationsAsOf(past, [organizationId]);
      if (!then.has(organizationId)) throw notFound('organization', organizationId);
      const members = await membersAsOf(past, { organizationId, partition: partitionOf(organizationId, partitions) });
      return pageOfMembersAsOf(past, members, pageRequest(query));
    };

    app.get(
      '/organizations/:organization_id/members',
      operation(
        {
          id: 'listMembers',
          tag: 'Organizations',
          summary: 'List the members',
          description:
            'With `as_of`, who belonged to it then, and as what; names and mail addresses are those of now, and empty for who has left.',
          problems: ['InvalidAsOf', 'InvalidCursor'],
        },
        { params: OrganizationParams, querystring: MembersQuery, response: { 200: z.array(Member) } },
      ),
      async (request, reply) => {
        const organizationId = request.params.organization_id;
        authorize(request.principal, 'member:list', { organizationId });
        const page = await membersOf(organizationId, request.query);
        linkNext(request, reply, config.publicUrl, page);
        const accounts = await findPeople(
          pool,
          page.rows.map(({ userId }) => userId),
        );
        return page.rows.map(({ userId, role, since }) => {
          const { email: address = '', firstName = '', lastName = '' } = accounts.get(userId) ?? {};
          return {
            user_id: userId,
            email: address,
            first_name: firstName,
            last_name: lastName,
            role,
            since: since.toISOString(),
          };
        });
      },
    );

    app.get(
      '/organizations/:organization_id/invitations',
      operation(
        {
          id: 'listInvitations',
          tag: 'Organizations',
          summary: 'List the open invitations',
          problems: ['InvalidCursor'],
        },
        { params: OrganizationParams, querystring: PageQuery, response: { 200: z.array(Invitation) } },
      ),
      async (request, reply) => {
        const organizationId = request.params.organization_id;
        authorize(request.principal, 'organization:invite', { organizationId });
        await nameOf(organizationId);
        const page = await listInvitations(pool, organizationId, pageRequest(request.query));
        linkNext(request, reply, config.publicUrl, page);
        return page.rows.map(({ invitationId, email: address, role, createdAt }) => ({
          invitation_id: invitationId,
          email: address,
          role,
          created_at: createdAt.toISOString(),
        }));
      },
    );

    app.post(
      '/organizations/:organization_id/invite',
      operation(
        {
          id: 'inviteMember',
          tag: 'Organizations',
          summary: 'Invite somebody',
          description:
            'Whoever has an account is a member at once. Whoever has none gets a mail, and is a member as soon as an account with this address is verified. The answer is the same. An address gets ten mails a day at most, an organization sends sixty a minute.',
          problems: ['InvalidRole', 'InvitedUserAlreadyInOrganization', 'TooManyMembersPerOrganization'],
        },
        {
          params: OrganizationParams,
          body: z.object({ email: email(), role: RoleName }),
          response: { 200: Done },
        },
      ),
      async (request) => {
        const organizationId = request.params.organization_id;
        const { email: address } = request.body;
        authorize(request.principal, 'organization:invite', { organizationId });
        const role = roleOf(request.body.role);
        const organization = await nameOf(organizationId);
        if (request.principal.kind !== 'master') await limits.invitation(organizationId, address);
        const account = await findAccountByEmail(instancePool, address);
        const hasAccount = account !== undefined && account.verifiedAt !== null;
        const { members: membersMax } = await limitsOf.organization(organizationId);
        const at = now();
        const asked = { organizationId, role, membersMax, askedBy: askerOf(request) };
        const mail = (run: RunQuery): Promise<void> =>
          addMail(run, {
            mailId: uuidv7(at.getTime()),
            recipient: address,
            content: { template: 'invitation', organization, role, email: address, hasAccount },
            at,
          });
        const add = (userId: string) =>
          commands.members(
            request,
            { type: 'AddMember', data: { ...asked, userId, invitationId: null } },
            async (run) => {
              if (!(await holdAccount(run, userId))) throw notFound('user', userId);
              await mail(run);
            },
          );
        const invite = (invitationId: string) =>
          commands.members(request, { type: 'InviteMember', data: { ...asked, invitationId } }, async (run) => {
            await rememberAddress(run, { invitationId, organizationId, address, at });
            await mail(run);
          });
        await recorded(request, 'organization:invite', organizationId, () =>
          hasAccount ? add(account.userId) : invite(uuidv7(at.getTime())),
        );
        mailHint();
        return {};
      },
    );

    app.put(
      '/organizations/:organization_id/invite',
      operation(
        {
          id: 'changeMemberRole',
          tag: 'Organizations',
          summary: 'Change the role of a member',
          problems: ['InvalidRole', 'OrganizationNeedsAnOwner'],
        },
        {
          params: OrganizationParams,
          body: z.object({ user_id: uuid(), role: RoleName }),
          response: { 200: Done },
        },
      ),
      async (request) => {
        const organizationId = request.params.organization_id;
        const { user_id: userId } = request.body;
        authorize(request.principal, 'organization:edit_role', { organizationId });
        const role = roleOf(request.body.role);
        const data = { organizationId, userId, role, askedBy: askerOf(request) };
        await recorded(request, 'organization:edit_role', organizationId, () =>
          commands.members(request, { type: 'ChangeMemberRole', data }),
        );
        return {};
      },
    );

    app.delete(
      '/organizations/:organization_id/invite',
      operation(
        {
          id: 'removeMember',
          tag: 'Organizations',
          summary: 'Remove a member, or leave',
          description: 'Everybody may leave, but for the last owner.',
          problems: ['OrganizationNeedsAnOwner'],
        },
        { params: OrganizationParams, body: z.object({ user_id: uuid() }), response: { 200: Done } },
      ),
      async (request) => {
        const organizationId = request.params.organization_id;
        const { user_id: userId } = request.body;
        const { principal } = request;
        const isSelf = principal.kind === 'user' && principal.userId === userId;
        authorize(principal, isSelf ? 'organization:get' : 'organization:revoke', { organizationId });
        await recorded(request, 'organization:revoke', organizationId, () =>
          commands.members(request, {
            type: 'RemoveMember',
            data: isSelf
              ? { organizationId, userId, reason: 'left', askedBy: null }
              : { organizationId, userId, reason: 'removed', askedBy: askerOf(request) },
          }),
        );
        return {};
      },
    );

    app.delete(
      '/organizations/:organization_id/invitations/:invitation_id',
      operation(
        { id: 'revokeInvitation', tag: 'Organizations', summary: 'Take an open invitation back' },
        { params: OrganizationParams.extend({ invitation_id: uuid() }), response: { 204: NoContent } },
      ),
      async (request, reply) => {
        const { organization_id: organizationId, invitation_id: invitationId } = request.params;
        authorize(request.principal, 'organization:revoke', { organizationId });
        await commands.members(
          request,
          { type: 'RevokeInvitation', data: { organizationId, invitationId } },
          async (run) => void (await run('DELETE FROM invitation_address WHERE invitation_id = $1', [invitationId])),
        );
        return reply.code(204).send(null);
      },
    );
  };

type InvitedAddress = { invitationId: string; organizationId: string; address: string; at: Date };

/** Throws InvitedUserAlreadyInOrganization when the address has an open invitation. */
const rememberAddress = async (
  run: RunQuery,
  { invitationId, organizationId, address, at }: InvitedAddress,
): Promise<void> => {
  const { rows } = await run(
    `INSERT INTO invitation_address (invitation_id, organization_id, email, email_key, created_at)
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (organization_id, email_key) DO NOTHING RETURNING invitation_id`,
    [invitationId, organizationId, address, emailKeyOf(address), at],
  );
  if (rows.length === 0)
    throw new DomainError(
      'InvitedUserAlreadyInOrganization',
      `${address} is invited to organization ${organizationId} already. Take that invitation back to send another.`,
    );
};
