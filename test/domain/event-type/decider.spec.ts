import { describe, it } from 'vitest';
import { eventTypeDecider } from '#src/domain/event-type/decider.ts';
import type { EventTypeCommand, EventTypeEvent } from '#src/domain/event-type/events.ts';
import { specFor } from '#test/support/spec.ts';

const given = specFor(eventTypeDecider);
const now = new Date('2026-03-01T10:00:00.000Z');
const at = now.toISOString();
const data = { applicationId: 'application', organizationId: 'organization', name: 'user.account.created' };

const create: EventTypeCommand = { type: 'CreateEventType', data, metadata: { now } };
const deactivate: EventTypeCommand = { type: 'DeactivateEventType', data, metadata: { now } };
const created: EventTypeEvent = { type: 'EventTypeCreated', data: { ...data, createdAt: at } };
const deactivated: EventTypeEvent = { type: 'EventTypeDeactivated', data: { ...data, deactivatedAt: at } };
const reactivated: EventTypeEvent = { type: 'EventTypeReactivated', data: { ...data, reactivatedAt: at } };

describe('creating an event type', () => {
  it('records it', () => given().when(create).then(created));
  it('stays quiet when active', () => given(created).when(create).then());
  it('brings a deactivated one back', () => given(created, deactivated).when(create).then(reactivated));
  it('stays quiet when it is back', () => given(created, deactivated, reactivated).when(create).then());
});

describe('deactivating an event type', () => {
  it('records it', () => given(created).when(deactivate).then(deactivated));
  it('does so again after it came back', () =>
    given(created, deactivated, reactivated).when(deactivate).then(deactivated));
  it('stays quiet when repeated', () => given(created, deactivated).when(deactivate).then());
  it('is refused when unknown', () => given().when(deactivate).thenThrows('NotFound'));
});
