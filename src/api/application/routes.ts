import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { uuidv7 } from '../../domain/event/ids.ts';
import { notFound } from '../../domain/refusals.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import { listApplicationsAsOf } from '../../projections/configuration/as-of.ts';
import { findOrganization, listApplications } from '../../projections/configuration/queries.ts';
import { createSecret } from '../application-secret/create.ts';
import { authorize } from '../auth/authorize.ts';
import { createCommands } from '../commands.ts';
import type { ApiDeps } from '../deps.ts';
import { pastOf } from '../http/as-of.ts';
import { AsOfQuery, PageQuery } from '../http/inputs.ts';
import { NoContent, operation } from '../http/operation.ts';
import { linkNext, pageRequest } from '../http/page.ts';
import { text, uuid } from '../http/strings.ts';
import { eventsToday, OnboardingSteps, onboardingOf, usageAsOf } from '../organization/usage.ts';
import { invalidField } from '../problems.ts';
import { requireApplications } from '../quota/count.ts';
import { applicationFor } from '../scope.ts';
import { createDeleteApplication } from './delete.ts';

const ApplicationBody = z.object({ organization_id: uuid(), name: text(2, 50) });
const ApplicationParams = z.object({ application_id: uuid() });
const Application = z.object({ application_id: z.string(), organization_id: z.string(), name: z.string() });
const ApplicationInfo = Application.extend({
  quotas: z.object({ events_per_day_limit: z.int(), days_of_events_retention_limit: z.int() }),
  consumption: z.object({ events_per_day: z.int() }),
  onboarding_steps: OnboardingSteps,
});

const toApplication = (of: { applicationId: string; organizationId: string; name: string }) => ({
  application_id: of.applicationId,
  organization_id: of.organizationId,
  name: of.name,
});

export const applicationRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const { pool, instancePool, config, now, partitions, limitsOf } = deps;
    const commands = createCommands(deps);
    const deleteApplication = createDeleteApplication(deps);

    app.get(
      '/applications',
      operation(
        {
          id: 'listApplications',
          tag: 'Applications',
          summary: 'List the applications of an organization',
          description: 'With the secret of an application, the list holds that application.',
          problems: ['InvalidAsOf', 'InvalidCursor'],
        },
        {
          querystring: PageQuery.extend(AsOfQuery.shape).extend({
            organization_id: uuid()
              .optional()
              .describe('May be left out with a service token, or the secret of an application.'),
          }),
          response: { 200: z.array(Application) },
        },
      ),
      async (request, reply) => {
        const { principal, query } = request;
        const past = await pastOf(deps, query);
        if (principal.kind === 'application_secret') {
          const { organizationId, applicationId } = principal;
          authorize(principal, 'application:list', { organizationId: query.organization_id ?? organizationId });
          return [toApplication(await applicationFor(pool, request, 'application:list', applicationId, past))];
        }
        const organizationId =
          query.organization_id ?? (principal.kind === 'service_token' ? principal.organizationId : undefined);
        if (organizationId === undefined) throw invalidField('organization_id', 'required', 'is required');
        authorize(principal, 'application:list', { organizationId });
        if (!past && !(await findOrganization(pool, organizationId))) throw notFound('organization', organizationId);
        const page = await (past
          ? listApplicationsAsOf(past, organizationId, pageRequest(query))
          : listApplications(pool, organizationId, pageRequest(query)));
        linkNext(request, reply, config.publicUrl, page);
        return page.rows.map(toApplication);
      },
    );

    app.post(
      '/applications',
      operation(
        {
          id: 'createApplication',
          tag: 'Applications',
          summary: 'Create an application',
          description: 'It comes with an application secret named "Default".',
          problems: ['ApplicationNameMissing', 'NotFound', 'TooManyApplicationsPerOrganization'],
        },
        { body: ApplicationBody, response: { 201: Application } },
      ),
      async (request, reply) => {
        const { organization_id: organizationId, name } = request.body;
        authorize(request.principal, 'application:create', { organizationId });
        if (!(await findOrganization(pool, organizationId))) throw notFound('organization', organizationId);
        const limits = await limitsOf.organization(organizationId);
        const applicationId = uuidv7(now().getTime());
        const secret = await createSecret(deps, { applicationId, organizationId, name: 'Default' });
        await commands.application(
          request,
          { type: 'CreateApplication', data: { applicationId, organizationId, name } },
          secret,
          (run) => requireApplications(run, organizationId, limits.applications),
        );
        return reply.code(201).send(toApplication({ applicationId, organizationId, name }));
      },
    );

    app.get(
      '/applications/:application_id',
      operation(
        { id: 'getApplication', tag: 'Applications', summary: 'Read an application', problems: ['InvalidAsOf'] },
        { params: ApplicationParams, querystring: AsOfQuery, response: { 200: ApplicationInfo } },
      ),
      async (request) => {
        const past = await pastOf(deps, request.query);
        const { application_id: id } = request.params;
        const application = await applicationFor(pool, request, 'application:get', id, past);
        const [events, steps] = await (past
          ? usageAsOf(past, instancePool, id, partitionOf(id, partitions))
          : Promise.all([eventsToday(pool, [id], now()), onboardingOf(pool, [id])]));
        const { eventsPerDay, retentionDays } = await limitsOf.application(application);
        return {
          ...toApplication(application),
          quotas: { events_per_day_limit: eventsPerDay, days_of_events_retention_limit: retentionDays },
          consumption: { events_per_day: events },
          onboarding_steps: steps,
        };
      },
    );

    app.put(
      '/applications/:application_id',
      operation(
        {
          id: 'editApplication',
          tag: 'Applications',
          summary: 'Rename an application',
          problems: ['ApplicationNameMissing'],
        },
        {
          params: ApplicationParams,
          body: ApplicationBody.extend({
            organization_id: uuid().optional().describe('If given, the organization that it belongs to.'),
          }),
          response: { 200: Application },
        },
      ),
      async (request) => {
        const { organization_id: given, name } = request.body;
        const found = await applicationFor(pool, request, 'application:edit', request.params.application_id);
        const { applicationId, organizationId } = found;
        if (given !== undefined && given !== organizationId) throw notFound('application', applicationId);
        await commands.application(request, { type: 'RenameApplication', data: { applicationId, name } });
        return toApplication({ applicationId, organizationId, name });
      },
    );

    app.delete(
      '/applications/:application_id',
      operation(
        {
          id: 'deleteApplication',
          tag: 'Applications',
          summary: 'Delete an application',
          description: 'Its subscriptions go with it, and what they are still owed is cancelled.',
        },
        { params: ApplicationParams, response: { 204: NoContent } },
      ),
      async (request, reply) => {
        const application = await applicationFor(pool, request, 'application:delete', request.params.application_id);
        await deleteApplication(request, application);
        return reply.code(204).send(null);
      },
    );
  };
