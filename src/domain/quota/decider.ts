import type { Decider } from '@event-driven-io/emmett';
import { notFound } from '../refusals.ts';
import { sameJson } from '../same-json.ts';
import type { QuotaCommand, QuotaEvent, QuotaLevel, QuotaWarningCommand, QuotaWarningEvent } from './events.ts';
import type { PartialLimits } from './limits.ts';

type Settings = { readonly plan: string | null; readonly label: string; readonly limits: PartialLimits };
/** What stands at one place: a plan, an organization's or an application's limits. */
export type Quotas = { readonly status: 'unset' } | ({ readonly status: 'set' } & Settings);

const decide = ({ type, data, metadata }: QuotaCommand, state: Quotas): QuotaEvent[] => {
  const at = metadata.now.toISOString();
  const isAsBefore = (settings: Settings): boolean =>
    state.status === 'set' && sameJson({ ...settings }, { plan: state.plan, label: state.label, limits: state.limits });
  switch (type) {
    case 'DefinePlan':
      if (isAsBefore({ plan: null, label: data.label, limits: data.limits })) return [];
      return [{ type: 'PlanDefined', data: { ...data, definedAt: at } }];
    case 'RemovePlan':
      if (state.status === 'unset') throw notFound('plan', data.name);
      return [{ type: 'PlanRemoved', data: { ...data, removedAt: at } }];
    case 'SetOrganizationQuotas':
      if (isAsBefore({ plan: data.plan, label: '', limits: data.limits })) return [];
      return [{ type: 'OrganizationQuotasSet', data: { ...data, setAt: at } }];
    case 'SetApplicationQuotas':
      if (isAsBefore({ plan: null, label: '', limits: data.limits })) return [];
      return [{ type: 'ApplicationQuotasSet', data: { ...data, setAt: at } }];
  }
};

/** Total: what is recorded has happened, so folding it never throws and never refuses. */
const evolve = (state: Quotas, event: QuotaEvent): Quotas => {
  switch (event.type) {
    case 'PlanDefined':
      return { status: 'set', plan: null, label: event.data.label, limits: event.data.limits };
    case 'PlanRemoved':
      return { status: 'unset' };
    case 'OrganizationQuotasSet':
      return { status: 'set', plan: event.data.plan, label: '', limits: event.data.limits };
    case 'ApplicationQuotasSet':
      return { status: 'set', plan: null, label: '', limits: event.data.limits };
    default:
      event satisfies never;
      return state; // Written by a newer release during a rolling deploy.
  }
};

export const quotaDecider: Decider<Quotas, QuotaCommand, QuotaEvent> = {
  decide,
  evolve,
  initialState: () => ({ status: 'unset' }),
};

/** The share of a quota from which on people are warned. */
const WARNING_SHARE = 0.8;

export const levelOf = (used: number, limit: number): QuotaLevel | undefined => {
  if (used >= limit) return 'reached';
  return used >= limit * WARNING_SHARE ? 'warning' : undefined;
};

/** By quota and level, the last day on which it was told. */
export type QuotaWarnings = { readonly told: ReadonlyMap<string, string> };

export const quotaWarningDecider: Decider<QuotaWarnings, QuotaWarningCommand, QuotaWarningEvent> = {
  decide: ({ data, metadata }, { told }) => {
    const { quota, used, limit } = data;
    const level = levelOf(used, limit);
    const day = metadata.now.toISOString().slice(0, 10);
    const isTold = (of: QuotaLevel): boolean => told.get(`${quota} ${of}`) === day;
    // Who was told that nothing is left need not hear that little is.
    if (level === undefined || isTold(level) || isTold('reached')) return [];
    return [{ type: 'QuotaWarned', data: { ...data, level, day, warnedAt: metadata.now.toISOString() } }];
  },
  evolve: (state, { type, data }) =>
    // Else written by a newer release during a rolling deploy.
    type === 'QuotaWarned' ? { told: new Map(state.told).set(`${data.quota} ${data.level}`, data.day) } : state,
  initialState: () => ({ told: new Map() }),
};
