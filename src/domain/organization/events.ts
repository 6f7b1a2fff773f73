import type { DomainCommand, DomainEvent } from '../metadata.ts';

/** Stream `organization:<organization id>`, in the log partition of the organization id. */
export type OrganizationEvent =
  | DomainEvent<'OrganizationCreated', { organizationId: string; name: string; createdAt: string }>
  | DomainEvent<'OrganizationRenamed', { organizationId: string; name: string; renamedAt: string }>
  | DomainEvent<'OrganizationDeleted', { organizationId: string; deletedAt: string }>;

export type OrganizationCommand =
  | DomainCommand<'CreateOrganization', { organizationId: string; name: string }>
  | DomainCommand<'RenameOrganization', { organizationId: string; name: string }>
  /** `applications` is how many live applications the organization still owns. */
  | DomainCommand<'DeleteOrganization', { organizationId: string; applications: number }>;
