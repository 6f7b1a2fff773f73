import type { AccessEvent } from './access/events.ts';
import type { ApplicationEvent } from './application/events.ts';
import type { ApplicationSecretEvent } from './application-secret/events.ts';
import type { DeliveryEvent } from './delivery/events.ts';
import type { EventEvent } from './event/events.ts';
import type { EventTypeEvent } from './event-type/events.ts';
import type { OrganizationEvent } from './organization/events.ts';
import type { QuotaEvent, QuotaWarningEvent } from './quota/events.ts';
import type { RetentionEvent } from './retention/events.ts';
import type { ServiceTokenEvent } from './service-token/events.ts';
import type { SubscriptionEvent } from './subscription/events.ts';
import type { UserEvent } from './user/events.ts';

/** Every domain event Posthorn appends. */
export type AnyDomainEvent =
  | OrganizationEvent
  | UserEvent
  | AccessEvent
  | QuotaEvent
  | QuotaWarningEvent
  | ServiceTokenEvent
  | ApplicationEvent
  | ApplicationSecretEvent
  | EventTypeEvent
  | SubscriptionEvent
  | EventEvent
  | DeliveryEvent
  | RetentionEvent;

/** The newest schema version of each type; a type missing here does not compile. */
export const SCHEMA_VERSIONS: Readonly<Record<AnyDomainEvent['type'], number>> = {
  OrganizationCreated: 1,
  OrganizationRenamed: 1,
  OrganizationDeleted: 1,
  OrganizationErased: 1,
  MemberInvited: 1,
  InvitationRevoked: 1,
  MemberAdded: 1,
  MemberRoleChanged: 1,
  MemberRemoved: 1,
  UserRegistered: 1,
  UserEmailVerified: 1,
  UserPasswordChanged: 1,
  UserErased: 1,
  ServiceTokenCreated: 1,
  ServiceTokenRenamed: 1,
  ServiceTokenRevoked: 1,
  ServiceTokenBlockRevoked: 1,
  ApplicationCreated: 1,
  ApplicationRenamed: 1,
  ApplicationDeleted: 1,
  ApplicationSecretCreated: 1,
  ApplicationSecretRenamed: 1,
  ApplicationSecretDeleted: 1,
  AccessRefused: 1,
  PlanDefined: 1,
  PlanRemoved: 1,
  OrganizationQuotasSet: 1,
  ApplicationQuotasSet: 1,
  QuotaWarned: 1,
  EventTypeCreated: 1,
  EventTypeDeactivated: 1,
  EventTypeReactivated: 1,
  EventTypeSchemaAdded: 1,
  EventTypeSchemaActivated: 1,
  EventTypeSchemaDeactivated: 1,
  SubscriptionCreated: 1,
  SubscriptionReplaced: 1,
  SubscriptionEnabled: 1,
  SubscriptionDisabled: 1,
  SubscriptionSecretRotated: 1,
  SubscriptionDeleted: 1,
  EventIngested: 1,
  EventReplayed: 1,
  EventPayloadErased: 1,
  AttemptScheduled: 1,
  AttemptRescheduled: 1,
  AttemptSucceeded: 1,
  AttemptFailed: 1,
  DeliveryDeadLettered: 1,
  DeliveryCancelled: 1,
  RetentionApplied: 1,
};

/** False for what a newer release wrote: whoever folds the log has to stop there, since skipping it would be wrong. */
export const isUnderstood = ({ type, schemaVersion }: { type: string; schemaVersion: number }): boolean =>
  Object.hasOwn(SCHEMA_VERSIONS, type) && schemaVersion <= SCHEMA_VERSIONS[type as AnyDomainEvent['type']];
