import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { notFound } from '../../domain/refusals.ts';
import type { Past } from '../../projections/as-of/past.ts';
import { listApplicationsAsOf } from '../../projections/configuration/as-of.ts';
import { findOrganizationsAsOf } from '../../projections/configuration/lists-as-of.ts';
import { findOrganization, listApplications } from '../../projections/configuration/queries.ts';
import { eventsPerDayAsOf } from '../../projections/event/as-of.ts';
import { eventsPerDay } from '../../projections/event/queries.ts';
import { PAGE_MAX } from '../../projections/page.ts';
import { authorize } from '../auth/authorize.ts';
import type { ApiDeps } from '../deps.ts';
import { pastOf } from '../http/as-of.ts';
import { ApplicationQuery, AsOfQuery } from '../http/inputs.ts';
import { operation } from '../http/operation.ts';
import { uuid } from '../http/strings.ts';
import { Problem } from '../problems.ts';
import { applicationFor } from '../scope.ts';

const DAY_MS = 86_400_000;
const DAYS = 30;
const DAYS_MAX = 366;

const Range = z.object({
  from: z.iso.date().optional().describe(`First day (UTC); ${DAYS} days before the last one when it is left out.`),
  to: z.iso.date().optional().describe('Last day (UTC), inclusive; today, or the day of `as_of`, when it is left out.'),
});
const Day = z.object({
  application_id: z.string(),
  application_name: z.string(),
  date: z.string(),
  amount: z.int(),
  is_provisional: z.boolean().describe('True for today, or the day of `as_of`, which was not over.'),
});
type Named = { readonly applicationId: string; readonly name: string };

const today = (now: Date): string => now.toISOString().slice(0, 10);

const rangeOf = ({ from, to }: z.output<typeof Range>, now: Date): { from: Date; to: Date } => {
  const end = new Date(`${to ?? today(now)}T00:00:00Z`).getTime() + DAY_MS;
  const start = from === undefined ? end - (DAYS + 1) * DAY_MS : new Date(`${from}T00:00:00Z`).getTime();
  if (start >= end) throw new Problem('InvalidDateRange', '`from` is later than `to`.');
  if (end - start > DAYS_MAX * DAY_MS)
    throw new Problem('InvalidDateRange', `The range is longer than ${DAYS_MAX} days.`);
  return { from: new Date(start), to: new Date(end) };
};

export const eventsPerDayRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const { pool, now } = deps;

    const count = async (
      applications: readonly Named[],
      query: z.output<typeof Range>,
      past: Past | undefined,
    ): Promise<z.output<typeof Day>[]> => {
      const at = past?.cut.instant ?? now();
      const range = rangeOf(query, at);
      const names = new Map(applications.map(({ applicationId, name }) => [applicationId, name]));
      const ids = [...names.keys()];
      const days = await (past ? eventsPerDayAsOf(past, ids, range) : eventsPerDay(pool, ids, range));
      return days.map(({ applicationId, date, amount }) => ({
        application_id: applicationId,
        application_name: names.get(applicationId) ?? '',
        date,
        amount,
        is_provisional: date === today(at),
      }));
    };

    app.get(
      '/events_per_day/application',
      operation(
        {
          id: 'countEventsOfApplication',
          tag: 'Events',
          summary: 'Count the events of an application by day',
          description: 'Days without any are left out.',
          problems: ['InvalidAsOf', 'InvalidDateRange', 'NotFound', 'ReadModelBehind'],
        },
        { querystring: Range.extend(ApplicationQuery.shape).extend(AsOfQuery.shape), response: { 200: z.array(Day) } },
      ),
      async (request) => {
        const { query } = request;
        const past = await pastOf(deps, query);
        const given = query.application_id;
        return count([await applicationFor(pool, request, 'events_per_day:application', given, past)], query, past);
      },
    );

    app.get(
      '/events_per_day/organization',
      operation(
        {
          id: 'countEventsOfOrganization',
          tag: 'Events',
          summary: 'Count the events of an organization by application and day',
          description: `Days without any are left out, and so is all but the ${PAGE_MAX} newest applications.`,
          problems: ['InvalidAsOf', 'InvalidDateRange', 'NotFound', 'ReadModelBehind'],
        },
        {
          querystring: Range.extend({ organization_id: uuid() }).extend(AsOfQuery.shape),
          response: { 200: z.array(Day) },
        },
      ),
      async (request) => {
        const { query } = request;
        const organizationId = query.organization_id;
        authorize(request.principal, 'events_per_day:organization', { organizationId });
        const past = await pastOf(deps, query);
        const found = past
          ? (await findOrganizationsAsOf(past, [organizationId])).get(organizationId)
          : await findOrganization(pool, organizationId);
        if (!found) throw notFound('organization', organizationId);
        const { rows } = await (past
          ? listApplicationsAsOf(past, organizationId, { limit: PAGE_MAX })
          : listApplications(pool, organizationId, { limit: PAGE_MAX }));
        return count(rows, query, past);
      },
    );
  };
