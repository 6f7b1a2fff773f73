import type { DomainCommand, DomainEvent } from '../metadata.ts';

type Owned = { applicationId: string; organizationId: string; secretId: string };

/**
 * Stream `application_secret:<secret id>`, in the log partition of the application id. A secret is a bearer token: the log holds only
 * its SHA-256 and the id of the sealed value that shows it again. One that an application took with it has no domain event of its own.
 */
export type ApplicationSecretEvent =
  | DomainEvent<
      'ApplicationSecretCreated',
      Owned & {
        name: string | null;
        /** SHA-256 of the token, hex. */
        tokenSha256: string;
        createdAt: string;
      }
    >
  | DomainEvent<'ApplicationSecretRenamed', Owned & { name: string | null; renamedAt: string }>
  | DomainEvent<'ApplicationSecretDeleted', Owned & { deletedAt: string }>;

export type ApplicationSecretCommand =
  | DomainCommand<'CreateApplicationSecret', Owned & { name: string | null; tokenSha256: string }>
  | DomainCommand<'RenameApplicationSecret', Owned & { name: string | null }>
  | DomainCommand<'DeleteApplicationSecret', Owned>;
