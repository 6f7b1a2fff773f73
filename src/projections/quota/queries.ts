import type { PartialLimits } from '../../domain/quota/limits.ts';
import { decodeCursor, type Page, type PageRequest, type Queryable, rowsToRead, toPage } from '../page.ts';

export type PlanRecord = { readonly name: string; readonly label: string; readonly limits: PartialLimits };

export const findPlan = async (db: Queryable, name: string): Promise<PlanRecord | undefined> => {
  const { rows } = await db.query<PlanRecord>('SELECT name, label, limits FROM plan WHERE name = $1', [name]);
  return rows[0];
};

/** By name. */
export const listPlans = async (db: Queryable, { cursor, limit }: PageRequest): Promise<Page<PlanRecord>> => {
  const { rows } = await db.query<PlanRecord>(
    'SELECT name, label, limits FROM plan WHERE ($1::text IS NULL OR name > $1) ORDER BY name LIMIT $2',
    [decodeCursor('plans', 'text', cursor), rowsToRead(limit)],
  );
  return toPage('plans', rows, { limit, keyOf: ({ name }) => name });
};

/** What is set at each place, from the nearest to the farthest. */
export type QuotaSettings = {
  readonly application: PartialLimits;
  readonly organization: PartialLimits;
  readonly plan: PlanRecord | null;
};

const FIND = `
  SELECT coalesce((SELECT limits FROM quota WHERE scope_id = $2), '{}') AS application, coalesce(q.limits, '{}') AS organization,
         CASE WHEN p.name IS NOT NULL THEN json_build_object('name', p.name, 'label', p.label, 'limits', p.limits) END AS plan
  FROM (SELECT) AS one
  LEFT JOIN quota AS q ON q.scope_id = $1
  LEFT JOIN plan AS p ON p.name = q.plan`;

/** Of an organization, and of one of its applications. */
export const findQuotaSettings = async (
  db: Queryable,
  organizationId: string,
  applicationId: string | null,
): Promise<QuotaSettings> => {
  const { rows } = await db.query<QuotaSettings>({
    name: 'find_quota_settings',
    text: FIND,
    values: [organizationId, applicationId],
  });
  return rows[0] ?? { application: {}, organization: {}, plan: null };
};

const PLANS_OF = `
  SELECT q.scope_id, p.name, p.label FROM quota AS q JOIN plan AS p ON p.name = q.plan WHERE q.scope_id = ANY($1::uuid[])`;

/** The plans of organizations by their ids; those without one are missing. */
export const plansOf = async (
  db: Queryable,
  organizationIds: readonly string[],
): Promise<Map<string, Pick<PlanRecord, 'name' | 'label'>>> => {
  const { rows } = await db.query<{ scope_id: string; name: string; label: string }>(PLANS_OF, [organizationIds]);
  return new Map(rows.map(({ scope_id: id, name, label }) => [id, { name, label }]));
};

/** Events taken from a quota on a day (YYYY-MM-DD, UTC), by organization or application. */
export const eventsTaken = async (db: Queryable, scopeId: string, day: string): Promise<number> => {
  const { rows } = await db.query<{ used: number }>('SELECT used FROM event_usage WHERE scope_id = $1 AND day = $2', [
    scopeId,
    day,
  ]);
  return rows[0]?.used ?? 0;
};

const RETENTION = `
  SELECT coalesce((o.limits ->> 'retentionDays')::int, (q.limits ->> 'retentionDays')::int, (p.limits ->> 'retentionDays')::int) AS days
  FROM application AS a
  LEFT JOIN quota AS o ON o.scope_id = a.application_id
  LEFT JOIN quota AS q ON q.scope_id = a.organization_id
  LEFT JOIN plan AS p ON p.name = q.plan
  WHERE a.application_id = $1`;

/** Days of retention set for an application, its organization or its plan, the nearest; undefined when none says. */
export const findRetentionDays = async (db: Queryable, applicationId: string): Promise<number | undefined> => {
  const { rows } = await db.query<{ days: number | null }>(RETENTION, [applicationId]);
  return rows[0]?.days ?? undefined;
};
