import { describe, it } from 'vitest';
import { serviceTokenDecider } from '#src/domain/service-token/decider.ts';
import type { ServiceTokenCommand, ServiceTokenEvent } from '#src/domain/service-token/events.ts';
import { specFor } from '#test/support/spec.ts';

const given = specFor(serviceTokenDecider);
const now = new Date('2026-03-01T10:00:00.000Z');
const at = now.toISOString();
const ids = { tokenId: 't', organizationId: 'o' };
const metadata = { now };
const create: ServiceTokenCommand = {
  type: 'CreateServiceToken',
  data: { ...ids, name: 'ci', revocationId: 'ab' },
  metadata,
};
const rename = (name: string): ServiceTokenCommand => ({
  type: 'RenameServiceToken',
  data: { ...ids, name },
  metadata,
});
const revoke: ServiceTokenCommand = { type: 'RevokeServiceToken', data: ids, metadata };
const revokeBlock: ServiceTokenCommand = {
  type: 'RevokeServiceTokenBlock',
  data: { ...ids, revocationId: 'cd' },
  metadata,
};
const created: ServiceTokenEvent = {
  type: 'ServiceTokenCreated',
  data: { ...ids, name: 'ci', revocationId: 'ab', createdAt: at },
};
const revoked: ServiceTokenEvent = { type: 'ServiceTokenRevoked', data: { ...ids, revokedAt: at } };
const blockRevoked: ServiceTokenEvent = {
  type: 'ServiceTokenBlockRevoked',
  data: { ...ids, revocationId: 'cd', revokedAt: at },
};

describe('a service token', () => {
  it('is made once', () => {
    given().when(create).then(created);
    given(created).when(create).thenThrows('NotFound');
  });
  it('is renamed, and stays quiet when it has that name', () => {
    given(created)
      .when(rename('cd'))
      .then({ type: 'ServiceTokenRenamed', data: { ...ids, name: 'cd', renamedAt: at } });
    given(created).when(rename('ci')).then();
  });
  it('is revoked for good', () => {
    given(created).when(revoke).then(revoked);
    given(created, revoked).when(revoke).then();
    given(created, revoked).when(rename('x')).thenThrows('NotFound');
    given().when(revoke).thenThrows('NotFound');
  });
  it('has single blocks revoked', () => {
    given(created).when(revokeBlock).then(blockRevoked);
    given(created, blockRevoked).when(revokeBlock).then();
    given(created, revoked).when(revokeBlock).thenThrows('NotFound');
  });
});
