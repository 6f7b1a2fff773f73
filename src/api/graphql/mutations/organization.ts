import { authenticateAgain } from '../../auth/authenticate.ts';
import { applicationSeen, organizationSeen } from '../organization.ts';
import type { CallRest } from '../rest.ts';
import type { Fields } from '../schema.ts';
import { command, ofApplication } from './command.ts';

type Id = { readonly id: string };
type OfApplication = { readonly applicationId?: string | null };

export const organizationMutations = (rest: CallRest): Fields[string] => ({
  createOrganization: command(rest, async ({ input }: { input: { name: string } }, call, { moment, context }) => {
    const made = await call({ method: 'POST', path: '/organizations', body: input });
    await authenticateAgain(context.request, context.deps.authenticate); // Its owner now.
    return organizationSeen(context, moment, String(made.organization_id));
  }),
  editOrganization: command(rest, async ({ id, name }: Id & { name: string }, call, { moment, context }) => {
    await call({ method: 'PUT', path: `/organizations/${id}`, body: { name } });
    return organizationSeen(context, moment, id);
  }),
  deleteOrganization: command(rest, async ({ id, erase }: Id & { erase: boolean | null }, call) => {
    await call({ method: 'DELETE', path: `/organizations/${id}${erase === true ? '?erase=true' : ''}` });
    return { id };
  }),
  createApplication: command(
    rest,
    async ({ input }: { input: { organizationId: string; name: string } }, call, { moment, context }) => {
      const { organizationId, name } = input;
      const body = { organization_id: organizationId, name };
      const made = await call({ method: 'POST', path: '/applications', body });
      return applicationSeen(context, moment, String(made.application_id));
    },
  ),
  editApplication: command(rest, async ({ id, name }: Id & { name: string }, call, { moment, context }) => {
    await call({ method: 'PUT', path: `/applications/${id}`, body: { name } });
    return applicationSeen(context, moment, id);
  }),
  deleteApplication: command(rest, async ({ id }: Id, call) => {
    await call({ method: 'DELETE', path: `/applications/${id}` });
    return { id };
  }),
});

/** As REST shows a secret, without its token. */
const secretOf = ({ secret_id: secretId, name, created_at: createdAt }: Readonly<Record<string, unknown>>) => ({
  secretId,
  name,
  createdAt,
});

export const secretMutations = (rest: CallRest): Fields[string] => ({
  createApplicationSecret: command(
    rest,
    async ({ applicationId, name }: OfApplication & { name?: string | null }, call) => {
      const body = { application_id: applicationId ?? undefined, name };
      const made = await call({ method: 'POST', path: '/application_secrets', body });
      return { secret: secretOf(made), token: made.token };
    },
  ),
  editApplicationSecret: command(
    rest,
    async ({ id, applicationId, name }: Id & OfApplication & { name?: string | null }, call) => {
      const body = { application_id: applicationId ?? undefined, name };
      return secretOf(await call({ method: 'PUT', path: `/application_secrets/${id}`, body }));
    },
  ),
  deleteApplicationSecret: command(rest, async ({ id, applicationId }: Id & OfApplication, call) => {
    await call({ method: 'DELETE', path: `/application_secrets/${id}${ofApplication(applicationId)}` });
    return { id };
  }),
});
