import type { ApplicationEvent } from '../../domain/application/events.ts';
import type { ApplicationSecretEvent } from '../../domain/application-secret/events.ts';
import type { EventTypeEvent } from '../../domain/event-type/events.ts';
import type { OrganizationEvent } from '../../domain/organization/events.ts';
import type { SubscriptionEvent } from '../../domain/subscription/events.ts';
import type { RecordedEvent } from '../../eventstore/types.ts';
import type {
  ApplicationRecord,
  ApplicationSecretRecord,
  EventTypeRecord,
  OrganizationRecord,
  SubscriptionState,
} from './queries.ts';

type Place = Pick<RecordedEvent, 'partition' | 'position'>;

const foldWith =
  <Found, Event>(step: (found: Found | undefined, event: Event & Place) => Found | undefined) =>
  (stream: readonly RecordedEvent[]): Found | undefined =>
    (stream as unknown as readonly (Event & Place)[]).reduce(step, undefined as Found | undefined);

/** What the tables of the configuration hold once they have applied the beginning of a stream. */
export const foldOrganization = foldWith<OrganizationRecord, OrganizationEvent>((found, { type, data }) => {
  switch (type) {
    case 'OrganizationCreated':
      return { organizationId: data.organizationId, name: data.name, createdAt: new Date(data.createdAt) };
    case 'OrganizationRenamed':
      return found && { ...found, name: data.name };
    case 'OrganizationDeleted':
      return undefined;
    default:
      return found;
  }
});

export const foldApplication = foldWith<ApplicationRecord, ApplicationEvent>((found, { type, data }) => {
  switch (type) {
    case 'ApplicationCreated': {
      const { applicationId, organizationId, name, createdAt } = data;
      return { applicationId, organizationId, name, createdAt: new Date(createdAt) };
    }
    case 'ApplicationRenamed':
      return found && { ...found, name: data.name };
    case 'ApplicationDeleted':
      return undefined;
    default:
      return found;
  }
});

/** Undefined once it was deleted. */
export const foldApplicationSecret = foldWith<ApplicationSecretRecord, ApplicationSecretEvent>(
  (found, { type, data }) => {
    switch (type) {
      case 'ApplicationSecretCreated': {
        const { secretId, applicationId, organizationId, name } = data;
        return { secretId, applicationId, organizationId, name, createdAt: new Date(data.createdAt), deletedAt: null };
      }
      case 'ApplicationSecretRenamed':
        return found && { ...found, name: data.name };
      case 'ApplicationSecretDeleted':
        return undefined;
      default:
        return found;
    }
  },
);

export const foldEventType = foldWith<EventTypeRecord, EventTypeEvent>((found, { type, data }) => {
  switch (type) {
    case 'EventTypeCreated': {
      const { applicationId, organizationId, name } = data;
      const at = new Date(data.createdAt);
      return {
        applicationId,
        organizationId,
        name,
        isActive: true,
        activeSchemaVersion: null,
        createdAt: at,
        updatedAt: at,
      };
    }
    case 'EventTypeDeactivated':
      return found && { ...found, isActive: false, updatedAt: new Date(data.deactivatedAt) };
    case 'EventTypeReactivated':
      return found && { ...found, isActive: true, updatedAt: new Date(data.reactivatedAt) };
    case 'EventTypeSchemaActivated':
      return found && { ...found, activeSchemaVersion: data.version, updatedAt: new Date(data.activatedAt) };
    case 'EventTypeSchemaDeactivated':
      return found && { ...found, activeSchemaVersion: null, updatedAt: new Date(data.deactivatedAt) };
    default:
      return found;
  }
});

export const foldSubscription = foldWith<SubscriptionState, SubscriptionEvent>((found, event) =>
  event.type === 'SubscriptionCreated'
    ? created(event.data, event)
    : found && { ...found, ...changeOf(found, event), position: event.position },
);

type Created = Extract<SubscriptionEvent, { type: 'SubscriptionCreated' }>['data'];

const created = ({ createdAt, ...data }: Created, { partition, position }: Place): SubscriptionState => ({
  subscriptionId: data.subscriptionId,
  applicationId: data.applicationId,
  organizationId: data.organizationId,
  settings: data.settings,
  disabledReason: null,
  secretId: data.secretId,
  previousSecretId: null,
  previousValidUntil: null,
  createdAt: new Date(createdAt),
  updatedAt: new Date(createdAt),
  deletedAt: null,
  partition,
  position,
});

const changeOf = ({ settings }: SubscriptionState, { type, data }: SubscriptionEvent): Partial<SubscriptionState> => {
  switch (type) {
    case 'SubscriptionReplaced':
      // Whether it is enabled is told by a domain event of its own.
      return {
        settings: { ...data.settings, isEnabled: settings.isEnabled },
        updatedAt: new Date(data.replacedAt),
      };
    case 'SubscriptionEnabled':
      return {
        settings: { ...settings, isEnabled: true },
        disabledReason: null,
        updatedAt: new Date(data.enabledAt),
      };
    case 'SubscriptionDisabled':
      return {
        settings: { ...settings, isEnabled: false },
        disabledReason: data.reason,
        updatedAt: new Date(data.disabledAt),
      };
    case 'SubscriptionSecretRotated':
      return {
        secretId: data.secretId,
        previousSecretId: data.previousSecretId,
        previousValidUntil: new Date(data.previousValidUntil),
        updatedAt: new Date(data.rotatedAt),
      };
    case 'SubscriptionDeleted':
      return { deletedAt: new Date(data.deletedAt), updatedAt: new Date(data.deletedAt) };
    default:
      return {};
  }
};
