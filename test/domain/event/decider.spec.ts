import { describe, it } from 'vitest';
import { eventDecider } from '#src/domain/event/decider.ts';
import type { EventCommand, EventEvent } from '#src/domain/event/events.ts';
import { specFor } from '#test/support/spec.ts';

const given = specFor(eventDecider);
const now = new Date('2026-03-01T10:00:00.000Z');
const later = new Date('2026-03-01T10:05:00.000Z');
const ids = { applicationId: 'application', organizationId: 'organization', eventId: 'event' };
const data = {
  ...ids,
  eventType: 'user.account.created',
  payloadContentType: 'application/json',
  payloadSha256: 'ab'.repeat(32),
  payloadBytes: 2,
  labels: { tenant: 'a', region: 'eu' },
  metadata: { source: 'test' },
  occurredAt: '2026-03-01T09:59:59.000Z',
  ip: '192.0.2.1',
  configurationPosition: 7,
  deliveries: 2,
} as const;

const ingest = (overrides: object = {}): EventCommand => ({
  type: 'IngestEvent',
  data: { ...data, ...overrides },
  metadata: { now },
});
const replay: EventCommand = {
  type: 'ReplayEvent',
  data: { ...ids, configurationPosition: 9, deliveries: 1 },
  metadata: { now: later },
};
const ingested: EventEvent = { type: 'EventIngested', data: { ...data, receivedAt: now.toISOString() } };
const replayed: EventEvent = {
  type: 'EventReplayed',
  data: { ...ids, configurationPosition: 9, deliveries: 1, replayedAt: later.toISOString() },
};

describe('ingesting an event', () => {
  it('records it', () => given().when(ingest()).then(ingested));
  it('stays quiet when repeated', () => given(ingested).when(ingest()).then());
  it('stays quiet when repeated from elsewhere and routed otherwise', () =>
    given(ingested, replayed)
      .when(ingest({ ip: null, configurationPosition: 9, deliveries: 0 }))
      .then());
  it('stays quiet when the labels come in another order', () =>
    given(ingested)
      .when(ingest({ labels: { region: 'eu', tenant: 'a' } }))
      .then());
  it.each([
    { eventType: 'user.account.deleted' },
    { payloadContentType: 'text/plain' },
    { payloadSha256: 'cd'.repeat(32) },
    { labels: { tenant: 'a' } },
    { labels: { tenant: 'a', region: 'us' } },
    { metadata: {} },
    { occurredAt: '2026-03-01T09:59:58.000Z' },
  ])('is refused with other content under the same id: %j', (other) =>
    given(ingested).when(ingest(other)).thenThrows('EventAlreadyIngested'),
  );
});

describe('replaying an event', () => {
  it('records it', () => given(ingested).when(replay).then(replayed));
  it('records each time it is asked', () => given(ingested, replayed).when(replay).then(replayed));
  it('is refused when unknown', () => given().when(replay).thenThrows('NotFound'));
});
