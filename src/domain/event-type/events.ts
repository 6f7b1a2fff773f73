import type { DomainCommand, DomainEvent } from '../metadata.ts';

/** Stream `event_type:<application id>:<name>`, in the log partition of the application id. */
export type EventTypeEvent =
  | DomainEvent<
      'EventTypeCreated',
      {
        applicationId: string;
        organizationId: string;
        /** Two or more parts joined by dots: `service.resource.verb`, or `user.created`. */
        name: string;
        createdAt: string;
      }
    >
  | DomainEvent<
      'EventTypeDeactivated',
      { applicationId: string; organizationId: string; name: string; deactivatedAt: string }
    >
  | DomainEvent<
      'EventTypeReactivated',
      { applicationId: string; organizationId: string; name: string; reactivatedAt: string }
    >;

export type EventTypeCommand =
  /** Creates it, brings a deactivated one back, or stays quiet when it is active. */
  | DomainCommand<'CreateEventType', { applicationId: string; organizationId: string; name: string }>
  | DomainCommand<'DeactivateEventType', { applicationId: string; organizationId: string; name: string }>;
