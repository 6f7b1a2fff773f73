import type { DomainCommand, DomainEvent } from '../metadata.ts';

/**
 * Stream `application:<application id>`, in the log partition of the application id. The secrets of an application are
 * bearer tokens: the log holds only their SHA-256 and the id of the sealed value that shows them again.
 */
export type ApplicationEvent =
  | DomainEvent<
      'ApplicationCreated',
      { applicationId: string; organizationId: string; name: string; createdAt: string }
    >
  | DomainEvent<
      'ApplicationRenamed',
      { applicationId: string; organizationId: string; name: string; renamedAt: string }
    >
  | DomainEvent<'ApplicationDeleted', { applicationId: string; organizationId: string; deletedAt: string }>
  | DomainEvent<
      'ApplicationSecretCreated',
      {
        applicationId: string;
        organizationId: string;
        secretId: string;
        name: string | null;
        /** SHA-256 of the token, hex. */
        tokenSha256: string;
        createdAt: string;
      }
    >
  | DomainEvent<
      'ApplicationSecretRenamed',
      { applicationId: string; organizationId: string; secretId: string; name: string | null; renamedAt: string }
    >
  | DomainEvent<
      'ApplicationSecretDeleted',
      { applicationId: string; organizationId: string; secretId: string; deletedAt: string }
    >;

export type ApplicationCommand =
  | DomainCommand<'CreateApplication', { applicationId: string; organizationId: string; name: string }>
  | DomainCommand<'RenameApplication', { applicationId: string; name: string }>
  | DomainCommand<'DeleteApplication', { applicationId: string }>
  | DomainCommand<
      'CreateApplicationSecret',
      { applicationId: string; secretId: string; name: string | null; tokenSha256: string }
    >
  | DomainCommand<'RenameApplicationSecret', { applicationId: string; secretId: string; name: string | null }>
  | DomainCommand<'DeleteApplicationSecret', { applicationId: string; secretId: string }>;
