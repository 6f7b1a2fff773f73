import { describe, it } from 'vitest';
import { applicationDecider } from '#src/domain/application/decider.ts';
import type { ApplicationCommand, ApplicationEvent } from '#src/domain/application/events.ts';
import { specFor } from '#test/support/spec.ts';

const given = specFor(applicationDecider);
const now = new Date('2026-03-01T10:00:00.000Z');
const metadata = { now };
const at = now.toISOString();
const applicationId = '018f0000-0000-7000-8000-000000000002';
const organizationId = '018f0000-0000-7000-8000-000000000001';
const owned = { applicationId, organizationId };

const create = (name: string, organization = organizationId): ApplicationCommand => ({
  type: 'CreateApplication',
  data: { applicationId, organizationId: organization, name },
  metadata,
});
const rename = (name: string): ApplicationCommand => ({
  type: 'RenameApplication',
  data: { applicationId, name },
  metadata,
});
const remove: ApplicationCommand = { type: 'DeleteApplication', data: { applicationId }, metadata };
const created: ApplicationEvent = { type: 'ApplicationCreated', data: { ...owned, name: 'Shop', createdAt: at } };
const renamed: ApplicationEvent = { type: 'ApplicationRenamed', data: { ...owned, name: 'Store', renamedAt: at } };
const deleted: ApplicationEvent = { type: 'ApplicationDeleted', data: { ...owned, deletedAt: at } };
describe('creating an application', () => {
  it('records it', () => given().when(create('Shop')).then(created));
  it('stays quiet when repeated', () => given(created).when(create('Shop')).then());
  it('is refused with another name', () => given(created).when(create('Store')).thenThrows('NotFound'));
  it('is refused for another owner', () => given(created).when(create('Shop', 'other')).thenThrows('NotFound'));
  it('is refused under a deleted id', () => given(created, deleted).when(create('Shop')).thenThrows('NotFound'));
  it('is refused without a name', () => given().when(create('')).thenThrows('ApplicationNameMissing'));
});

describe('renaming an application', () => {
  it('records the new name', () => given(created).when(rename('Store')).then(renamed));
  it('stays quiet when it has that name', () => given(created, renamed).when(rename('Store')).then());
  it('is refused without a name', () => given(created).when(rename('  ')).thenThrows('ApplicationNameMissing'));
  it('is refused when unknown', () => given().when(rename('Store')).thenThrows('NotFound'));
  it('is refused when deleted', () => given(created, deleted).when(rename('Store')).thenThrows('NotFound'));
});

describe('deleting an application', () => {
  it('records it', () => given(created).when(remove).then(deleted));
  it('stays quiet when repeated', () => given(created, deleted).when(remove).then());
  it('is refused when unknown', () => given().when(remove).thenThrows('NotFound'));
});
