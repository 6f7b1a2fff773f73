import type { DeliveryEvent } from '../domain/delivery/events.ts';
import type { LogReader } from '../eventstore/read.ts';
import type { RecordedEvent } from '../eventstore/types.ts';
import { type DeliveryHistory, foldDelivery } from '../projections/delivery/fold.ts';
import { listDeliveries } from '../projections/delivery/queries.ts';
import type { Queryable } from '../projections/page.ts';
import type { RequestAttemptRecord } from '../projections/request-attempt/queries.ts';

/** Who asked for something, why and from where, and the place of the domain event that says so. */
export type Cause = {
  readonly partition: number;
  readonly position: number;
  readonly at: Date;
  readonly actor: string;
  readonly causationId: string;
  readonly correlationId: string;
  readonly ip: string | null;
};
export type CausedAttempt = {
  readonly attempt: RequestAttemptRecord;
  readonly trigger: 'ingest' | 'retry' | 'replay';
  readonly cause: Cause;
};
export type CausedDelivery = {
  readonly delivery: DeliveryHistory['delivery'];
  /** What began it: its first attempt, which may be too old to be among those shown. */
  readonly begun: Pick<CausedAttempt, 'trigger' | 'cause'> & { readonly attemptId: string };
  /** Oldest first. */
  readonly attempts: readonly CausedAttempt[];
};

/** Deliveries of an event, and attempts of each of them, that one tree shows at most; the newest of both. */
export const DELIVERIES_SHOWN_MAX = 50;
export const ATTEMPTS_SHOWN_MAX = 100;

export const causeOf = ({ metadata, recordedAtMs, partition, position }: RecordedEvent): Cause => ({
  partition,
  position,
  at: new Date(recordedAtMs),
  actor: metadata.actor,
  causationId: metadata.causationId,
  correlationId: metadata.correlationId,
  ip: metadata.ip ?? null,
});

/** What came of an event: its deliveries and what led to each of their attempts. */
export const findCausedDeliveries = async (
  { db, reader }: { readonly db: Queryable; readonly reader: LogReader },
  event: { readonly applicationId: string; readonly eventId: string; readonly receivedAt: Date },
): Promise<{ readonly deliveries: readonly CausedDelivery[]; readonly hasMore: boolean }> => {
  const { rows, nextCursor } = await listDeliveries(db, event.applicationId, { event, limit: DELIVERIES_SHOWN_MAX });
  const streams = Map.groupBy(
    await reader.readStreams(
      rows.map(({ partition, deliveryId }) => ({ partition, streamId: `delivery:${deliveryId}` })),
    ),
    ({ streamId }) => streamId,
  );
  const deliveries = [...streams.values()].flatMap((stream) => describeDelivery(stream) ?? []);
  return { deliveries, hasMore: nextCursor !== null };
};

/** Undefined for a stream that is not a delivery's; pure. */
export const describeDelivery = (stream: readonly RecordedEvent[]): CausedDelivery | undefined => {
  const history = foldDelivery(stream);
  const firstId = history?.attempts[0]?.requestAttemptId;
  if (!history || firstId === undefined) return undefined;
  const scheduled = new Map<string, { readonly trigger: CausedAttempt['trigger']; readonly cause: Cause }>();
  for (const event of stream) {
    const { type, data } = event as unknown as DeliveryEvent;
    if (type === 'AttemptScheduled') scheduled.set(data.attemptId, { trigger: data.trigger, cause: causeOf(event) });
  }
  const attempts = history.attempts.flatMap((attempt) => {
    const why = scheduled.get(attempt.requestAttemptId);
    return why ? [{ attempt, ...why }] : [];
  });
  const first = scheduled.get(firstId);
  return (
    first && {
      delivery: history.delivery,
      begun: { ...first, attemptId: firstId },
      attempts: attempts.slice(-ATTEMPTS_SHOWN_MAX),
    }
  );
};
