/** What can be limited; days of retention are kept, all else is counted. */
export const QUOTAS = [
  'members',
  'applications',
  'eventsPerDay',
  'retentionDays',
  'subscriptions',
  'eventTypes',
] as const;
export type Quota = (typeof QUOTAS)[number];

/** All limits, each a whole number. */
export type Limits = Readonly<Record<Quota, number>>;
/** Limits that are set at one place; the others come from the next one up: application, organization, plan, instance. */
export type PartialLimits = Readonly<Partial<Limits>>;

/** Where no limit is set, clients of Hook0 expect the largest 32-bit integer. */
export const NO_LIMIT = 2_147_483_647;

/** The limit that counts, of sources from the nearest to the farthest; the last one has all. */
export const resolveLimits = (nearest: readonly PartialLimits[], instance: Limits): Limits =>
  Object.fromEntries(
    QUOTAS.map((quota) => [quota, nearest.find((limits) => limits[quota] !== undefined)?.[quota] ?? instance[quota]]),
  ) as Limits;
