import { rest } from '../../api/rest.ts';

export type Limits = {
  readonly members: number;
  readonly applications: number;
  readonly events_per_day: number;
  readonly days_of_events_retention: number;
  readonly subscriptions: number;
  readonly event_types: number;
};
export type Plan = { readonly name: string; readonly label: string };
export type OrganizationQuotas = {
  readonly enforced: boolean;
  readonly plan: Plan | null;
  /** Set for this organization; what is left out comes from the plan, or the instance. */
  readonly own: Partial<Limits>;
  readonly limits: Limits;
  readonly usage: { readonly members: number; readonly applications: number; readonly events_per_day: number };
};
export type ApplicationQuotas = {
  readonly enforced: boolean;
  /** Set for this application; what is left out comes from the organization. */
  readonly own: Partial<Limits>;
  readonly limits: Limits;
  readonly usage: { readonly events_per_day: number };
};

export const organizationQuotas = (id: string): Promise<OrganizationQuotas> =>
  rest('GET', `/organizations/${id}/quotas`);
export const applicationQuotas = (id: string): Promise<ApplicationQuotas> => rest('GET', `/applications/${id}/quotas`);

export const listPlans = (): Promise<readonly Plan[]> => rest('GET', '/plans?limit=100');

/** Both set everything: what is left out comes from elsewhere again. */
export const setOrganizationQuotas = (
  id: string,
  plan: string | null,
  limits: Partial<Limits>,
): Promise<OrganizationQuotas> => rest('PUT', `/organizations/${id}/quotas`, { plan, limits });
export const setApplicationQuotas = (id: string, limits: Partial<Limits>): Promise<ApplicationQuotas> =>
  rest('PUT', `/applications/${id}/quotas`, { limits });

/** For those who cannot. */
export const WHO_SETS =
  'Limits and plans are set by whoever runs this instance, with its master key. Ask there for more.';

/** So large stands for none. */
export const NO_LIMIT = 2_147_483_647;
