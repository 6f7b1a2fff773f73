import type { QuotaEvent } from '../../domain/quota/events.ts';
import { inlineProjection } from '../inline.ts';
import type { Projection } from '../projection.ts';

type PlanEvent = Extract<QuotaEvent, { type: `Plan${string}` }>;

const planProjection = inlineProjection<PlanEvent>(
  'plan',
  ['PlanDefined', 'PlanRemoved'],
  ({ type, data, partition, position }, table) => {
    switch (type) {
      case 'PlanDefined':
        return [
          `INSERT INTO ${table('plan')} (name, label, limits, partition_no, position) VALUES ($1, $2, $3::json, $4, $5)
           ON CONFLICT (name) DO UPDATE SET label = $2, limits = $3::json, position = $5`,
          [data.name, data.label, JSON.stringify(data.limits), partition, position],
        ];
      case 'PlanRemoved':
        return [`DELETE FROM ${table('plan')} WHERE name = $1`, [data.name]];
    }
  },
);

type SetEvent = Exclude<QuotaEvent, PlanEvent>;

const quotaTableProjection = inlineProjection<SetEvent>(
  'quota',
  ['OrganizationQuotasSet', 'ApplicationQuotasSet'],
  ({ type, data, partition, position }, table) => {
    const [scopeId, plan] =
      type === 'OrganizationQuotasSet' ? [data.organizationId, data.plan] : [data.applicationId, null];
    return [
      `INSERT INTO ${table('quota')} (scope_id, organization_id, plan, limits, partition_no, position)
       VALUES ($1, $2, $3, $4::json, $5, $6)
       ON CONFLICT (scope_id) DO UPDATE SET plan = $3, limits = $4::json, position = $6`,
      [scopeId, data.organizationId, plan, JSON.stringify(data.limits), partition, position],
    ];
  },
);

/** What may be used, each table with its projection. Their domain events change nothing that events are routed with. */
export const quotaProjections: readonly Projection[] = [planProjection, quotaTableProjection];
