import type { Pool } from 'pg';
import type { Config } from '../../config/load.ts';
import { type Limits, NO_LIMIT, QUOTAS, resolveLimits } from '../../domain/quota/limits.ts';
import type { CommitListener } from '../../eventstore/group-commit.ts';
import { findQuotaSettings, type PlanRecord } from '../../projections/quota/queries.ts';

/** How soon a limit that was changed counts in other processes. */
const CACHE_MS = 2_000;
const CACHED_MAX = 10_000;
const CHANGING = new Set(['PlanDefined', 'PlanRemoved', 'OrganizationQuotasSet', 'ApplicationQuotasSet']);

/** What an organization may use, by which plan. */
export type Allowance = { readonly limits: Limits; readonly plan: PlanRecord | null };

export type LimitsOf = {
  /** False when nothing is limited on this instance. */
  readonly isEnforced: boolean;
  readonly organization: (organizationId: string) => Promise<Limits>;
  /** The nearest limit counts: of the application, the organization, its plan, the instance. */
  readonly application: (of: { organizationId: string; applicationId: string }) => Promise<Limits>;
  readonly planOf: (organizationId: string) => Promise<PlanRecord | null>;
  readonly noticeCommit: CommitListener;
};

const UNLIMITED = Object.fromEntries(QUOTAS.map((quota) => [quota, NO_LIMIT])) as Limits;

/** The limits of the instance, as clients are told. */
export const instanceLimits = ({ enabled, ...limits }: Config['quotas']): Limits => (enabled ? limits : UNLIMITED);

export const createLimitsOf = ({
  pool,
  quotas,
  now,
}: {
  pool: Pool;
  quotas: Config['quotas'];
  now: () => Date;
}): LimitsOf => {
  const instance = instanceLimits(quotas);
  const cache = new Map<string, { allowance: Promise<Allowance>; until: number }>();

  const load = async (organizationId: string, applicationId: string | null): Promise<Allowance> => {
    const { application, organization, plan } = await findQuotaSettings(pool, organizationId, applicationId);
    const limits = quotas.enabled ? resolveLimits([application, organization, plan?.limits ?? {}], instance) : instance;
    return { limits, plan };
  };
  const find = (organizationId: string, applicationId: string | null): Promise<Allowance> => {
    const key = `${organizationId} ${applicationId}`;
    const known = cache.get(key);
    if (known && known.until > now().getTime()) return known.allowance;
    const allowance = load(organizationId, applicationId);
    if (cache.size >= CACHED_MAX) cache.delete(cache.keys().next().value ?? '');
    cache.set(key, { allowance, until: now().getTime() + CACHE_MS });
    allowance.catch(() => cache.delete(key));
    return allowance;
  };

  return {
    isEnforced: quotas.enabled,
    organization: async (organizationId) => (quotas.enabled ? (await find(organizationId, null)).limits : instance),
    application: async ({ organizationId, applicationId }) =>
      quotas.enabled ? (await find(organizationId, applicationId)).limits : instance,
    planOf: async (organizationId) => (await find(organizationId, null)).plan,
    noticeCommit: (events) => {
      if (cache.size > 0 && events.some(({ type }) => CHANGING.has(type))) cache.clear();
    },
  };
};
