import type { DomainCommand, DomainEvent } from '../metadata.ts';
import type { PartialLimits, Quota } from './limits.ts';

/** `warning` from 80 % on, `reached` when nothing is left. */
export type QuotaLevel = 'warning' | 'reached';

/**
 * Streams `plan:<name>`, in the log partition of the name, and `quota:<organization or application id>`, in that of the id.
 * Warnings are in `quota_warning:<organization id>`.
 */
export type QuotaEvent =
  | DomainEvent<'PlanDefined', { name: string; label: string; limits: PartialLimits; definedAt: string }>
  | DomainEvent<'PlanRemoved', { name: string; removedAt: string }>
  | DomainEvent<
      'OrganizationQuotasSet',
      { organizationId: string; plan: string | null; limits: PartialLimits; setAt: string }
    >
  | DomainEvent<
      'ApplicationQuotasSet',
      { organizationId: string; applicationId: string; limits: PartialLimits; setAt: string }
    >;

/** Once for each quota, level and day (UTC). */
export type QuotaWarningEvent = DomainEvent<
  'QuotaWarned',
  {
    organizationId: string;
    quota: Quota;
    level: QuotaLevel;
    used: number;
    limit: number;
    /** YYYY-MM-DD. */
    day: string;
    warnedAt: string;
  }
>;

export type QuotaCommand =
  | DomainCommand<'DefinePlan', { name: string; label: string; limits: PartialLimits }>
  | DomainCommand<'RemovePlan', { name: string }>
  | DomainCommand<'SetOrganizationQuotas', { organizationId: string; plan: string | null; limits: PartialLimits }>
  | DomainCommand<'SetApplicationQuotas', { organizationId: string; applicationId: string; limits: PartialLimits }>;

export type QuotaWarningCommand = DomainCommand<
  'NoteUsage',
  { organizationId: string; quota: Quota; used: number; limit: number }
>;
