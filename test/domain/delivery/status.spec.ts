import { describe, expect, it } from 'vitest';
import { type AttemptFacts, attemptStatus, hook0Status } from '#src/domain/delivery/status.ts';

const facts: AttemptFacts = {
  scheduledAt: '2026-03-01T10:00:00.000Z',
  dueAt: '2026-03-01T10:00:30.000Z',
  startedAt: null,
  succeededAt: null,
  failed: null,
  cancelledAt: null,
};
const dueAtOnce = { ...facts, dueAt: facts.scheduledAt };
const before = new Date('2026-03-01T10:00:29.999Z');
const due = new Date('2026-03-01T10:00:30.000Z');
const startedAt = '2026-03-01T10:00:30.010Z';
const at = '2026-03-01T10:00:30.250Z';

const cases = [
  [
    'a later due time',
    facts,
    before,
    { status: 'waiting', since: facts.scheduledAt, until: facts.dueAt },
    { type: 'waiting', since: facts.scheduledAt, until: facts.dueAt },
  ],
  ['the due time come', facts, due, { status: 'pending', since: facts.dueAt }, { type: 'pending', since: facts.dueAt }],
  [
    'a first attempt',
    dueAtOnce,
    before,
    { status: 'pending', since: facts.scheduledAt },
    { type: 'pending', since: facts.scheduledAt },
  ],
  [
    'a request under way',
    { ...facts, startedAt },
    before,
    { status: 'in_progress', since: startedAt },
    { type: 'inprogress', since: startedAt },
  ],
  [
    'a success',
    { ...facts, startedAt, succeededAt: at },
    before,
    { status: 'succeeded', at },
    { type: 'successful', at, full_processing_ms: 250 },
  ],
  [
    'a failure',
    { ...facts, startedAt, failed: { at, reason: 'dns' } },
    due,
    { status: 'failed', at, reason: 'dns' },
    { type: 'failed', at, full_processing_ms: 250 },
  ],
  [
    'a timeout',
    { ...dueAtOnce, startedAt, failed: { at, reason: 'timeout' } },
    due,
    { status: 'timeout', at },
    { type: 'failed', at, full_processing_ms: 30_250 },
  ],
  [
    'a cancellation',
    { ...facts, cancelledAt: at },
    due,
    { status: 'cancelled', at },
    { type: 'failed', at, full_processing_ms: 250 },
  ],
  [
    'a cancellation while waiting',
    { ...facts, cancelledAt: '2026-03-01T10:00:01.000Z' },
    before,
    { status: 'cancelled', at: '2026-03-01T10:00:01.000Z' },
    { type: 'failed', at: '2026-03-01T10:00:01.000Z', full_processing_ms: 0 },
  ],
] as const;

describe('the status of an attempt', () => {
  it.each(cases)('with %s, as shown to people', (_, known, now, shown) =>
    expect(attemptStatus(known, now)).toStrictEqual(shown),
  );
  it.each(cases)("with %s, on Hook0's wire", (_, known, now, _shown, wire) =>
    expect(hook0Status(known, now)).toStrictEqual(wire),
  );
});
