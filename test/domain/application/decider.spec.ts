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
const secretId = '018f0000-0000-7000-8000-000000000003';
const tokenSha256 = 'ab'.repeat(32);
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
const createSecret = (name: string | null, sha256 = tokenSha256): ApplicationCommand => ({
  type: 'CreateApplicationSecret',
  data: { applicationId, secretId, name, tokenSha256: sha256 },
  metadata,
});
const renameSecret = (name: string | null): ApplicationCommand => ({
  type: 'RenameApplicationSecret',
  data: { applicationId, secretId, name },
  metadata,
});
const removeSecret: ApplicationCommand = {
  type: 'DeleteApplicationSecret',
  data: { applicationId, secretId },
  metadata,
};

const created: ApplicationEvent = { type: 'ApplicationCreated', data: { ...owned, name: 'Shop', createdAt: at } };
const renamed: ApplicationEvent = { type: 'ApplicationRenamed', data: { ...owned, name: 'Store', renamedAt: at } };
const deleted: ApplicationEvent = { type: 'ApplicationDeleted', data: { ...owned, deletedAt: at } };
const secretCreated: ApplicationEvent = {
  type: 'ApplicationSecretCreated',
  data: { ...owned, secretId, name: 'CI', tokenSha256, createdAt: at },
};
const secretRenamed: ApplicationEvent = {
  type: 'ApplicationSecretRenamed',
  data: { ...owned, secretId, name: null, renamedAt: at },
};
const secretDeleted: ApplicationEvent = {
  type: 'ApplicationSecretDeleted',
  data: { ...owned, secretId, deletedAt: at },
};

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

describe('creating a secret', () => {
  it('records its hash', () => given(created).when(createSecret('CI')).then(secretCreated));
  it('stays quiet when repeated', () => given(created, secretCreated).when(createSecret('CI')).then());
  it('is refused with another name', () =>
    given(created, secretCreated).when(createSecret('QA')).thenThrows('NotFound'));
  it('is refused with another token', () =>
    given(created, secretCreated).when(createSecret('CI', 'cd')).thenThrows('NotFound'));
  it('is refused under a deleted id', () =>
    given(created, secretCreated, secretDeleted).when(createSecret('CI')).thenThrows('NotFound'));
  it('is refused without the application', () => given().when(createSecret('CI')).thenThrows('NotFound'));
  it('is refused in a deleted application', () =>
    given(created, deleted).when(createSecret('CI')).thenThrows('NotFound'));
});

describe('renaming a secret', () => {
  it('records the new name', () => given(created, secretCreated).when(renameSecret(null)).then(secretRenamed));
  it('stays quiet when it has that name', () =>
    given(created, secretCreated, secretRenamed).when(renameSecret(null)).then());
  it('is refused when unknown', () => given(created).when(renameSecret(null)).thenThrows('NotFound'));
  it('is refused when deleted', () =>
    given(created, secretCreated, secretDeleted).when(renameSecret(null)).thenThrows('NotFound'));
});

describe('deleting a secret', () => {
  it('records it', () => given(created, secretCreated).when(removeSecret).then(secretDeleted));
  it('stays quiet when repeated', () => given(created, secretCreated, secretDeleted).when(removeSecret).then());
  it('is refused when unknown', () => given(created).when(removeSecret).thenThrows('NotFound'));
  it('is refused in a deleted application', () =>
    given(created, secretCreated, deleted).when(removeSecret).thenThrows('NotFound'));
});
