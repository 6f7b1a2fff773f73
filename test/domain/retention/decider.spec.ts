import { describe, it } from 'vitest';
import { retentionDecider } from '#src/domain/retention/decider.ts';
import type { RetentionCommand } from '#src/domain/retention/events.ts';
import { specFor } from '#test/support/spec.ts';

const given = specFor(retentionDecider);
const now = new Date('2026-03-01T10:00:00.000Z');
const nothing = { droppedDays: { payload: [], response: [] }, counts: {}, bytes: 0 };
const record = (cleaned: Partial<RetentionCommand['data']>): RetentionCommand => ({
  type: 'RecordRetention',
  data: { instanceId: 'instance', ...nothing, ...cleaned },
  metadata: { now },
});
const applied = (cleaned: Partial<RetentionCommand['data']>) => ({
  type: 'RetentionApplied' as const,
  data: { instanceId: 'instance', ...nothing, ...cleaned, appliedAt: now.toISOString() },
});

describe('recording what was cleaned', () => {
  const rows = { counts: { payload: 3 }, bytes: 30 };
  it('tells rows', () => given().when(record(rows)).then(applied(rows)));
  it('tells it each time', () => given(applied(rows)).when(record(rows)).then(applied(rows)));
  const day = { droppedDays: { payload: [], response: ['2026-01-01'] }, counts: { response: 0 } };
  it('tells an empty day that was dropped', () => given().when(record(day)).then(applied(day)));
  it('stays quiet when nothing was', () =>
    given()
      .when(record({ counts: { payload: 0 } }))
      .then());
});
