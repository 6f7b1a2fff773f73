import { hash, randomUUID } from 'node:crypto';
import { deliveryDecider } from '../../domain/delivery/decider.ts';
import type { DeliveryEvent, Scheduled } from '../../domain/delivery/events.ts';
import { DomainError } from '../../domain/errors.ts';
import { eventDecider } from '../../domain/event/decider.ts';
import type { EventEvent, IngestedEvent, PayloadContentType } from '../../domain/event/events.ts';
import { deliveryId, uuidv7 } from '../../domain/event/ids.ts';
import type { DomainEventMetadata } from '../../domain/metadata.ts';
import { GuardUndone } from '../../eventstore/flush.ts';
import { fold } from '../../eventstore/fold.ts';
import type { GroupCommit } from '../../eventstore/group-commit.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import type { LogReader } from '../../eventstore/read.ts';
import type { Append, AppendResult, StreamAppend, Write } from '../../eventstore/types.ts';
import type { SchemaCache } from '../../payload-schema/cache.ts';
import type {
  ApplicationConfiguration,
  SubscriptionConfiguration,
} from '../../projections/configuration/application-configuration.ts';
import type { ConfigurationCache } from '../../projections/configuration/cache.ts';
import type { Vault } from '../../vault/vault.ts';
import { addPayload, dayOf } from '../../worklist/payload.ts';
import { addPending, type PendingDelivery } from '../../worklist/pending-delivery.ts';
import { Problem } from '../problems.ts';
import type { LimitsOf } from '../quota/limits.ts';
import { takeEvent } from '../quota/take.ts';
import { createPayloadCheck } from './payload-check.ts';

/** What a producer asks for, validated and authenticated. */
export type IngestRequest = {
  readonly applicationId: string;
  /** Undefined when the producer leaves the choice to us. */
  readonly eventId: string | undefined;
  readonly eventType: string;
  readonly contentType: PayloadContentType;
  readonly body: Buffer;
  readonly labels: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly occurredAt: string | null;
  readonly actor: string;
  /** Throws unless whoever asks may ingest into an application of this organization. */
  readonly authorize: (organizationId: string) => void;
  /** The secret that opened the door, when it was one of the application: it may have been deleted since. */
  readonly applicationSecretId: string | undefined;
  readonly requestId: string;
  readonly ip: string;
  /** A test: owed to this subscription alone, whether it matches or not. */
  readonly onlySubscriptionId?: string;
};

export type Ingested = {
  readonly applicationId: string;
  readonly eventId: string;
  readonly receivedAt: string;
  /** True when the same content had been ingested under this id before: the first answer is given again. */
  readonly isRepeat: boolean;
  readonly deliveries: number;
};

/** Routings of one event that may be overtaken by changes of the configuration. */
const ROUTINGS_MAX = 50;

export type IngestDeps = {
  readonly log: GroupCommit;
  readonly reader: LogReader;
  readonly configuration: ConfigurationCache;
  readonly schemas: SchemaCache;
  readonly vault: Pick<Vault, 'bodySealer'>;
  readonly partitions: number;
  readonly now: () => Date;
  readonly limitsOf: Pick<LimitsOf, 'isEnforced' | 'application' | 'organization'>;
};

export type Ingest = (request: IngestRequest) => Promise<Ingested>;

/**
 * Accepts an event: one commit holds EventIngested, an AttemptScheduled and a row of the work list per matching
 * subscription, and the payload. The commit is refused when the configuration it was routed with is not the newest, and
 * the event is routed again.
 */
export const createIngest = ({
  log,
  reader,
  configuration,
  schemas,
  vault,
  partitions,
  now,
  limitsOf,
}: IngestDeps): Ingest => {
  const checkPayload = createPayloadCheck(schemas);

  /** A refusal must not come from a stale copy, an acceptance cannot: the commit checks it. */
  const configurationFor = async (request: IngestRequest): Promise<ApplicationConfiguration> => {
    const accepts = (found: ApplicationConfiguration | undefined): found is ApplicationConfiguration =>
      found?.eventTypes.has(request.eventType) === true &&
      (request.applicationSecretId === undefined || found.secretIds.has(request.applicationSecretId)) &&
      (request.onlySubscriptionId === undefined || found.enabledIds.has(request.onlySubscriptionId));
    const cached = await configuration.application(request.applicationId);
    if (accepts(cached)) {
      request.authorize(cached.organizationId);
      return cached;
    }
    const fresh = await configuration.freshApplication(request.applicationId);
    if (!fresh)
      throw new DomainError(
        'NotFound',
        `There is no application ${request.applicationId}. Check the id, or list what exists.`,
      );
    request.authorize(fresh.organizationId);
    if (request.applicationSecretId !== undefined && !fresh.secretIds.has(request.applicationSecretId))
      throw new Problem('AuthInvalidApplicationSecret', 'The application secret was deleted.');
    if (!fresh.eventTypes.has(request.eventType))
      throw new DomainError(
        'EventTypeDoesNotExist',
        `Application ${request.applicationId} has no active event type ${request.eventType}; create it with POST /api/v1/event_types first.`,
      );
    if (request.onlySubscriptionId !== undefined && !fresh.enabledIds.has(request.onlySubscriptionId))
      throw new Problem(
        'SubscriptionInactive',
        `Subscription ${request.onlySubscriptionId} is disabled or deleted; enable it first.`,
      );
    return fresh;
  };

  /**
   * The configuration to route with, whose schema the payload matches; undefined when it does not, yet was ingested before:
   * what was accepted is answered again, whatever schema was activated since. Versions that were matched are in `matched`.
   */
  const acceptedBy = async (
    request: IngestRequest,
    matched: Set<number>,
    partition: number,
  ): Promise<ApplicationConfiguration | undefined> => {
    const { applicationId, eventType: name, eventId } = request;
    const refusalBy = async ({ schemaVersions }: ApplicationConfiguration): Promise<Problem | undefined> => {
      const version = schemaVersions.get(name);
      if (version === undefined || matched.has(version)) return undefined;
      const refusal = await checkPayload({ applicationId, name, version }, request);
      if (!refusal) matched.add(version);
      return refusal;
    };
    const found = await configurationFor(request);
    if (!found.schemaVersions.has(name) || !(await refusalBy(found))) return found;
    await configuration.freshApplication(applicationId);
    const fresh = await configurationFor(request);
    const refusal = await refusalBy(fresh);
    if (!refusal) return fresh;
    const history =
      eventId === undefined ? [] : await reader.readStream(`event:${applicationId}:${eventId}`, { partition });
    if (history.length > 0) return undefined;
    throw refusal;
  };

  const repeatOf = async (
    request: IngestRequest,
    eventId: string,
    sha256: string,
    streamId: string,
    partition: number,
  ): Promise<Ingested> => {
    const history = await reader.readStream(streamId, { partition });
    const { state } = fold(eventDecider, history);
    // Throws when the content is not the same; otherwise nothing is left to decide.
    eventDecider.decide(
      {
        type: 'IngestEvent',
        data: { ...contentOf(request, eventId, sha256), organizationId: '', configurationPosition: 0, deliveries: 0 },
        metadata: { now: now() },
      },
      state,
    );
    const first = history[0] as unknown as EventEvent | undefined;
    if (first?.type !== 'EventIngested') throw new Error(`Stream ${streamId} does not begin with EventIngested.`);
    const { receivedAt, deliveries } = first.data;
    return { applicationId: request.applicationId, eventId, receivedAt, isRepeat: true, deliveries };
  };

  return async (request) => {
    const partition = partitionOf(request.applicationId, partitions);
    const payloadSha256 = hash('sha256', request.body, 'hex');
    const matchedSchemas = new Set<number>();
    const receivedAt = now();
    const eventId = request.eventId ?? uuidv7(receivedAt.getTime());
    const streamId = `event:${request.applicationId}:${eventId}`;
    let payload: Write | undefined;
    for (let routing = 0; routing < ROUTINGS_MAX; routing += 1) {
      const routedWith = await acceptedBy(request, matchedSchemas, partition);
      if (!routedWith) return repeatOf(request, eventId, payloadSha256, streamId, partition);
      const { onlySubscriptionId } = request;
      const matched =
        onlySubscriptionId === undefined ? routedWith.routes.match(request) : [{ subscriptionId: onlySubscriptionId }];
      const event: IngestedEvent = {
        ...contentOf(request, eventId, payloadSha256),
        organizationId: routedWith.organizationId,
        receivedAt: receivedAt.toISOString(),
        configurationPosition: routedWith.configurationPosition,
        deliveries: matched.length,
      };
      const { applicationId, organizationId } = event;
      payload ??= await addPayload(
        await vault.bodySealer(organizationId),
        { partition, applicationId, eventId, receivedAt: event.receivedAt },
        request.body,
      );
      const append = appendOf({ request, event, payload, routedWith, matched, streamId, partition, partitions });
      const result = limitsOf.isEnforced
        ? await appendWithin({ log, reader, limitsOf }, append, event, request.eventId !== undefined)
        : await log.append(append);
      switch (result.kind) {
        case 'appended': {
          const { receivedAt: at, deliveries } = event;
          return { applicationId: request.applicationId, eventId, receivedAt: at, isRepeat: false, deliveries };
        }
        case 'version-conflict':
          return repeatOf(request, eventId, payloadSha256, streamId, partition);
        case 'configuration-moved':
          await configuration.freshApplication(request.applicationId);
          break;
        case 'guard-refused':
          throw new DomainError(
            'TooManyEventsToday',
            `The quota of events for today of application ${request.applicationId}, or of its organization, is used up.`,
          );
        default:
          throw new Error(`An ingest was refused as ${result.kind}, which it never asked for.`);
      }
    }
    throw new Error(
      `The configuration of application ${request.applicationId} changed ${ROUTINGS_MAX} times during one ingest.`,
    );
  };
};

/**
 * The same within the quotas. An event that is there already is looked for first: it takes nothing from them, however little is left.
 */
const appendWithin = async (
  { log, reader, limitsOf }: Pick<IngestDeps, 'log' | 'reader' | 'limitsOf'>,
  append: Append,
  event: IngestedEvent,
  mayBeRepeat: boolean,
): Promise<AppendResult> => {
  const { organizationId, applicationId, eventId, receivedAt } = event;
  const [stream] = append.streams;
  const [ofApplication, ofOrganization, version] = await Promise.all([
    limitsOf.application({ organizationId, applicationId }),
    limitsOf.organization(organizationId),
    stream && mayBeRepeat ? reader.streamVersion(stream.streamId, stream.partition) : 0,
  ]);
  if (stream && version > 0) return { kind: 'version-conflict', streamId: stream.streamId, actual: version };
  const guard = takeEvent({
    key: `${eventId} ${randomUUID()}`, // Of two with one event id each gets a verdict of its own.
    organizationId,
    organizationMax: ofOrganization.eventsPerDay,
    applicationId,
    applicationMax: ofApplication.eventsPerDay,
    day: dayOf(receivedAt),
  });
  try {
    const result = await log.append({ ...append, guard });
    if (result.kind !== 'guard-refused' || !stream || !mayBeRepeat) return result;
    // Its twin may have taken what was left.
    const actual = await reader.streamVersion(stream.streamId, stream.partition);
    return actual > 0 ? { kind: 'version-conflict', streamId: stream.streamId, actual } : result;
  } catch (error) {
    // Rolled back, what it took from the quotas with it, because the same event came in meanwhile.
    if (error instanceof GuardUndone && stream)
      return { kind: 'version-conflict', streamId: stream.streamId, actual: 1 };
    throw error;
  }
};

const contentOf = (request: IngestRequest, eventId: string, payloadSha256: string) => ({
  applicationId: request.applicationId,
  eventId,
  eventType: request.eventType,
  payloadContentType: request.contentType,
  payloadSha256,
  payloadBytes: request.body.length,
  labels: request.labels,
  metadata: request.metadata,
  occurredAt: request.occurredAt,
  ip: request.ip,
});

type Recipient = Pick<SubscriptionConfiguration, 'subscriptionId'>;
type Routed = {
  readonly request: IngestRequest;
  readonly event: IngestedEvent;
  readonly payload: Write;
  readonly routedWith: ApplicationConfiguration;
  readonly matched: readonly Recipient[];
  readonly streamId: string;
  readonly partition: number;
  readonly partitions: number;
};

const appendOf = ({
  request,
  event,
  payload,
  routedWith,
  matched,
  streamId,
  partition,
  partitions,
}: Routed): Append => {
  const metadata: DomainEventMetadata = {
    actor: request.actor,
    causationId: request.requestId,
    correlationId: event.eventId,
    ip: request.ip,
  };
  const scheduled = matched.map((subscription) => firstAttempt(event, subscription, partitions, request.body));
  const streams: StreamAppend[] = [
    {
      streamId,
      partition,
      expectedVersion: request.eventId === undefined ? 'new' : 0,
      events: [{ type: 'EventIngested', data: event }],
    },
    ...scheduled.map(({ stream }) => stream),
  ];
  const writes = [payload, ...scheduled.map(({ write }) => write)];
  return {
    streams,
    metadata,
    routedWith: { partition, configurationPosition: routedWith.configurationPosition },
    writes,
  };
};

/** The delivery that a freshly ingested event owes one subscription, with its first attempt due at once. */
const firstAttempt = (
  event: IngestedEvent,
  subscription: Recipient,
  partitions: number,
  body: Buffer,
): { stream: StreamAppend; write: Write } => {
  const { applicationId, organizationId, eventId, eventType, receivedAt } = event;
  const { subscriptionId } = subscription;
  const now = new Date(receivedAt);
  const decided = deliveryDecider.decide(
    {
      type: 'ScheduleDelivery',
      data: {
        deliveryId: deliveryId({ applicationId, eventId, subscriptionId, receivedAt }),
        applicationId,
        organizationId,
        eventId,
        subscriptionId,
        eventType,
        attemptId: uuidv7(now.getTime()),
        trigger: 'ingest',
      },
      metadata: { now },
    },
    deliveryDecider.initialState(),
  );
  const [domainEvent] = [decided].flat() as DeliveryEvent[];
  if (domainEvent?.type !== 'AttemptScheduled') throw new Error(`No attempt was scheduled for event ${eventId}.`);
  const partition = partitionOf(subscriptionId, partitions);
  const pending = pendingOf(domainEvent.data, { partition, streamVersion: 1, event });
  return {
    stream: {
      streamId: `delivery:${pending.deliveryId}`,
      partition,
      // Its id follows from the event's, which the same append proves to be new.
      expectedVersion: 'new',
      events: [{ type: domainEvent.type, data: domainEvent.data, attachment: { pending, body } }],
    },
    write: addPending(pending),
  };
};

/** The row of the work list for an attempt that was scheduled. */
export const pendingOf = (
  scheduled: Scheduled,
  {
    partition,
    streamVersion,
    event,
  }: {
    partition: number;
    streamVersion: number;
    event: Pick<IngestedEvent, 'receivedAt' | 'payloadContentType' | 'configurationPosition'>;
  },
): PendingDelivery => ({
  partition,
  deliveryId: scheduled.deliveryId,
  subscriptionId: scheduled.subscriptionId,
  applicationId: scheduled.applicationId,
  organizationId: scheduled.organizationId,
  eventId: scheduled.eventId,
  eventType: scheduled.eventType,
  contentType: event.payloadContentType,
  attemptId: scheduled.attemptId,
  attemptNumber: scheduled.attemptNumber,
  retryCount: scheduled.retryCount,
  streamVersion,
  receivedAt: event.receivedAt,
  dueAt: scheduled.dueAt,
  configurationPosition: event.configurationPosition,
});
