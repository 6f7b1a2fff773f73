import { rest } from '../../api/rest.ts';

export type Limits = {
  readonly members: number;
  readonly applications: number;
  readonly events_per_day: number;
  readonly days_of_events_retention: number;
  readonly subscriptions: number;
  readonly event_types: number;
};
export type OrganizationQuotas = {
  readonly enforced: boolean;
  readonly plan: { readonly name: string; readonly label: string } | null;
  readonly limits: Limits;
  readonly usage: { readonly members: number; readonly applications: number; readonly events_per_day: number };
};
export type ApplicationQuotas = {
  readonly enforced: boolean;
  readonly limits: Limits;
  readonly usage: { readonly events_per_day: number };
};

export const organizationQuotas = (id: string): Promise<OrganizationQuotas> =>
  rest('GET', `/organizations/${id}/quotas`);
export const applicationQuotas = (id: string): Promise<ApplicationQuotas> => rest('GET', `/applications/${id}/quotas`);

/** So large stands for none. */
export const NO_LIMIT = 2_147_483_647;
