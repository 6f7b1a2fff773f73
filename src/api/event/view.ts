import { z } from 'zod';
import type { EventEvent, IngestedEvent } from '../../domain/event/events.ts';
import { notFound } from '../../domain/refusals.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import type { Cut } from '../../projections/as-of/cut.ts';
import { upTo } from '../../projections/as-of/past.ts';
import type { EventRecord } from '../../projections/event/queries.ts';
import type { ApiDeps } from '../deps.ts';

const Entries = z.record(z.string(), z.string());

export const Event = z.object({
  application_id: z.string(),
  event_id: z.string(),
  event_type_name: z.string(),
  payload_content_type: z.string(),
  payload_bytes: z.int(),
  payload_sha256: z.string().describe('Of the exact bytes received, hex.'),
  ip: z.string().nullable().describe('Where the request that brought it came from.'),
  metadata: Entries,
  labels: Entries,
  occurred_at: z.string().describe('As the producer said, else when it was received.'),
  received_at: z.string(),
  deliveries: z.int().describe('How many subscriptions it matched when it was ingested.'),
});

export const EventWithPayload = Event.extend({
  payload: z.string().nullable().describe('Base64 of the exact bytes; null when they are no longer kept.'),
});

type Shown = Omit<EventRecord, 'occurredAt' | 'receivedAt' | 'position' | 'organizationId'>;

const toEvent = (event: Shown, receivedAt: string, occurredAt: string | null): z.output<typeof Event> => ({
  application_id: event.applicationId,
  event_id: event.eventId,
  event_type_name: event.eventType,
  payload_content_type: event.payloadContentType,
  payload_bytes: event.payloadBytes,
  payload_sha256: event.payloadSha256,
  ip: event.ip,
  metadata: event.metadata,
  labels: event.labels,
  occurred_at: occurredAt ?? receivedAt,
  received_at: receivedAt,
  deliveries: event.deliveries,
});

export const viewRecord = (event: EventRecord): z.output<typeof Event> =>
  toEvent(event, event.receivedAt.toISOString(), event.occurredAt?.toISOString() ?? null);

export const viewIngested = (event: IngestedEvent): z.output<typeof Event> =>
  toEvent(event, event.receivedAt, event.occurredAt);

/**
 * An event from its stream of the log, which has it the moment it is accepted; with a cut, if it had been accepted by then.
 * Throws NotFound.
 */
export const readEvent = async (
  { reader, partitions }: Pick<ApiDeps, 'reader' | 'partitions'>,
  applicationId: string,
  eventId: string,
  cut?: Cut,
): Promise<IngestedEvent> => {
  const partition = partitionOf(applicationId, partitions);
  const stream = await reader.readStream(`event:${applicationId}:${eventId}`, { partition, limit: 1 });
  const [first] = upTo(stream, cut) as unknown as EventEvent[];
  if (first?.type !== 'EventIngested') throw notFound('event', eventId);
  return first.data;
};

type EventKey = { readonly applicationId: string; readonly eventId: string };

/** Many events from their streams in one statement, by `<application id>:<event id>`; unknown ones are missing. */
export const readIngested = async (
  { reader, partitions }: Pick<ApiDeps, 'reader' | 'partitions'>,
  keys: readonly EventKey[],
): Promise<Map<string, { readonly event: IngestedEvent; readonly position: number }>> => {
  const recorded = await reader.readStreams(
    keys.map(({ applicationId, eventId }) => ({
      streamId: `event:${applicationId}:${eventId}`,
      partition: partitionOf(applicationId, partitions),
    })),
  );
  return new Map(
    recorded.flatMap((at) => {
      const { type, data } = at as unknown as EventEvent;
      return type === 'EventIngested'
        ? [[`${data.applicationId}:${data.eventId}`, { event: data, position: at.position }] as const]
        : [];
    }),
  );
};

/** The same, as lists have them. */
export const readEvents = async (
  deps: Pick<ApiDeps, 'reader' | 'partitions'>,
  keys: readonly EventKey[],
): Promise<Map<string, EventRecord>> =>
  new Map([...(await readIngested(deps, keys))].map(([key, { event, position }]) => [key, recordOf(event, position)]));

const recordOf = (event: IngestedEvent, position: number): EventRecord => ({
  ...event,
  occurredAt: event.occurredAt === null ? null : new Date(event.occurredAt),
  receivedAt: new Date(event.receivedAt),
  position,
});
