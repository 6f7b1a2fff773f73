import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type Limits, NO_LIMIT, type PartialLimits } from '../../domain/quota/limits.ts';
import { notFound } from '../../domain/refusals.ts';
import { findOrganization } from '../../projections/configuration/queries.ts';
import {
  eventsTaken,
  findPlan,
  findQuotaSettings,
  listPlans,
  type PlanRecord,
} from '../../projections/quota/queries.ts';
import { authorize } from '../auth/authorize.ts';
import { createCommands } from '../commands.ts';
import type { ApiDeps } from '../deps.ts';
import { PageQuery } from '../http/inputs.ts';
import { NoContent, operation } from '../http/operation.ts';
import { linkNext, pageRequest } from '../http/page.ts';
import { text, uuid } from '../http/strings.ts';
import { invalidField, Problem } from '../problems.ts';
import { applicationFor } from '../scope.ts';
import { usageOf } from './usage.ts';

const limit = () => z.int().min(0).max(NO_LIMIT).optional();
const ApplicationLimits = z.object({
  events_per_day: limit(),
  days_of_events_retention: limit(),
  subscriptions: limit(),
  event_types: limit(),
});
const SomeLimits = ApplicationLimits.extend({ members: limit(), applications: limit() });
const AllLimits = SomeLimits.required();
const Plan = z.object({ name: z.string(), label: z.string(), limits: SomeLimits });
const PlanParams = z.object({ name: z.string().regex(/^[a-z0-9_-]{1,50}$/, 'must be 1 to 50 of a-z, 0-9, _ and -') });
const OrganizationParams = z.object({ organization_id: uuid() });
const ApplicationParams = z.object({ application_id: uuid() });
const OrganizationQuotas = z.object({
  enforced: z.boolean().describe('False where this instance limits nothing.'),
  plan: Plan.nullable(),
  own: SomeLimits.describe('Set for this organization; they go before those of the plan.'),
  limits: AllLimits.describe('What counts.'),
  usage: z.object({
    members: z.int().describe('Open invitations included.'),
    applications: z.int(),
    events_per_day: z.int().describe('Of today, UTC; counted where quotas are enforced.'),
  }),
});
const ApplicationQuotas = z.object({
  enforced: z.boolean(),
  own: ApplicationLimits,
  limits: AllLimits,
  usage: z.object({ events_per_day: z.int() }),
});

type Wire = z.output<typeof SomeLimits>;

const toLimits = (given: Wire): PartialLimits =>
  Object.fromEntries(
    Object.entries({
      members: given.members,
      applications: given.applications,
      eventsPerDay: given.events_per_day,
      retentionDays: given.days_of_events_retention,
      subscriptions: given.subscriptions,
      eventTypes: given.event_types,
    }).filter(([, value]) => value !== undefined),
  );
const toWire = (limits: PartialLimits): Wire => ({
  members: limits.members,
  applications: limits.applications,
  events_per_day: limits.eventsPerDay,
  days_of_events_retention: limits.retentionDays,
  subscriptions: limits.subscriptions,
  event_types: limits.eventTypes,
});
const allToWire = (limits: Limits): z.output<typeof AllLimits> => toWire(limits) as z.output<typeof AllLimits>;
const planToWire = ({ name, label, limits }: PlanRecord) => ({ name, label, limits: toWire(limits) });

/** Plans and limits: read by members, set by whoever runs the instance. */
export const quotaRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const { pool, config, now, limitsOf } = deps;
    const commands = createCommands(deps);

    const requireMaster = (kind: string): void => {
      if (kind !== 'master') throw new Problem('Forbidden', 'Plans are defined with the master key.');
    };
    const today = (): string => now().toISOString().slice(0, 10);

    const ofOrganization = async (organizationId: string): Promise<z.output<typeof OrganizationQuotas>> => {
      const { settings, limits, members, applications, eventsToday } = await usageOf(deps, organizationId);
      const { organization, plan } = settings;
      return {
        enforced: limitsOf.isEnforced,
        plan: plan && planToWire(plan),
        own: toWire(organization),
        limits: allToWire(limits),
        usage: { members, applications, events_per_day: eventsToday },
      };
    };
    const ofApplication = async (
      organizationId: string,
      applicationId: string,
    ): Promise<z.output<typeof ApplicationQuotas>> => {
      const [{ application }, limits, events] = await Promise.all([
        findQuotaSettings(pool, organizationId, applicationId),
        limitsOf.application({ organizationId, applicationId }),
        eventsTaken(pool, applicationId, today()),
      ]);
      return {
        enforced: limitsOf.isEnforced,
        own: toWire(application),
        limits: allToWire(limits),
        usage: { events_per_day: events },
      };
    };

    app.get(
      '/plans',
      operation(
        {
          id: 'listPlans',
          tag: 'Quotas',
          summary: 'List the plans',
          description: 'With the master key.',
          problems: ['InvalidCursor'],
        },
        { querystring: PageQuery, response: { 200: z.array(Plan) } },
      ),
      async (request, reply) => {
        requireMaster(request.principal.kind);
        const page = await listPlans(pool, pageRequest(request.query));
        linkNext(request, reply, config.publicUrl, page);
        return page.rows.map(planToWire);
      },
    );

    app.put(
      '/plans/:name',
      operation(
        {
          id: 'definePlan',
          tag: 'Quotas',
          summary: 'Define a plan',
          description: 'With the master key. Limits that are left out are those of the instance.',
        },
        { params: PlanParams, body: z.object({ label: text(1, 100), limits: SomeLimits }), response: { 200: Plan } },
      ),
      async (request) => {
        requireMaster(request.principal.kind);
        const { name } = request.params;
        const { label } = request.body;
        const limits = toLimits(request.body.limits);
        await commands.quota(request, 'plan', name, { type: 'DefinePlan', data: { name, label, limits } });
        return planToWire({ name, label, limits });
      },
    );

    app.delete(
      '/plans/:name',
      operation(
        {
          id: 'removePlan',
          tag: 'Quotas',
          summary: 'Remove a plan',
          description: 'With the master key. Organizations that are on it fall back to the limits of the instance.',
        },
        { params: PlanParams, response: { 204: NoContent } },
      ),
      async (request, reply) => {
        requireMaster(request.principal.kind);
        const { name } = request.params;
        await commands.quota(request, 'plan', name, { type: 'RemovePlan', data: { name } });
        return reply.code(204).send(null);
      },
    );

    app.get(
      '/organizations/:organization_id/quotas',
      operation(
        { id: 'getOrganizationQuotas', tag: 'Quotas', summary: 'Read what an organization may use, and has used' },
        { params: OrganizationParams, response: { 200: OrganizationQuotas } },
      ),
      async (request) => {
        const organizationId = request.params.organization_id;
        authorize(request.principal, 'organization:get', { organizationId });
        if (!(await findOrganization(pool, organizationId))) throw notFound('organization', organizationId);
        return ofOrganization(organizationId);
      },
    );

    app.put(
      '/organizations/:organization_id/quotas',
      operation(
        {
          id: 'setOrganizationQuotas',
          tag: 'Quotas',
          summary: 'Set the plan and the limits of an organization',
          description: 'With the master key. Sets everything; what is left out comes from the plan, or the instance.',
        },
        {
          params: OrganizationParams,
          body: z.object({ plan: text(1, 50).nullish(), limits: SomeLimits.default({}) }),
          response: { 200: OrganizationQuotas },
        },
      ),
      async (request) => {
        const organizationId = request.params.organization_id;
        authorize(request.principal, 'organization:edit_quotas', { organizationId });
        if (!(await findOrganization(pool, organizationId))) throw notFound('organization', organizationId);
        const plan = request.body.plan ?? null;
        if (plan !== null && !(await findPlan(pool, plan)))
          throw invalidField('plan', 'plan', 'is not a plan that exists');
        await commands.quota(request, 'quota', organizationId, {
          type: 'SetOrganizationQuotas',
          data: { organizationId, plan, limits: toLimits(request.body.limits) },
        });
        return ofOrganization(organizationId);
      },
    );

    app.get(
      '/applications/:application_id/quotas',
      operation(
        { id: 'getApplicationQuotas', tag: 'Quotas', summary: 'Read what an application may use, and has used' },
        { params: ApplicationParams, response: { 200: ApplicationQuotas } },
      ),
      async (request) => {
        const found = await applicationFor(pool, request, 'application:get', request.params.application_id);
        return ofApplication(found.organizationId, found.applicationId);
      },
    );

    app.put(
      '/applications/:application_id/quotas',
      operation(
        {
          id: 'setApplicationQuotas',
          tag: 'Quotas',
          summary: 'Set the limits of an application',
          description: 'With the master key. Sets everything; what is left out comes from the organization.',
        },
        {
          params: ApplicationParams,
          body: z.object({ limits: ApplicationLimits }),
          response: { 200: ApplicationQuotas },
        },
      ),
      async (request) => {
        const found = await applicationFor(pool, request, 'organization:edit_quotas', request.params.application_id);
        const { applicationId, organizationId } = found;
        await commands.quota(request, 'quota', applicationId, {
          type: 'SetApplicationQuotas',
          data: { organizationId, applicationId, limits: toLimits(request.body.limits) },
        });
        return ofApplication(organizationId, applicationId);
      },
    );
  };
