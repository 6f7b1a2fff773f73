import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { uuidv7 } from '../../domain/event/ids.ts';
import { organizationNotEmpty } from '../../domain/organization/decider.ts';
import { NO_LIMIT } from '../../domain/quota/limits.ts';
import { notFound } from '../../domain/refusals.ts';
import { listOrganizationsAsOf } from '../../projections/configuration/as-of.ts';
import { projectConfiguration } from '../../projections/configuration/projections.ts';
import {
  countApplications,
  findOrganization,
  listOrganizations,
  lockOrganization,
  type OrganizationRecord,
} from '../../projections/configuration/queries.ts';
import { queryableWithin } from '../../projections/page.ts';
import { plansOf } from '../../projections/quota/queries.ts';
import { authenticateAgain } from '../auth/authenticate.ts';
import { authorize, requireFreshPassword } from '../auth/authorize.ts';
import { organizationsOf, roleIn } from '../auth/principal.ts';
import { createCommands } from '../commands.ts';
import type { ApiDeps } from '../deps.ts';
import { pastOf } from '../http/as-of.ts';
import { AsOfQuery, PageQuery } from '../http/inputs.ts';
import { NoContent, operation } from '../http/operation.ts';
import { linkNext, pageRequest } from '../http/page.ts';
import { text, uuid } from '../http/strings.ts';
import { APPLICATIONS_SEEN_MAX, createOrganizationInfo, OrganizationInfo, Plan } from './info.ts';

const OrganizationBody = z.object({ name: text(2, 50) });
const OrganizationParams = z.object({ organization_id: uuid() });
const OrganizationItem = z.object({
  organization_id: z.string(),
  name: z.string(),
  role: z
    .string()
    .describe('What whoever asks is in this organization: `master`, or `viewer` with an application secret.'),
  plan: Plan.nullable(),
});
/** Who makes an organization owns it. */
const founder = (organizationId: string, userId: string) => ({
  type: 'AddMember' as const,
  data: { organizationId, userId, role: 'owner' as const, invitationId: null, membersMax: NO_LIMIT, askedBy: null },
});

export const organizationRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const { pool, config, now, authenticate } = deps;
    const commands = createCommands(deps);

    const load = async (organizationId: string): Promise<OrganizationRecord> => {
      const found = await findOrganization(pool, organizationId);
      if (!found) throw notFound('organization', organizationId);
      return found;
    };

    const info = createOrganizationInfo(deps);

    app.get(
      '/organizations',
      operation(
        {
          id: 'listOrganizations',
          tag: 'Organizations',
          summary: 'List organizations',
          description:
            'With `as_of`, those that there were, of the ones that whoever asks belongs to now; plans are those of now.',
          problems: ['InvalidAsOf', 'InvalidCursor'],
        },
        { querystring: PageQuery.extend(AsOfQuery.shape), response: { 200: z.array(OrganizationItem) } },
      ),
      async (request, reply) => {
        const { principal, query } = request;
        authorize(principal, 'organization:list', {});
        const visible = organizationsOf(principal);
        const past = await pastOf(deps, query);
        const page = await (past
          ? listOrganizationsAsOf(past, visible, pageRequest(query))
          : listOrganizations(pool, visible, pageRequest(query)));
        linkNext(request, reply, config.publicUrl, page);
        const plans = await plansOf(
          pool,
          page.rows.map(({ organizationId }) => organizationId),
        );
        return page.rows.map(({ organizationId, name }) => ({
          organization_id: organizationId,
          name,
          role: roleIn(principal, organizationId),
          plan: plans.get(organizationId) ?? null,
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
        return info(request.principal, organizationId);
      },
    );

    app.get(
      '/organizations/:organization_id',
      operation(
        {
          id: 'getOrganization',
          tag: 'Organizations',
          summary: 'Read an organization',
          description: `Consumption and onboarding look at the ${APPLICATIONS_SEEN_MAX} newest applications. With \`as_of\`, plan, quotas, and names and mail addresses of people are those of now.`,
          problems: ['InvalidAsOf', 'ReadModelBehind'],
        },
        { params: OrganizationParams, querystring: AsOfQuery, response: { 200: OrganizationInfo } },
      ),
      async (request) => {
        const organizationId = request.params.organization_id;
        authorize(request.principal, 'organization:get', { organizationId });
        return info(request.principal, organizationId, await pastOf(deps, request.query));
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
        return info(request.principal, organizationId);
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
