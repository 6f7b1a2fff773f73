import type { Config } from '../../config/load.ts';
import { quotaLimits } from '../organization/usage.ts';

export type Limits = ReturnType<typeof quotaLimits>;

/** What an organization, or one of its applications, may use. */
export type LimitsOf = {
  readonly organization: (organizationId: string) => Promise<Limits>;
  readonly application: (application: { organizationId: string; applicationId: string }) => Promise<Limits>;
};

export const createLimitsOf = ({ quotas }: Pick<Config, 'quotas'>): LimitsOf => ({
  organization: async () => quotaLimits(quotas),
  application: async () => quotaLimits(quotas),
});
