import { z } from 'zod';
import { notFound } from '../../domain/refusals.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import { findPeople } from '../../identity/accounts.ts';
import type { Past } from '../../projections/as-of/past.ts';
import { listApplicationsAsOf } from '../../projections/configuration/as-of.ts';
import { findOrganizationsAsOf } from '../../projections/configuration/lists-as-of.ts';
import {
  countApplications,
  findOrganization,
  listApplications,
  type OrganizationRecord,
} from '../../projections/configuration/queries.ts';
import { membersAsOf } from '../../projections/identity/as-of.ts';
import { countMembers, listMembers, type MemberRecord } from '../../projections/identity/queries.ts';
import { PAGE_MAX } from '../../projections/page.ts';
import type { Principal } from '../auth/principal.ts';
import type { ApiDeps } from '../deps.ts';
import { eventsOfDayAsOf, eventsToday, OnboardingSteps, onboardingAsOf, onboardingOf } from './usage.ts';

export const Plan = z.object({ name: z.string(), label: z.string() });
const User = z.object({
  user_id: z.string(),
  email: z.string(),
  first_name: z.string(),
  last_name: z.string(),
  role: z.string(),
});
export const OrganizationInfo = z.object({
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
export type OrganizationInfo = z.output<typeof OrganizationInfo>;

/** Of an organization's members, as many are shown with it; GET …/members lists them all. */
const MEMBERS_SHOWN_MAX = 100;
/** Of an organization's applications, as many of the newest are looked at for what it uses. */
export const APPLICATIONS_SEEN_MAX = PAGE_MAX;

/** What is told of an organization at one moment; the rest is of now. */
type Seen = {
  readonly found: OrganizationRecord;
  readonly applications: number;
  readonly events: number;
  readonly steps: OnboardingSteps;
  readonly members: number;
  /** Those that are shown. */
  readonly shown: readonly MemberRecord[];
};

export const createOrganizationInfo = ({ pool, partitions, now, limitsOf }: ApiDeps) => {
  const seeNow = async (organizationId: string): Promise<Seen> => {
    const found = await findOrganization(pool, organizationId);
    if (!found) throw notFound('organization', organizationId);
    const { rows } = await listApplications(pool, organizationId, { limit: APPLICATIONS_SEEN_MAX });
    const ids = rows.map(({ applicationId }) => applicationId);
    const [applications, events, steps, members, { rows: shown }] = await Promise.all([
      countApplications(pool, organizationId),
      eventsToday(pool, ids, now()),
      onboardingOf(pool, ids),
      countMembers(pool, organizationId),
      listMembers(pool, organizationId, { limit: MEMBERS_SHOWN_MAX }),
    ]);
    return { found, applications, events, steps, members, shown };
  };

  const countApplicationsAsOf = async (past: Past, organizationId: string): Promise<number> => {
    let count = 0;
    let cursor: string | undefined;
    do {
      const page = await listApplicationsAsOf(past, organizationId, { limit: PAGE_MAX, cursor });
      count += page.rows.length;
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    return count;
  };

  const seeAsOf = async (past: Past, organizationId: string): Promise<Seen> => {
    const found = (await findOrganizationsAsOf(past, [organizationId])).get(organizationId);
    if (!found) throw notFound('organization', organizationId);
    const { rows } = await listApplicationsAsOf(past, organizationId, { limit: APPLICATIONS_SEEN_MAX });
    const ids = rows.map(({ applicationId }) => applicationId);
    const [applications, events, steps, { members, invitations }] = await Promise.all([
      countApplicationsAsOf(past, organizationId),
      eventsOfDayAsOf(past, ids),
      onboardingAsOf(past, ids, partitions),
      membersAsOf(past, { organizationId, partition: partitionOf(organizationId, partitions) }),
    ]);
    const shown = members.slice(0, MEMBERS_SHOWN_MAX);
    return { found, applications, events, steps, members: members.length + invitations, shown };
  };

  /** Throws NotFound for one that is not there, or was not there then. Plan, quotas, names and mail addresses are those of now. */
  return async (principal: Principal, organizationId: string, past?: Past): Promise<OrganizationInfo> => {
    const seen = await (past ? seeAsOf(past, organizationId) : seeNow(organizationId));
    const [limits, plan] = await Promise.all([limitsOf.organization(organizationId), limitsOf.planOf(organizationId)]);
    // Whoever has the secret of one application learns nothing of people.
    const shown = principal.kind === 'application_secret' ? [] : seen.shown;
    const people = await findPeople(
      pool,
      shown.map(({ userId }) => userId),
    );
    return {
      organization_id: organizationId,
      name: seen.found.name,
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
      consumption: { members: seen.members, applications: seen.applications, events_per_day: seen.events },
      onboarding_steps: { application: seen.applications > 0 ? 'Done' : 'ToDo', ...seen.steps },
    };
  };
};
