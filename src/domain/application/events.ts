import type { DomainCommand, DomainEvent } from '../metadata.ts';

/** Stream `application:<application id>`, in the log partition of the application id. */
export type ApplicationEvent =
  | DomainEvent<
      'ApplicationCreated',
      { applicationId: string; organizationId: string; name: string; createdAt: string }
    >
  | DomainEvent<
      'ApplicationRenamed',
      { applicationId: string; organizationId: string; name: string; renamedAt: string }
    >
  | DomainEvent<'ApplicationDeleted', { applicationId: string; organizationId: string; deletedAt: string }>;

export type ApplicationCommand =
  | DomainCommand<'CreateApplication', { applicationId: string; organizationId: string; name: string }>
  | DomainCommand<'RenameApplication', { applicationId: string; name: string }>
  | DomainCommand<'DeleteApplication', { applicationId: string }>;
