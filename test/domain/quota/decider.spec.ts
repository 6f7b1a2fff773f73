import { describe, expect, it } from 'vitest';
import { levelOf, quotaDecider, quotaWarningDecider } from '#src/domain/quota/decider.ts';
import type { QuotaCommand, QuotaEvent, QuotaWarningCommand, QuotaWarningEvent } from '#src/domain/quota/events.ts';
import { type Limits, resolveLimits } from '#src/domain/quota/limits.ts';
import { specFor } from '#test/support/spec.ts';

const now = new Date('2026-03-01T10:00:00.000Z');
const at = now.toISOString();
const metadata = { now };

describe('plans and limits', () => {
  const given = specFor(quotaDecider);
  const define = (members: number): QuotaCommand => ({
    type: 'DefinePlan',
    data: { name: 'pro', label: 'Pro', limits: { members } },
    metadata,
  });
  const defined: QuotaEvent = {
    type: 'PlanDefined',
    data: { name: 'pro', label: 'Pro', limits: { members: 5 }, definedAt: at },
  };
  const remove: QuotaCommand = { type: 'RemovePlan', data: { name: 'pro' }, metadata };
  it('records what changes', () => {
    given().when(define(5)).then(defined);
    given(defined).when(define(5)).then();
    given(defined)
      .when(remove)
      .then({ type: 'PlanRemoved', data: { name: 'pro', removedAt: at } });
    given().when(remove).thenThrows('NotFound');
  });
  it('sets limits as a whole', () => {
    const set = (limits: object): QuotaCommand => ({
      type: 'SetOrganizationQuotas',
      data: { organizationId: 'o', plan: 'pro', limits },
      metadata,
    });
    const wasSet: QuotaEvent = {
      type: 'OrganizationQuotasSet',
      data: { organizationId: 'o', plan: 'pro', limits: { members: 3 }, setAt: at },
    };
    given()
      .when(set({ members: 3 }))
      .then(wasSet);
    given(wasSet)
      .when(set({ members: 3 }))
      .then();
    given(wasSet)
      .when(set({}))
      .then({ type: 'OrganizationQuotasSet', data: { organizationId: 'o', plan: 'pro', limits: {}, setAt: at } });
  });
  it('take the nearest source for each limit, zero included', () => {
    const instance: Limits = {
      members: 1,
      applications: 1,
      eventsPerDay: 100,
      retentionDays: 7,
      subscriptions: 10,
      eventTypes: 10,
    };
    expect(resolveLimits([{ members: 0 }, { members: 5, eventTypes: 3 }], instance)).toEqual({
      ...instance,
      members: 0,
      eventTypes: 3,
    });
  });
});

describe('warnings', () => {
  const given = specFor(quotaWarningDecider);
  const use = (used: number, instant = now): QuotaWarningCommand => ({
    type: 'NoteUsage',
    data: { organizationId: 'o', quota: 'eventsPerDay', used, limit: 10 },
    metadata: { now: instant },
  });
  const warned = (level: 'warning' | 'reached', used: number, day = '2026-03-01'): QuotaWarningEvent => ({
    type: 'QuotaWarned',
    data: { organizationId: 'o', quota: 'eventsPerDay', level, used, limit: 10, day, warnedAt: at },
  });
  it('come at 80 % and when nothing is left', () => {
    expect([7, 8, 9, 10, 11].map((used) => levelOf(used, 10))).toEqual([
      undefined,
      'warning',
      'warning',
      'reached',
      'reached',
    ]);
    given().when(use(7)).then();
    given().when(use(8)).then(warned('warning', 8));
    given(warned('warning', 8)).when(use(10)).then(warned('reached', 10));
  });
  it('come once a day for each', () => {
    given(warned('warning', 8)).when(use(9)).then();
    given(warned('reached', 10)).when(use(9)).then();
    const tomorrow = new Date('2026-03-02T00:00:00.000Z');
    given(warned('reached', 10))
      .when(use(8, tomorrow))
      .then({
        type: 'QuotaWarned',
        data: { ...warned('warning', 8).data, day: '2026-03-02', warnedAt: tomorrow.toISOString() },
      });
  });
});
