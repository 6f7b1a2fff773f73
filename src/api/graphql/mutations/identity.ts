import { requireFreshPassword } from '../../auth/authorize.ts';
import { Problem } from '../../problems.ts';
import { organizationSeen } from '../organization.ts';
import type { CallRest } from '../rest.ts';
import type { Fields } from '../schema.ts';
import { type Call, command } from './command.ts';

type Id = { readonly id: string };
type OfOrganization = { readonly organizationId: string };

/** As REST shows a service token, without the token itself. */
const tokenOf = (shown: Readonly<Record<string, unknown>>) => ({
  tokenId: shown.token_id,
  name: shown.name,
  revocationId: shown.revocation_id,
  createdAt: shown.created_at,
  lastUsedAt: shown.last_used_at,
});

/** A command about members, which answers with the organization as it is then. */
const onMembers = <Args extends OfOrganization>(rest: CallRest, run: (args: Args, call: Call) => Promise<unknown>) =>
  command(rest, async (args: Args, call, { moment, context }) => {
    await run(args, call);
    return organizationSeen(context, moment, args.organizationId);
  });

/** Commands about who may do what. */
export const identityMutations = (rest: CallRest): Fields[string] => ({
  inviteMember: onMembers(
    rest,
    ({ organizationId, email, role }: OfOrganization & { email: string; role: string }, call) =>
      call({ method: 'POST', path: `/organizations/${organizationId}/invite`, body: { email, role } }),
  ),
  revokeInvitation: onMembers(rest, ({ organizationId, id }: OfOrganization & Id, call) =>
    call({ method: 'DELETE', path: `/organizations/${organizationId}/invitations/${id}` }),
  ),
  changeMemberRole: onMembers(
    rest,
    ({ organizationId, userId, role }: OfOrganization & { userId: string; role: string }, call) =>
      call({ method: 'PUT', path: `/organizations/${organizationId}/invite`, body: { user_id: userId, role } }),
  ),
  removeMember: command(rest, async ({ organizationId, userId }: OfOrganization & { userId: string }, call) => {
    await call({ method: 'DELETE', path: `/organizations/${organizationId}/invite`, body: { user_id: userId } });
    return { id: userId };
  }),
  createServiceToken: command(rest, async ({ organizationId, name }: OfOrganization & { name: string }, call) => {
    const made = await call({
      method: 'POST',
      path: '/service_token',
      body: { organization_id: organizationId, name },
    });
    return { serviceToken: tokenOf(made), token: made.biscuit };
  }),
  renameServiceToken: command(rest, async ({ id, name }: Id & { name: string }, call) =>
    tokenOf(await call({ method: 'PUT', path: `/service_token/${id}`, body: { name } })),
  ),
  revokeServiceToken: command(rest, async ({ id }: Id, call) => {
    await call({ method: 'DELETE', path: `/service_token/${id}` });
    return { id };
  }),
  revealServiceToken: command(rest, async ({ id }: Id, call, { context: { request, deps } }) => {
    const shown = await call({ method: 'GET', path: `/service_token/${id}` });
    if (shown.biscuit === null) {
      requireFreshPassword(request.principal, deps.now());
      throw new Problem('Forbidden', `The text of service token ${id} cannot be shown to you, or was destroyed.`);
    }
    return { serviceToken: tokenOf(shown), token: shown.biscuit };
  }),
});
