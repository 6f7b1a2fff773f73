import { hash } from 'node:crypto';
import { describe, it } from 'vitest';
import { eventTypeDecider, SCHEMA_VERSIONS_MAX } from '#src/domain/event-type/decider.ts';
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

const schema = { type: 'object' };
const sha256Of = (of: object): string => hash('sha256', JSON.stringify(of), 'hex');
const metadata = { now };
const add = (of: object = schema): EventTypeCommand => ({
  type: 'AddEventTypeSchema',
  data: { ...data, schema: { ...of } },
  metadata,
});
const activate = (version?: number): EventTypeCommand => ({
  type: 'ActivateEventTypeSchema',
  data: { ...data, ...(version === undefined ? {} : { version }) },
  metadata,
});
const release: EventTypeCommand = { type: 'DeactivateEventTypeSchema', data, metadata };
const added = (version: number, of: object = schema): EventTypeEvent => ({
  type: 'EventTypeSchemaAdded',
  data: { ...data, version, schema: { ...of }, sha256: sha256Of(of), addedAt: at },
});
const activated = (version: number): EventTypeEvent => ({
  type: 'EventTypeSchemaActivated',
  data: { ...data, version, activatedAt: at },
});
const released: EventTypeEvent = { type: 'EventTypeSchemaDeactivated', data: { ...data, deactivatedAt: at } };

describe('adding a schema', () => {
  it('records version 1', () => given(created).when(add()).then(added(1)));
  it('counts on', () =>
    given(created, added(1))
      .when(add({ type: 'string' }))
      .then(added(2, { type: 'string' })));
  it('stays quiet when the newest is the same', () => given(created, added(1)).when(add()).then());
  it('goes back to an earlier one as a new version', () =>
    given(created, added(1), added(2, {})).when(add()).then(added(3)));
  it('is refused of an unknown event type', () => given().when(add()).thenThrows('NotFound'));
  it('is refused of a deactivated one', () => given(created, deactivated).when(add()).thenThrows('NotFound'));
  it('is refused past the last version', () =>
    given(created, added(SCHEMA_VERSIONS_MAX)).when(add({})).thenThrows('TooManyEventTypeSchemas'));
});

describe('activating a schema', () => {
  it('records it', () => given(created, added(1), added(2, {})).when(activate(1)).then(activated(1)));
  it('takes the newest unless told', () => given(created, added(1), added(2, {})).when(activate()).then(activated(2)));
  it('stays quiet when it is active', () => given(created, added(1), activated(1)).when(activate(1)).then());
  it('is refused for a version that is not there', () =>
    given(created, added(1)).when(activate(2)).thenThrows('NotFound'));
  it('is refused without any', () => given(created).when(activate()).thenThrows('NotFound'));
  it('outlives a deactivation of the event type', () =>
    given(created, added(1), activated(1), deactivated, reactivated).when(activate(1)).then());
});

describe('deactivating a schema', () => {
  it('records it', () => given(created, added(1), activated(1)).when(release).then(released));
  it('stays quiet when none is active', () => given(created, added(1), activated(1), released).when(release).then());
});
