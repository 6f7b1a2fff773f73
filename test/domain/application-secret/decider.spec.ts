import { describe, it } from 'vitest';
import { applicationSecretDecider } from '#src/domain/application-secret/decider.ts';
import type { ApplicationSecretCommand, ApplicationSecretEvent } from '#src/domain/application-secret/events.ts';
import { specFor } from '#test/support/spec.ts';

const given = specFor(applicationSecretDecider);
const now = new Date('2026-03-01T10:00:00.000Z');
const metadata = { now };
const at = now.toISOString();
const owned = {
  applicationId: '018f0000-0000-7000-8000-000000000002',
  organizationId: '018f0000-0000-7000-8000-000000000001',
  secretId: '018f0000-0000-7000-8000-000000000003',
};
const tokenSha256 = 'ab'.repeat(32);

const create = (name: string | null, sha256 = tokenSha256): ApplicationSecretCommand => ({
  type: 'CreateApplicationSecret',
  data: { ...owned, name, tokenSha256: sha256 },
  metadata,
});
const rename = (name: string | null): ApplicationSecretCommand => ({
  type: 'RenameApplicationSecret',
  data: { ...owned, name },
  metadata,
});
const remove: ApplicationSecretCommand = { type: 'DeleteApplicationSecret', data: owned, metadata };

const created: ApplicationSecretEvent = {
  type: 'ApplicationSecretCreated',
  data: { ...owned, name: 'CI', tokenSha256, createdAt: at },
};
const renamed: ApplicationSecretEvent = {
  type: 'ApplicationSecretRenamed',
  data: { ...owned, name: null, renamedAt: at },
};
const deleted: ApplicationSecretEvent = { type: 'ApplicationSecretDeleted', data: { ...owned, deletedAt: at } };

describe('creating a secret', () => {
  it('records its hash', () => given().when(create('CI')).then(created));
  it('stays quiet when repeated', () => given(created).when(create('CI')).then());
  it('is refused with another name', () => given(created).when(create('QA')).thenThrows('NotFound'));
  it('is refused with another token', () => given(created).when(create('CI', 'cd')).thenThrows('NotFound'));
  it('is refused under a deleted id', () => given(created, deleted).when(create('CI')).thenThrows('NotFound'));
});

describe('renaming a secret', () => {
  it('records the new name', () => given(created).when(rename(null)).then(renamed));
  it('stays quiet when it has that name', () => given(created, renamed).when(rename(null)).then());
  it('records it of one that was made in the stream of its application', () =>
    given().when(rename(null)).then(renamed));
  it('is refused when deleted', () => given(created, deleted).when(rename(null)).thenThrows('NotFound'));
});

describe('deleting a secret', () => {
  it('records it', () => given(created).when(remove).then(deleted));
  it('stays quiet when repeated', () => given(created, deleted).when(remove).then());
  it('records it of one that was made in the stream of its application', () => given().when(remove).then(deleted));
});
