import type { DomainCommand, DomainEvent } from '../metadata.ts';

/**
 * Stream `service_token:<token id>`, in the log partition of the organization id. The token itself is a sealed value; the log
 * holds the revocation id of its first block, from which nothing can be made.
 */
export type ServiceTokenEvent =
  | DomainEvent<
      'ServiceTokenCreated',
      { tokenId: string; organizationId: string; name: string; revocationId: string; createdAt: string }
    >
  | DomainEvent<'ServiceTokenRenamed', { tokenId: string; organizationId: string; name: string; renamedAt: string }>
  /** The token and all that was made of it open nothing any more. */
  | DomainEvent<'ServiceTokenRevoked', { tokenId: string; organizationId: string; revokedAt: string }>
  /** Only what holds this block, which somebody appended. */
  | DomainEvent<
      'ServiceTokenBlockRevoked',
      { tokenId: string; organizationId: string; revocationId: string; revokedAt: string }
    >;

export type ServiceTokenCommand =
  | DomainCommand<'CreateServiceToken', { tokenId: string; organizationId: string; name: string; revocationId: string }>
  | DomainCommand<'RenameServiceToken', { tokenId: string; organizationId: string; name: string }>
  | DomainCommand<'RevokeServiceToken', { tokenId: string; organizationId: string }>
  | DomainCommand<'RevokeServiceTokenBlock', { tokenId: string; organizationId: string; revocationId: string }>;
