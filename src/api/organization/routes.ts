import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { uuidv7 } from '../../domain/event/ids.ts';
import { organizationNotEmpty } from '../../domain/organization/decider.ts';
import { NO_LIMIT } from '../../domain/quota/limits.ts';
import { notFound } from '../../domain/refusals.ts';
import { findPeople } from '../../identity/accounts.ts';
import { projectConfiguration } from '../../projections/configuration/projections.ts';
import {
  countApplications,
  findOrganization,
  listApplications,
  listOrganizations,
  lockOrganization,
  type OrganizationRecord,
} from '../../projections/configuration/queries.ts';
import { countMembers, listMembers } from '../../projections/identity/queries.ts';
import { queryableWithin } from '../../projections/page.ts';
import { authenticateAgain } from '../auth/authenticate.ts';
import { authorize, requireFreshPassword } from '../auth/authorize.ts';
import { organizationsOf, roleIn } from '../auth/principal.ts';
import { createCommands } from '../commands.ts';
import type { ApiDeps } from '../deps.ts';
import { PageQuery } from '../http/inputs.ts';
import { NoContent, operation } from '../http/operation.ts';
import { linkNext, pageRequest } from '../http/page.ts';
import { text, uuid } from '../http/strings.ts';
import { eventsToday, OnboardingSteps, onboardingOf } from './usage.ts';

const OrganizationBody = z.object({ name: text(2, 50) });
const OrganizationParams = z.object({ organization_id: uuid() });
const Plan = z.object({ name: z.string(), label: z.string() });
const OrganizationItem = z.object({
  organization_id: z.string(),
  name: z.string(),
  role: z
    .string()
    .describe('What whoever asks is in this organization: `master`, or `viewer` with an application secret.'),
  plan: Plan.nullable(),
});
const User = z.object({
  user_id: z.string(),
  email: z.string(),
  first_name: z.string(),
  last_name: z.string(),
  role: z.string(),
});
const OrganizationInfo = z.object({
  organization_id: z.string(),
  name: z.string(),
  plan: Plan.nullable(),
  users: z.array(User),
  quotas: z.object({
    members_per_organization_limit: z.int(),
    applications_per_organization_limit: z.int(),
    events_per_day_limit: z.int(),
    days_of_events_retention_limit: z.int(),
  }),
  consumption: z.object({ members: z.int(), applications: z.int(), events_per_day: z.int() }),
  onboarding_steps: OnboardingSteps.extend({ application: z.enum(['ToDo', 'Done']) }),
});

/** Who makes an organization owns it. */
const founder = (organizationId: string, userId: string) => ({
  type: 'AddMember' as const,
  data: { organizationId, userId, role: 'owner' as const, invitationId: null, membersMax: NO_LIMIT },
});

/** Of an organization's members, as many are shown with it; GET …/members lists them all. */
const MEMBERS_SHOWN_MAX = 100;
/** Of an organization's applications, as many of the newest are looked at for what it uses. */
const APPLICATIONS_SEEN_MAX = 100;

export const organizationRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const { pool, config, now, limitsOf, authenticate } = deps;
    const commands = createCommands(deps);

    const load = async (organizationId: string): Promise<OrganizationRecord> => {
      const found = await findOrganization(pool, organizationId);
      if (!found) throw notFound('organization', organizationId);
      return found;
    };

    const info = async (
      { principal }: FastifyRequest,
      organizationId: string,
    ): Promise<z.output<typeof OrganizationInfo>> => {
      const { name } = await load(organizationId);
      const { rows } = await listApplications(pool, organizationId, { limit: APPLICATIONS_SEEN_MAX });
      const applicationIds = rows.map(({ applicationId }) => applicationId);
      const [applications, events, steps, members, { rows: shown }, limits, plan] = await Promise.all([
        countApplications(pool, organizationId),
        eventsToday(pool, applicationIds, now()),
        onboardingOf(pool, applicationIds),
        countMembers(pool, organizationId),
        // Whoever has the secret of one application learns nothing of people.
        principal.kind === 'application_secret'
          ? { rows: [] }
          : listMembers(pool, organizationId, { limit: MEMBERS_SHOWN_MAX }),
        limitsOf.organization(organizationId),
        limitsOf.planOf(organizationId),
      ]);
      const people = await findPeople(
        pool,
        shown.map(({ userId }) => userId),
      );
      return {
        organization_id: organizationId,
        name,
        plan: plan && { name: plan.name, label: plan.label },
        users: shown.map(({ userId, role }) => {
          const { email = '', firstName = '', lastName = '' } = people.get(userId) ?? {};
          return { user_id: userId, email, first_name: firstName, last_name: lastName, role };
        }),
        quotas: {
          members_per_organization_limit: limits.members,
          applications_per_organization_limit: limits.applications,
          events_per_day_limit: limits.eventsPerDay,
          days_of_events_retention_limit: limits.retentionDays,
        },
        consumption: { members, applications, events_per_day: events },
        onboarding_steps: { application: applications > 0 ? 'Done' : 'ToDo', ...steps },
      };
    };

    app.get(
      '/organizations',
      operation(
        { id: 'listOrganizations', tag: 'Organizations', summary: 'List organizations', problems: ['InvalidCursor'] },
        { querystring: PageQuery, response: { 200: z.array(OrganizationItem) } },
      ),
      async (request, reply) => {
        const { principal, query } = request;
        authorize(principal, 'organization:list', {});
        const visible = organizationsOf(principal);
        const page = await listOrganizations(pool, visible, pageRequest(query));
        linkNext(request, reply, config.publicUrl, page);
        return page.rows.map(({ organizationId, name }) => ({
          organization_id: organizationId,
          name,
          role: roleIn(principal, organizationId),
          plan: null,
        }));
      },
    );

    app.post(
      '/organizations',
      operation(
        {
          id: 'createOrganization',
          tag: 'Organizations',
          summary: 'Create an organization',
          problems: ['OrganizationNameMissing'],
        },
        { body: OrganizationBody, response: { 200: OrganizationInfo } },
      ),
      async (request) => {
        authorize(request.principal, 'organization:create', {});
        const organizationId = uuidv7(now().getTime());
        const { name } = request.body;
        const { principal } = request;
        await commands.organization(request, organizationId, [
          { type: 'CreateOrganization', data: { organizationId, name } },
          ...(principal.kind === 'user' ? [founder(organizationId, principal.userId)] : []),
        ]);
        await authenticateAgain(request, authenticate); // Its owner now.
        return info(request, organizationId);
      },
    );

    app.get(
      '/organizations/:organization_id',
      operation(
        {
          id: 'getOrganization',
          tag: 'Organizations',
          summary: 'Read an organization',
          description: `Consumption and onboarding look at the ${APPLICATIONS_SEEN_MAX} newest applications.`,
        },
        { params: OrganizationParams, response: { 200: OrganizationInfo } },
      ),
      async (request) => {
        const organizationId = request.params.organization_id;
        authorize(request.principal, 'organization:get', { organizationId });
        return info(request, organizationId);
      },
    );

    app.put(
      '/organizations/:organization_id',
      operation(
        {
          id: 'editOrganization',
          tag: 'Organizations',
          summary: 'Rename an organization',
          problems: ['OrganizationNameMissing'],
        },
        { params: OrganizationParams, body: OrganizationBody, response: { 200: OrganizationInfo } },
      ),
      async (request) => {
        const organizationId = request.params.organization_id;
        authorize(request.principal, 'organization:edit', { organizationId });
        await load(organizationId);
        const { name } = request.body;
        await commands.organization(request, organizationId, [
          { type: 'RenameOrganization', data: { organizationId, name } },
        ]);
        return info(request, organizationId);
      },
    );

    app.delete(
      '/organizations/:organization_id',
      operation(
        {
          id: 'deleteOrganization',
          tag: 'Organizations',
          summary: 'Delete an organization without applications',
          description:
            'With `erase` everything that is left of it is destroyed as well: the key of its secrets at once, payloads and answers within the hour. The log still verifies. With the master key one that was deleted can be erased later.',
          problems: ['OrganizationIsNotEmpty', 'ReauthenticationNeeded'],
        },
        {
          params: OrganizationParams,
          querystring: z.object({ erase: z.enum(['true', 'false']).default('false') }),
          response: { 204: NoContent },
        },
      ),
      async (request, reply) => {
        const organizationId = request.params.organization_id;
        const { principal } = request;
        authorize(principal, 'organization:delete', { organizationId });
        const erase = request.query.erase === 'true';
        if (erase) requireFreshPassword(principal, now());
        if (!(erase && principal.kind === 'master')) await load(organizationId);
        const applications = await countApplications(pool, organizationId);
        await commands.organization(
          request,
          organizationId,
          [{ type: 'DeleteOrganization', data: { organizationId, applications } }],
          async (events, run) => {
            // Under the lock that the creation of an application takes, too: none can slip in between.
            const db = queryableWithin(run);
            await lockOrganization(db, organizationId);
            const left = await countApplications(db, organizationId);
            if (left > 0) throw organizationNotEmpty(organizationId, left);
            await projectConfiguration(events, run);
          },
        );
        if (erase)
          await commands.organization(
            request,
            organizationId,
            [{ type: 'EraseOrganization', data: { organizationId } }],
            async (events, run) => {
              await projectConfiguration(events, run);
              for (const table of ERASED)
                await run(`DELETE FROM ${table} WHERE organization_id = $1`, [organizationId]);
            },
          );
        return reply.code(204).send(null);
      },
    );
  };

/** Without the key the sealed values are noise; they go all the same. */
const ERASED = ['data_key', 'sealed_value', 'invitation_address'] as const;
