import type { CancelReason } from '../domain/delivery/events.ts';
import type { AnyDomainEvent } from '../domain/registry.ts';
import type { Change, Json, JsonObject } from './diff.ts';

/** Longer values, such as targets, are cut off. */
const VALUE_MAX = 200;

const shorten = (text: string): string => (text.length > VALUE_MAX ? `${text.slice(0, VALUE_MAX)}…` : text);
const words = (reason: string): string => reason.replaceAll('_', ' ');
const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;
const named = (name: Json | undefined): string => (typeof name === 'string' ? ` “${shorten(name)}”` : '');

const CANCELLED: Readonly<Record<CancelReason, string>> = {
  subscription_disabled: 'its subscription was disabled',
  subscription_deleted: 'its subscription was deleted',
  request: 'somebody asked for it',
};

/**
 * What a domain event tells, in a few words; pure. `before` is what was known of the object before it and `changes` what it
 * changed of that, both as {@link describeHistory} has them. A type of a newer release is told by its name.
 */
export const summarise = (event: AnyDomainEvent, before: JsonObject, changes: readonly Change[]): string => {
  switch (event.type) {
    case 'OrganizationCreated':
    case 'ApplicationCreated':
      return `Created as “${shorten(event.data.name)}”`;
    case 'OrganizationRenamed':
    case 'ApplicationRenamed':
      return `Renamed to “${shorten(event.data.name)}”`;
    case 'OrganizationDeleted':
    case 'ApplicationDeleted':
      return 'Deleted';
    case 'MemberInvited':
      return `Somebody invited as ${event.data.role}`;
    case 'InvitationRevoked':
      return 'Invitation revoked';
    case 'MemberAdded':
      return `User ${event.data.userId} became ${event.data.role}`;
    case 'MemberRoleChanged':
      return `User ${event.data.userId} became ${event.data.role}, was ${event.data.previousRole}`;
    case 'MemberRemoved':
      return `User ${event.data.userId} ${event.data.reason === 'left' ? 'left' : 'was removed'}`;
    case 'UserRegistered':
      return 'Registered';
    case 'UserEmailVerified':
      return 'Mail address verified';
    case 'UserPasswordChanged':
      return event.data.by === 'mail' ? 'Password set by a mail' : 'Password changed';
    case 'UserErased':
      return event.data.reason === 'unverified' ? 'Erased: the mail address was never verified' : 'Erased on request';
    case 'ServiceTokenCreated':
      return `Service token “${shorten(event.data.name)}” created`;
    case 'ServiceTokenRenamed':
      return `Service token renamed to “${shorten(event.data.name)}”`;
    case 'ServiceTokenRevoked':
      return 'Service token revoked';
    case 'ServiceTokenBlockRevoked':
      return `Tokens with block ${event.data.revocationId.slice(0, 16)}… revoked`;
    case 'PlanDefined':
      return `Plan “${shorten(event.data.label)}” defined`;
    case 'PlanRemoved':
      return 'Plan removed';
    case 'OrganizationQuotasSet':
      return event.data.plan === null ? 'Quotas set' : `Quotas set, by plan ${event.data.plan}`;
    case 'ApplicationQuotasSet':
      return 'Quotas set';
    case 'QuotaWarned':
      return `${event.data.level === 'reached' ? 'All' : 'Most'} of quota ${event.data.quota} used: ${event.data.used} of ${event.data.limit}`;
    case 'AccessRefused':
      return `Refused ${event.data.action} ${count(event.data.count, 'time')}`;
    case 'EventTypeCreated':
    case 'EventTypeDeactivated':
    case 'EventTypeReactivated':
      return `Event type ${event.data.name} ${EVENT_TYPE[event.type]}`;
    case 'EventTypeSchemaAdded':
      return `Schema version ${event.data.version} added to ${event.data.name}`;
    case 'EventTypeSchemaActivated':
      return `Schema version ${event.data.version} enforced for ${event.data.name}`;
    case 'EventTypeSchemaDeactivated':
      return `Schema no longer enforced for ${event.data.name}`;
    case 'ApplicationSecretCreated':
      return `API secret${named(event.data.name)} created`;
    case 'ApplicationSecretRenamed':
      return event.data.name === null ? 'API secret lost its name' : `API secret renamed to${named(event.data.name)}`;
    case 'ApplicationSecretDeleted':
      return `API secret${named(nameOfSecret(before, event.data.secretId))} revoked`;
    case 'SubscriptionCreated':
      return `Subscription to ${shorten(event.data.settings.target.url)} created`;
    case 'SubscriptionReplaced':
      return replaced(changes);
    case 'SubscriptionEnabled':
      return 'Subscription enabled';
    case 'SubscriptionDisabled':
      return event.data.reason === 'gone'
        ? 'Subscription disabled: the receiver answered 410'
        : 'Subscription disabled on request';
    case 'SubscriptionSecretRotated':
      return `Secret rotated; the old one signs until ${event.data.previousValidUntil}`;
    case 'SubscriptionDeleted':
      return 'Subscription deleted';
    case 'EventIngested':
      return `Event ${event.data.eventType} ingested, matched ${count(event.data.deliveries, 'subscription')}`;
    case 'OrganizationErased':
      return 'Erased: its keys, secrets and payloads are destroyed';
    case 'EventPayloadErased':
      return 'Payload erased';
    case 'EventReplayed':
      return `Replayed to ${count(event.data.deliveries, 'subscription')}`;
    case 'AttemptScheduled': {
      const { attemptNumber, trigger, dueAt } = event.data;
      return `Attempt ${attemptNumber} scheduled${trigger === 'retry' ? ` for ${dueAt}` : ''}${trigger === 'replay' ? ' by a replay' : ''}`;
    }
    case 'AttemptRescheduled':
      return `Attempt ${event.data.attemptNumber} made due at once`;
    case 'AttemptSucceeded':
      return `Attempt ${event.data.attemptNumber} succeeded${event.data.httpStatus === null ? '' : `: ${event.data.httpStatus}`}`;
    case 'AttemptFailed': {
      const { attemptNumber, httpStatus, reason } = event.data;
      return `Attempt ${attemptNumber} failed: ${reason === 'status' && httpStatus !== null ? httpStatus : words(reason)}`;
    }
    case 'DeliveryDeadLettered':
      return `Given up after ${count(event.data.attempts, 'attempt')}: ${words(event.data.reason)}`;
    case 'DeliveryCancelled':
      return `Cancelled: ${CANCELLED[event.data.reason] ?? words(event.data.reason)}`;
    case 'RetentionApplied': {
      const { droppedDays, counts } = event.data;
      const days = new Set([...droppedDays.payload, ...droppedDays.response]).size;
      const rows = Object.entries(counts).map(([kind, number]) => `${number} ${words(kind)}`);
      return `Retention dropped ${count(days, 'day')}; gone are ${rows.join(', ')}`;
    }
    default:
      return (event as { type: string }).type;
  }
};

const EVENT_TYPE = {
  EventTypeCreated: 'created',
  EventTypeDeactivated: 'deactivated',
  EventTypeReactivated: 'brought back',
} as const;

const nameOfSecret = ({ secrets }: JsonObject, secretId: string): Json | undefined =>
  isObject(secrets) && isObject(secrets[secretId]) ? secrets[secretId].name : undefined;

const isObject = (value: Json | undefined): value is JsonObject =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** What a replacement can change, by the beginning of the path, in the order in which it is told. */
const SETTINGS: readonly (readonly [path: string, told: (after: Json) => string])[] = [
  ['/target/url', (after) => `target changed to ${after}`],
  ['/target/method', (after) => `method changed to ${after}`],
  ['/target/header', () => 'headers changed'],
  ['/event_types', (after) => `event types changed to ${Array.isArray(after) ? after.join(', ') : after}`],
  ['/labels', () => 'labels changed'],
  ['/description', (after) => (after === null ? 'description removed' : `description changed to “${after}”`)],
  ['/metadata', () => 'metadata changed'],
  ['/retry_schedule', (after) => `retry schedule changed to ${after ?? 'the default'}`],
  ['/concurrency_max', (after) => `concurrency changed to ${after ?? 'the default'}`],
  ['/sign_ed25519', (after) => `Ed25519 signatures turned ${after === true ? 'on' : 'off'}`],
];

const replaced = (changes: readonly Change[]): string => {
  const told = SETTINGS.flatMap(([path, tell]) => {
    const change = changes.find((other) => other.path.startsWith(path));
    return change ? [shorten(tell(change.after))] : [];
  });
  const [first = 'settings replaced', ...rest] = told;
  return [`${first.charAt(0).toUpperCase()}${first.slice(1)}`, ...rest].join('; ');
};
