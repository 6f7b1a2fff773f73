import type { DomainEventMetadata } from '../domain/metadata.ts';
import type { AnyDomainEvent } from '../domain/registry.ts';
import type { RecordedEvent } from '../eventstore/types.ts';
import { type Change, diff, type Json, type JsonObject } from './diff.ts';
import { summarise } from './summary.ts';

/** One domain event as a person reads it: who, when, from where, why, and what changed. */
export type HistoryEntry = {
  readonly partition: number;
  /** In its log partition; with it, `<partition>:<position>` asks for the state as of then. */
  readonly position: number;
  readonly streamId: string;
  /** In its stream, from 1. */
  readonly version: number;
  readonly type: string;
  /** In a few words. */
  readonly summary: string;
  readonly at: Date;
  readonly actor: string;
  readonly causationId: string;
  readonly correlationId: string;
  readonly ip: string | null;
  /** By JSON Pointer (RFC 6901), in the order of the paths. */
  readonly changes: readonly Change[];
};

type Recorded = AnyDomainEvent & { readonly metadata: DomainEventMetadata };

/**
 * The entries of one stream, oldest first; pure. It has to begin at version 1, since changes are told against what was before.
 * Secrets and values of headers are not in the log; that they changed is told by numbers that count their versions.
 */
export const describeHistory = (stream: readonly RecordedEvent[]): HistoryEntry[] => {
  let state: JsonObject = {};
  return stream.map((event) => {
    const before = state;
    state = apply(state, event as unknown as Recorded);
    const { partition, position, streamId, streamVersion: version, type, recordedAtMs, metadata } = event;
    const changes = diff(before, state);
    return {
      partition,
      position,
      streamId,
      version,
      type,
      summary: summarise(event as unknown as Recorded, before, changes),
      at: new Date(recordedAtMs),
      actor: metadata.actor,
      causationId: metadata.causationId,
      correlationId: metadata.correlationId,
      ip: metadata.ip ?? null,
      changes,
    };
  });
};

const numberOf = (value: Json | undefined): number => (typeof value === 'number' ? value : 0);

/** What people may see of an aggregate after a domain event. An unknown type, of a newer release, changes nothing. */
const apply = (state: JsonObject, event: Recorded): JsonObject => {
  switch (event.type) {
    case 'OrganizationCreated':
    case 'ApplicationCreated':
      return { status: 'active', name: event.data.name };
    case 'OrganizationRenamed':
    case 'ApplicationRenamed':
      return { ...state, name: event.data.name };
    case 'OrganizationErased':
      return { status: 'erased' };
    case 'MemberInvited':
      return withEntry(state, 'invitations', event.data.invitationId, { role: event.data.role });
    case 'InvitationRevoked':
      return withEntry(state, 'invitations', event.data.invitationId, null);
    case 'MemberAdded': {
      const { userId, role, invitationId } = event.data;
      const added = withEntry(state, 'members', userId, { role });
      return invitationId === null ? added : withEntry(added, 'invitations', invitationId, null);
    }
    case 'MemberRoleChanged':
      return withEntry(state, 'members', event.data.userId, { role: event.data.role });
    case 'MemberRemoved':
      return withEntry(state, 'members', event.data.userId, null);
    case 'UserRegistered':
      return { status: 'registered', passwords: 1 };
    case 'UserEmailVerified':
      return { ...state, status: 'verified' };
    case 'UserPasswordChanged':
      return { ...state, passwords: numberOf(state.passwords) + 1 };
    case 'UserErased':
      return { status: 'erased' };
    case 'ServiceTokenCreated':
      return { status: 'active', name: event.data.name };
    case 'ServiceTokenRenamed':
      return { ...state, name: event.data.name };
    case 'ServiceTokenRevoked':
      return { ...state, status: 'revoked' };
    case 'ServiceTokenBlockRevoked':
      return withEntry(state, 'revoked_blocks', event.data.revocationId, {});
    case 'PlanDefined':
      return { status: 'active', label: event.data.label, limits: { ...event.data.limits } };
    case 'PlanRemoved':
      return { status: 'deleted' };
    case 'OrganizationQuotasSet':
      return { plan: event.data.plan, limits: { ...event.data.limits } };
    case 'ApplicationQuotasSet':
      return { limits: { ...event.data.limits } };
    case 'QuotaWarned':
      return withEntry(state, 'quotas', event.data.quota, { level: event.data.level, used: event.data.used });
    case 'AccessRefused':
      return { ...state, refused: numberOf(state.refused) + event.data.count };
    case 'EventTypeCreated':
      return { status: 'active', name: event.data.name };
    case 'EventTypeDeactivated':
      return { ...state, status: 'deactivated' };
    case 'EventTypeReactivated':
      return { ...state, status: 'active' };
    case 'EventTypeSchemaAdded': {
      const { version, sha256 } = event.data;
      return { ...state, schemas: { ...objectOf(state.schemas), [version]: { sha256 } } };
    }
    case 'EventTypeSchemaActivated':
      return { ...state, active_schema_version: event.data.version };
    case 'EventTypeSchemaDeactivated':
      return { ...state, active_schema_version: null };
    case 'OrganizationDeleted':
    case 'ApplicationDeleted':
    case 'SubscriptionDeleted':
      return { ...state, status: 'deleted' };
    case 'ApplicationSecretCreated':
    case 'ApplicationSecretRenamed':
      return withSecret(state, event.data.secretId, { status: 'active', name: event.data.name });
    case 'ApplicationSecretDeleted':
      return withSecret(state, event.data.secretId, { status: 'deleted' });
    case 'SubscriptionCreated':
    case 'SubscriptionReplaced':
    case 'SubscriptionEnabled':
    case 'SubscriptionDisabled':
    case 'SubscriptionSecretRotated':
      return applySubscription(state, event);
    case 'EventIngested': {
      const { eventType, payloadContentType, payloadSha256, payloadBytes, labels, metadata, occurredAt, deliveries } =
        event.data;
      const payload = { content_type: payloadContentType, sha256: payloadSha256, bytes: payloadBytes };
      return { event_type: eventType, payload, labels, metadata, occurred_at: occurredAt, deliveries, replays: 0 };
    }
    case 'EventPayloadErased':
      return { ...state, payload: null };
    case 'EventReplayed':
      return { ...state, replays: numberOf(state.replays) + 1, last_replay: { deliveries: event.data.deliveries } };
    case 'AttemptScheduled':
    case 'AttemptRescheduled':
    case 'AttemptSucceeded':
    case 'AttemptFailed':
    case 'DeliveryDeadLettered':
    case 'DeliveryCancelled':
      return applyDelivery(state, event);
    case 'RetentionApplied': {
      const { droppedDays, counts, bytes } = event.data;
      return { runs: numberOf(state.runs) + 1, last_run: { dropped_days: droppedDays, counts, bytes } };
    }
    default:
      event satisfies never;
      return state;
  }
};

const objectOf = (value: Json | undefined): JsonObject =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as JsonObject) : {};

/** One entry of a map within the state; null takes it out. */
const withEntry = (state: JsonObject, map: string, key: string, entry: JsonObject | null): JsonObject => {
  const { [key]: _, ...others } = objectOf(state[map]);
  return { ...state, [map]: entry === null ? others : { ...others, [key]: entry } };
};

const withSecret = (state: JsonObject, secretId: string, change: JsonObject): JsonObject => {
  const secrets = objectOf(state.secrets);
  return { ...state, secrets: { ...secrets, [secretId]: { ...objectOf(secrets[secretId]), ...change } } };
};

type SubscriptionChange = Extract<
  Recorded,
  { type: `Subscription${'Created' | 'Replaced' | 'Enabled' | 'Disabled' | 'SecretRotated'}` }
>;

const applySubscription = (state: JsonObject, event: SubscriptionChange): JsonObject => {
  switch (event.type) {
    case 'SubscriptionCreated':
      return {
        status: 'active',
        is_enabled: event.data.settings.isEnabled,
        disabled_reason: null,
        secret_version: 1,
        ...settingsOf(event.data.settings, state),
      };
    case 'SubscriptionReplaced':
      // Whether it is enabled is told by a domain event of its own.
      return { ...state, ...settingsOf(event.data.settings, state) };
    case 'SubscriptionEnabled':
      return { ...state, is_enabled: true, disabled_reason: null };
    case 'SubscriptionDisabled':
      return { ...state, is_enabled: false, disabled_reason: event.data.reason };
    case 'SubscriptionSecretRotated': {
      const { previousValidUntil } = event.data;
      const version = numberOf(state.secret_version) + 1;
      return { ...state, secret_version: version, previous_secret_valid_until: previousValidUntil };
    }
  }
};

type Settings = Extract<Recorded, { type: 'SubscriptionCreated' }>['data']['settings'];

/** The id of the sealed values stays out of it: it only tells one version from the next. */
const SEALED = Symbol('sealed headers');
type WithSealed = JsonObject & { readonly [SEALED]?: string | null };

const settingsOf = (settings: Settings, before: WithSealed): WithSealed => {
  const { target } = settings;
  const version = numberOf(objectOf(before.target).header_values_version);
  const isSame = SEALED in before && before[SEALED] === target.sealedHeadersId;
  return {
    event_types: settings.eventTypes,
    description: settings.description,
    labels: settings.labels,
    metadata: settings.metadata,
    target: {
      type: target.type,
      method: target.method,
      url: target.url,
      header_names: target.headerNames,
      header_values_version: isSame ? version : version + 1,
    },
    retry_schedule: settings.retrySchedule,
    concurrency_max: settings.concurrencyMax,
    sign_ed25519: settings.signEd25519,
    dedicated_workers: settings.dedicatedWorkers,
    [SEALED]: target.sealedHeadersId,
  };
};

type DeliveryChange = Extract<Recorded, { type: `Attempt${string}` | `Delivery${string}` }>;

const applyDelivery = (state: JsonObject, event: DeliveryChange): JsonObject => {
  switch (event.type) {
    case 'AttemptScheduled': {
      const { attemptNumber, attemptId, trigger, dueAt } = event.data;
      const attempt = { request_attempt_id: attemptId, trigger, outcome: null, reason: null, http_status: null };
      return { status: 'pending', reason: null, attempts: attemptNumber, due_at: dueAt, last_attempt: attempt };
    }
    case 'AttemptRescheduled':
      return { ...state, due_at: event.data.dueAt };
    case 'AttemptSucceeded':
      return ended({ ...state, status: 'succeeded', due_at: null }, 'succeeded', null, event.data.httpStatus);
    case 'AttemptFailed':
      return ended(state, 'failed', event.data.reason, event.data.httpStatus);
    case 'DeliveryDeadLettered':
      return { ...state, status: 'dead_lettered', reason: event.data.reason, due_at: null };
    case 'DeliveryCancelled':
      return { ...state, status: 'cancelled', reason: event.data.reason, due_at: null };
  }
};

const ended = (state: JsonObject, outcome: string, reason: string | null, httpStatus: number | null): JsonObject => ({
  ...state,
  last_attempt: { ...objectOf(state.last_attempt), outcome, reason, http_status: httpStatus },
});
