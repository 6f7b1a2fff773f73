import { describe, it } from 'vitest';
import { organizationDecider } from '#src/domain/organization/decider.ts';
import type { OrganizationCommand, OrganizationEvent } from '#src/domain/organization/events.ts';
import { specFor } from '#test/support/spec.ts';

const given = specFor(organizationDecider);
const now = new Date('2026-03-01T10:00:00.000Z');
const at = now.toISOString();
const organizationId = '018f0000-0000-7000-8000-000000000001';

const create = (name: string): OrganizationCommand => ({
  type: 'CreateOrganization',
  data: { organizationId, name },
  metadata: { now },
});
const rename = (name: string): OrganizationCommand => ({
  type: 'RenameOrganization',
  data: { organizationId, name },
  metadata: { now },
});
const remove = (applications: number): OrganizationCommand => ({
  type: 'DeleteOrganization',
  data: { organizationId, applications },
  metadata: { now },
});
const created: OrganizationEvent = {
  type: 'OrganizationCreated',
  data: { organizationId, name: 'Acme', createdAt: at },
};
const renamed: OrganizationEvent = {
  type: 'OrganizationRenamed',
  data: { organizationId, name: 'Apex', renamedAt: at },
};
const deleted: OrganizationEvent = { type: 'OrganizationDeleted', data: { organizationId, deletedAt: at } };

describe('creating an organization', () => {
  it('records it', () => given().when(create('Acme')).then(created));
  it('stays quiet when repeated', () => given(created).when(create('Acme')).then());
  it('is refused under an id that means another', () => given(created).when(create('Apex')).thenThrows('NotFound'));
  it('is refused under a deleted id', () => given(created, deleted).when(create('Acme')).thenThrows('NotFound'));
  it('is refused without a name', () => given().when(create(' ')).thenThrows('OrganizationNameMissing'));
});

describe('renaming an organization', () => {
  it('records the new name', () => given(created).when(rename('Apex')).then(renamed));
  it('stays quiet when it has that name', () => given(created, renamed).when(rename('Apex')).then());
  it('goes back to an earlier name', () =>
    given(created, renamed)
      .when(rename('Acme'))
      .then({ type: 'OrganizationRenamed', data: { organizationId, name: 'Acme', renamedAt: at } }));
  it('is refused without a name', () => given(created).when(rename('')).thenThrows('OrganizationNameMissing'));
  it('is refused when unknown', () => given().when(rename('Apex')).thenThrows('NotFound'));
  it('is refused when deleted', () => given(created, deleted).when(rename('Apex')).thenThrows('NotFound'));
});

describe('deleting an organization', () => {
  it('records it', () => given(created).when(remove(0)).then(deleted));
  it('stays quiet when repeated', () => given(created, deleted).when(remove(0)).then());
  it('is refused while it owns applications', () =>
    given(created).when(remove(1)).thenThrows('OrganizationIsNotEmpty'));
  it('is refused when unknown', () => given().when(remove(0)).thenThrows('NotFound'));
});
