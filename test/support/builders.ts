import { hash } from 'node:crypto';
import type { Pool } from 'pg';
import { deliveryId, uuidv7 } from '#src/domain/event/ids.ts';
import type { DomainEventMetadata } from '#src/domain/metadata.ts';
import type { AnyDomainEvent } from '#src/domain/registry.ts';
import { createGroupCommit, type GroupCommit } from '#src/eventstore/group-commit.ts';
import { initialise } from '#src/eventstore/initialise.ts';
import { partitionOf } from '#src/eventstore/partition.ts';
import { createAppPool } from '#src/eventstore/pool.ts';
import { createLogReader, type LogReader } from '#src/eventstore/read.ts';
import type { RecordedEvent, StreamAppend } from '#src/eventstore/types.ts';
import {
  CONFIGURATION_TYPES,
  inlineProjections,
  projectConfiguration,
} from '#src/projections/configuration/projections.ts';

type Type = AnyDomainEvent['type'];
type DataOf<T extends Type> = Extract<AnyDomainEvent, { type: T }>['data'];
export type Fact<T extends Type = Type> = T extends Type ? { readonly type: T; readonly data: DataOf<T> } : never;

/** The instant at which all begins, and instants after it. */
export const T0 = '2026-03-01T10:00:00.000Z';
export const later = (ms: number): string => new Date(Date.parse(T0) + ms).toISOString();

/** The same for the same name in every run: `idOf('application')`. */
export const idOf = (name: string): string => {
  const digest = hash('sha256', name, 'hex');
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-4${digest.slice(13, 16)}-8${digest.slice(17, 20)}-${digest.slice(20, 32)}`;
};

/** As `idOf`, but beginning with an instant, as the ids of events and request attempts do. */
export const timedIdOf = (name: string, at: string = T0): string =>
  `${uuidv7(Date.parse(at)).slice(0, 15)}${idOf(name).slice(15)}`;

export const organizationId = idOf('organization');
export const applicationId = idOf('application');
export const subscriptionId = idOf('subscription');
const own = { organizationId, applicationId };

/** A builder of one domain event: every field has a default, and what is given replaces it. */
const fact =
  <T extends Type>(type: T, defaults: () => DataOf<T>) =>
  (given: Partial<DataOf<T>> = {}): Fact<T> =>
    ({ type, data: { ...defaults(), ...given } }) as unknown as Fact<T>;

export const organizationCreated = fact('OrganizationCreated', () => ({ organizationId, name: 'Acme', createdAt: T0 }));
export const organizationRenamed = fact('OrganizationRenamed', () => ({
  organizationId,
  name: 'Acme Ltd',
  renamedAt: T0,
}));
export const organizationDeleted = fact('OrganizationDeleted', () => ({ organizationId, deletedAt: T0 }));

export const applicationCreated = fact('ApplicationCreated', () => ({ ...own, name: 'Shop', createdAt: T0 }));
export const applicationRenamed = fact('ApplicationRenamed', () => ({ ...own, name: 'Web shop', renamedAt: T0 }));
export const applicationDeleted = fact('ApplicationDeleted', () => ({ ...own, deletedAt: T0 }));
const secretId = idOf('application secret');
export const applicationSecretCreated = fact('ApplicationSecretCreated', () => ({
  ...own,
  secretId,
  name: 'CI',
  tokenSha256: hash('sha256', 'token', 'hex'),
  createdAt: T0,
}));
export const applicationSecretRenamed = fact('ApplicationSecretRenamed', () => ({
  ...own,
  secretId,
  name: null,
  renamedAt: T0,
}));
export const applicationSecretDeleted = fact('ApplicationSecretDeleted', () => ({ ...own, secretId, deletedAt: T0 }));

const eventType = 'user.account.created';
export const eventTypeCreated = fact('EventTypeCreated', () => ({ ...own, name: eventType, createdAt: T0 }));
export const eventTypeDeactivated = fact('EventTypeDeactivated', () => ({
  ...own,
  name: eventType,
  deactivatedAt: T0,
}));
export const eventTypeReactivated = fact('EventTypeReactivated', () => ({
  ...own,
  name: eventType,
  reactivatedAt: T0,
}));

const schema = { type: 'object', required: ['id'] };
export const eventTypeSchemaAdded = fact('EventTypeSchemaAdded', () => ({
  ...own,
  name: eventType,
  version: 1,
  schema,
  sha256: hash('sha256', JSON.stringify(schema), 'hex'),
  addedAt: T0,
}));
export const eventTypeSchemaActivated = fact('EventTypeSchemaActivated', () => ({
  ...own,
  name: eventType,
  version: 1,
  activatedAt: T0,
}));
export const eventTypeSchemaDeactivated = fact('EventTypeSchemaDeactivated', () => ({
  ...own,
  name: eventType,
  deactivatedAt: T0,
}));

export const settings = (
  given: Partial<DataOf<'SubscriptionCreated'>['settings']> = {},
): DataOf<'SubscriptionCreated'>['settings'] => ({
  isEnabled: true,
  eventTypes: [eventType],
  description: 'Orders to the warehouse',
  labels: {},
  metadata: {},
  target: { type: 'http', method: 'POST', url: 'https://example.org/hook', headerNames: [], sealedHeadersId: null },
  retrySchedule: null,
  concurrencyMax: null,
  signEd25519: false,
  dedicatedWorkers: [],
  ...given,
});
const ofSubscription = { ...own, subscriptionId };
const signingSecretId = idOf('signing secret');
export const subscriptionCreated = fact('SubscriptionCreated', () => ({
  ...ofSubscription,
  settings: settings(),
  secretId: signingSecretId,
  createdAt: T0,
}));
export const subscriptionReplaced = fact('SubscriptionReplaced', () => ({
  ...ofSubscription,
  settings: settings({ description: null }),
  replacedAt: T0,
}));
export const subscriptionEnabled = fact('SubscriptionEnabled', () => ({ ...ofSubscription, enabledAt: T0 }));
export const subscriptionDisabled = fact('SubscriptionDisabled', () => ({
  ...ofSubscription,
  reason: 'request',
  disabledAt: T0,
}));
export const subscriptionSecretRotated = fact('SubscriptionSecretRotated', () => ({
  ...ofSubscription,
  secretId: idOf('next signing secret'),
  previousSecretId: signingSecretId,
  previousValidUntil: later(86_400_000),
  rotatedAt: T0,
}));
export const subscriptionDeleted = fact('SubscriptionDeleted', () => ({ ...ofSubscription, deletedAt: T0 }));

const eventId = timedIdOf('event');
export const eventIngested = fact('EventIngested', () => ({
  ...own,
  eventId,
  eventType,
  payloadContentType: 'application/json',
  payloadSha256: hash('sha256', '{}', 'hex'),
  payloadBytes: 2,
  labels: { all: 'yes' },
  metadata: {},
  occurredAt: T0,
  receivedAt: T0,
  ip: '192.0.2.1',
  configurationPosition: 0,
  deliveries: 1,
}));
export const eventReplayed = fact('EventReplayed', () => ({
  ...own,
  eventId,
  configurationPosition: 0,
  deliveries: 1,
  replayedAt: later(60_000),
}));

const ofDelivery = {
  ...ofSubscription,
  eventId,
  deliveryId: deliveryId({ applicationId, eventId, subscriptionId, receivedAt: T0 }),
};
const ofAttempt = { ...ofDelivery, attemptId: timedIdOf('attempt'), attemptNumber: 1 };
const result = {
  startedAt: later(10),
  finishedAt: later(60),
  httpStatus: 200,
  response: { bodySha256: hash('sha256', 'ok', 'hex'), bodyBytes: 2, truncated: false },
  timings: { dnsMs: null, connectMs: 1.5, tlsMs: null, firstByteMs: 40.25, bodyMs: 0.5, totalMs: 50 },
} as const;
export const attemptScheduled = fact('AttemptScheduled', () => ({
  ...ofAttempt,
  eventType,
  retryCount: 0,
  scheduledAt: T0,
  dueAt: T0,
  trigger: 'ingest',
}));
export const attemptRescheduled = fact('AttemptRescheduled', () => ({
  ...ofAttempt,
  dueAt: later(5),
  rescheduledAt: later(5),
}));
export const attemptSucceeded = fact('AttemptSucceeded', () => ({ ...ofAttempt, ...result }));
export const attemptFailed = fact('AttemptFailed', () => ({
  ...ofAttempt,
  ...result,
  httpStatus: 500,
  reason: 'status',
  message: 'Internal Server Error',
}));
export const deliveryDeadLettered = fact('DeliveryDeadLettered', () => ({
  ...ofDelivery,
  reason: 'retries_exhausted',
  attempts: 1,
  deadLetteredAt: later(70),
}));
export const deliveryCancelled = fact('DeliveryCancelled', () => ({
  ...ofDelivery,
  reason: 'request',
  cancelledAt: later(70),
}));

export const retentionApplied = fact('RetentionApplied', () => ({
  instanceId: idOf('instance'),
  droppedDays: { payload: ['2026-01-01'], response: ['2026-01-01', '2026-01-02'] },
  counts: { payload: 7, response: 9 },
  bytes: 4_096,
  appliedAt: T0,
}));

/** An event, the delivery it owes one subscription, and the ids that all its domain events share. */
export const eventOf = (name: string, { at = T0, subscription = subscriptionId } = {}) => {
  const event = { ...own, eventId: timedIdOf(`event ${name}`, at) };
  const delivery = {
    ...event,
    subscriptionId: subscription,
    deliveryId: deliveryId({ ...event, subscriptionId: subscription, receivedAt: at }),
  };
  const attempt = (attemptNumber: number, scheduledAt: string = at) => ({
    ...delivery,
    attemptNumber,
    attemptId: timedIdOf(`attempt ${name} ${subscription} ${attemptNumber}`, scheduledAt),
  });
  return { event, delivery, attempt };
};

/** An event that was delivered at once: three domain events. */
export const deliveredEvent = (name: string, at: string = T0): Fact[] => {
  const { event, attempt } = eventOf(name, { at });
  return [
    eventIngested({ ...event, receivedAt: at, occurredAt: at }),
    attemptScheduled({ ...attempt(1), scheduledAt: at, dueAt: at }),
    attemptSucceeded({ ...attempt(1), startedAt: at, finishedAt: at }),
  ];
};

/** Where a domain event goes: its stream, and the id that chooses its log partition. */
export const addressOf = (given: Fact): { streamId: string; routingKey: string } => {
  const { type, data } = given as { type: string; data: Record<string, unknown> };
  if ('deliveryId' in data) return { streamId: `delivery:${data.deliveryId}`, routingKey: String(data.subscriptionId) };
  if (type === 'RetentionApplied')
    return { streamId: `retention:${data.instanceId}`, routingKey: String(data.instanceId) };
  if (type === 'AccessRefused') return { streamId: `access:${data.actor}`, routingKey: String(data.actor) };
  if (type.startsWith('Plan')) return { streamId: `plan:${data.name}`, routingKey: String(data.name) };
  const routingKey = String(data.applicationId ?? data.organizationId);
  if (type.endsWith('QuotasSet')) return { streamId: `quota:${routingKey}`, routingKey };
  if (type.startsWith('ServiceToken')) return { streamId: `service_token:${data.tokenId}`, routingKey };
  if (type.startsWith('Member') || type.startsWith('Invitation'))
    return { streamId: `organization:${data.organizationId}`, routingKey };
  if (type.startsWith('Organization')) return { streamId: `organization:${data.organizationId}`, routingKey };
  if (type.startsWith('ApplicationSecret')) return { streamId: `application_secret:${data.secretId}`, routingKey };
  if (type.startsWith('Application')) return { streamId: `application:${data.applicationId}`, routingKey };
  if (type.startsWith('EventType')) return { streamId: `event_type:${data.applicationId}:${data.name}`, routingKey };
  if (type.startsWith('Subscription')) return { streamId: `subscription:${data.subscriptionId}`, routingKey };
  return { streamId: `event:${data.applicationId}:${data.eventId}`, routingKey };
};

export const metadata: DomainEventMetadata = { actor: 'system:test', causationId: 'test', correlationId: 'test' };

/** The same domain events as the log would have recorded them, without a database. */
export const recorded = (facts: readonly Fact[], partitions = 4): RecordedEvent[] => {
  const positions = new Map<number, number>();
  const versions = new Map<string, number>();
  return facts.map((given) => {
    const { streamId, routingKey } = addressOf(given);
    const partition = partitionOf(routingKey, partitions);
    const position = (positions.get(partition) ?? 0) + 1;
    const streamVersion = (versions.get(streamId) ?? 0) + 1;
    positions.set(partition, position);
    versions.set(streamId, streamVersion);
    const { type, data } = given;
    return {
      partition,
      position,
      streamId,
      streamVersion,
      type,
      schemaVersion: 1,
      data,
      metadata,
      recordedAtMs: Date.parse(T0),
    };
  });
};

const INLINE_TYPES = new Set(inlineProjections.flatMap(({ canHandle }) => canHandle));
export type TestLog = {
  readonly pool: Pool;
  readonly log: GroupCommit;
  readonly reader: LogReader;
  readonly partitions: number;
  /** Appends as one; the versions are those that this object has appended before. */
  readonly append: (...facts: Fact[]) => Promise<readonly RecordedEvent[]>;
  readonly stop: () => Promise<void>;
};

/** A real log in a fresh test database. Domain events of the configuration are projected with the append, as in the product. */
export const openTestLog = async (url: string, partitions = 4): Promise<TestLog> => {
  await initialise({ url, partitions });
  const pool = createAppPool({ url, max: 6, name: 'test' });
  const log = createGroupCommit({ pool });
  const versions = new Map<string, number>();
  const append = async (...facts: Fact[]): Promise<readonly RecordedEvent[]> => {
    const streams = new Map<string, StreamAppend>();
    for (const given of facts) {
      const { streamId, routingKey } = addressOf(given);
      const before = streams.get(streamId);
      const expectedVersion = before?.expectedVersion ?? versions.get(streamId) ?? 0;
      const partition = partitionOf(routingKey, partitions);
      streams.set(streamId, { streamId, partition, expectedVersion, events: [...(before?.events ?? []), given] });
    }
    for (const { streamId, events, expectedVersion } of streams.values())
      versions.set(streamId, Number(expectedVersion) + events.length);
    const movesConfiguration = facts.some(({ type }) => CONFIGURATION_TYPES.has(type));
    const isProjected = facts.some(({ type }) => INLINE_TYPES.has(type));
    const along = isProjected ? { movesConfiguration, project: projectConfiguration } : {};
    const appended = await log.append({ streams: [...streams.values()], metadata, ...along });
    if (appended.kind !== 'appended') throw new Error(`The append was refused: ${JSON.stringify(appended)}`);
    return appended.events;
  };
  const stop = async (): Promise<void> => {
    await log.drained();
    await pool.end();
  };
  return { pool, log, reader: createLogReader({ db: pool, partitions }), partitions, append, stop };
};
