import { describe, expect, it } from 'vitest';
import { daysBefore, firstKeptDay, retentionWarning } from '#src/retention/days.ts';

describe('days', () => {
  it('are counted back over months', () => expect(daysBefore('2026-03-01', 1)).toBe('2026-02-28'));
  it('are one at least', () => expect(firstKeptDay('2026-03-02', 0)).toBe('2026-03-01'));
  it('are warned of when retries take longer', () => {
    const quotas = {
      enabled: false,
      members: 0,
      applications: 0,
      eventsPerDay: 0,
      retentionDays: 1,
      subscriptions: 0,
      eventTypes: 0,
    };
    const config = { quotas, retentionDays: 90, retrySchedule: '7d×2' };
    expect(retentionWarning(config)).toBeUndefined();
    expect(retentionWarning({ ...config, retentionDays: 14 })).toContain('POSTHORN_RETENTION_DAYS');
    expect(retentionWarning({ ...config, quotas: { ...quotas, enabled: true } })).toContain(
      'POSTHORN_QUOTA_RETENTION_DAYS',
    );
  });
});
