import type { Config } from '../config/load.ts';
import { parseRetrySchedule, retryWindowMs } from '../domain/delivery/retry-schedule.ts';
import type { Queryable } from '../projections/page.ts';
import { findRetentionDays } from '../projections/quota/queries.ts';

const DAY_MS = 86_400_000;

/** For how many whole UTC days the payloads of an application, and what was answered to them, are kept. */
export type RetentionDaysOf = (applicationId: string) => Promise<number>;

/** The same for all: the quota of plans where quotas are enforced, else `POSTHORN_RETENTION_DAYS`. */
export const configuredRetentionDays = ({ quotas, retentionDays }: Pick<Config, 'quotas' | 'retentionDays'>): number =>
  quotas.enabled ? quotas.retentionDays : retentionDays;

/** Of an application: what is set for it, its organization or its plan, enforced quotas or not; else the same for all. */
export const createRetentionDaysOf =
  (db: Queryable, config: Pick<Config, 'quotas' | 'retentionDays'>): RetentionDaysOf =>
  async (applicationId) =>
    (await findRetentionDays(db, applicationId)) ?? configuredRetentionDays(config);

/** `YYYY-MM-DD` so many days before another one. */
export const daysBefore = (day: string, days: number): string =>
  new Date(Date.parse(`${day}T00:00:00Z`) - days * DAY_MS).toISOString().slice(0, 10);

/**
 * The first UTC day that is kept, for a retention of so many days: everything before it is over. What came in the first
 * minute of a day is kept for as many days as what came in the last one, and up to one more. One day is the least.
 */
export const firstKeptDay = (today: string, days: number): string => daysBefore(today, Math.max(1, days));

/** Why payloads would be kept for longer than configured, in a sentence; undefined when they will not be. */
export const retentionWarning = (
  config: Pick<Config, 'quotas' | 'retentionDays' | 'retrySchedule'>,
): string | undefined => {
  const days = configuredRetentionDays(config);
  const windowMs = retryWindowMs(parseRetrySchedule(config.retrySchedule));
  if (windowMs <= Math.max(1, days) * DAY_MS) return undefined;
  const variable = config.quotas.enabled ? 'POSTHORN_QUOTA_RETENTION_DAYS' : 'POSTHORN_RETENTION_DAYS';
  return `The retries of POSTHORN_RETRY_SCHEDULE take ${Math.ceil(windowMs / DAY_MS)} days, longer than the ${days} of ${variable}: payloads are kept until the deliveries that wait for them are over.`;
};
