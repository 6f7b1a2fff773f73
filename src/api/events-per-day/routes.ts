import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { notFound } from '../../domain/refusals.ts';
import { findOrganization, listApplications } from '../../projections/configuration/queries.ts';
import { eventsPerDay } from '../../projections/event/queries.ts';
import { PAGE_MAX } from '../../projections/page.ts';
import { authorize } from '../auth/authorize.ts';
import type { ApiDeps } from '../deps.ts';
import { ApplicationQuery } from '../http/inputs.ts';
import { operation } from '../http/operation.ts';
import { uuid } from '../http/strings.ts';
import { Problem } from '../problems.ts';
import { applicationFor } from '../scope.ts';

const DAY_MS = 86_400_000;
const DAYS = 30;
const DAYS_MAX = 366;

const Range = z.object({
  from: z.iso.date().optional().describe(`First day (UTC); ${DAYS} days ago when it is left out.`),
  to: z.iso.date().optional().describe('Last day (UTC), inclusive; today when it is left out.'),
});
const Day = z.object({
  application_id: z.string(),
  application_name: z.string(),
  date: z.string(),
  amount: z.int(),
  is_provisional: z.boolean().describe('True for today, which is not over.'),
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
  ({ pool, now }: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const count = async (
      applications: readonly Named[],
      range: { from: Date; to: Date },
    ): Promise<z.output<typeof Day>[]> => {
      const names = new Map(applications.map(({ applicationId, name }) => [applicationId, name]));
      const days = await eventsPerDay(pool, [...names.keys()], range);
      return days.map(({ applicationId, date, amount }) => ({
        application_id: applicationId,
        application_name: names.get(applicationId) ?? '',
        date,
        amount,
        is_provisional: date === today(now()),
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
          problems: ['InvalidDateRange', 'NotFound'],
        },
        { querystring: Range.extend(ApplicationQuery.shape), response: { 200: z.array(Day) } },
      ),
      async (request) => {
        const { query } = request;
        const range = rangeOf(query, now());
        return count([await applicationFor(pool, request, 'events_per_day:application', query.application_id)], range);
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
          problems: ['InvalidDateRange', 'NotFound'],
        },
        { querystring: Range.extend({ organization_id: uuid() }), response: { 200: z.array(Day) } },
      ),
      async (request) => {
        const { query } = request;
        const organizationId = query.organization_id;
        const range = rangeOf(query, now());
        authorize(request.principal, 'events_per_day:organization', { organizationId });
        if (!(await findOrganization(pool, organizationId))) throw notFound('organization', organizationId);
        const { rows } = await listApplications(pool, organizationId, { limit: PAGE_MAX });
        return count(rows, range);
      },
    );
  };
