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
    >
  | DomainEvent<
      'EventTypeSchemaAdded',
      {
        applicationId: string;
        organizationId: string;
        name: string;
        /** 1, 2, 3, ... of its event type. */
        version: number;
        /** A JSON Schema, draft 2020-12: an object, or true or false. */
        schema: JsonSchema;
        /** SHA-256 of its JSON text, hex. */
        sha256: string;
        addedAt: string;
      }
    >
  /** Payloads must match this version from now on. */
  | DomainEvent<
      'EventTypeSchemaActivated',
      { applicationId: string; organizationId: string; name: string; version: number; activatedAt: string }
    >
  /** Payloads may be anything again. */
  | DomainEvent<
      'EventTypeSchemaDeactivated',
      { applicationId: string; organizationId: string; name: string; deactivatedAt: string }
    >;

/** What the edge has found to be a usable JSON Schema. */
export type JsonSchema = boolean | Readonly<Record<string, unknown>>;

type Named = { applicationId: string; organizationId: string; name: string };

export type EventTypeCommand =
  /** Creates it, brings a deactivated one back, or stays quiet when it is active. */
  | DomainCommand<'CreateEventType', { applicationId: string; organizationId: string; name: string }>
  | DomainCommand<'DeactivateEventType', { applicationId: string; organizationId: string; name: string }>
  /** Adds the next version; stays quiet when the newest one is the same. */
  | DomainCommand<'AddEventTypeSchema', Named & { schema: JsonSchema }>
  /** `version` left out is the newest. */
  | DomainCommand<'ActivateEventTypeSchema', Named & { version?: number }>
  | DomainCommand<'DeactivateEventTypeSchema', Named>;
