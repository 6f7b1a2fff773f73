import type { Limits } from '../../domain/quota/limits.ts';
import { countApplications } from '../../projections/configuration/queries.ts';
import { countMembers } from '../../projections/identity/queries.ts';
import type { Queryable } from '../../projections/page.ts';
import { eventsTaken, findQuotaSettings, type QuotaSettings } from '../../projections/quota/queries.ts';
import type { LimitsOf } from './limits.ts';

/** What an organization may use, and has used. */
export type OrganizationUsage = {
  readonly settings: QuotaSettings;
  readonly limits: Limits;
  /** Open invitations included. */
  readonly members: number;
  readonly applications: number;
  /** Of the day of `now`, UTC; counted where quotas are enforced. */
  readonly eventsToday: number;
};

export const usageOf = async (
  { pool, limitsOf, now }: { readonly pool: Queryable; readonly limitsOf: LimitsOf; readonly now: () => Date },
  organizationId: string,
): Promise<OrganizationUsage> => {
  const [settings, limits, members, applications, eventsToday] = await Promise.all([
    findQuotaSettings(pool, organizationId, null),
    limitsOf.organization(organizationId),
    countMembers(pool, organizationId),
    countApplications(pool, organizationId),
    eventsTaken(pool, organizationId, now().toISOString().slice(0, 10)),
  ]);
  return { settings, limits, members, applications, eventsToday };
};
