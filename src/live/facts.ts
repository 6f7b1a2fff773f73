import type { Pool } from 'pg';
import type { DeliveryEvent } from '../domain/delivery/events.ts';
import { arrayLiteral } from '../eventstore/statements.ts';
import type { RecordedEvent } from '../eventstore/types.ts';
import { type DeliveryFacts, type FactsOf, isAboutDelivery } from './items.ts';

/** Deliveries whose facts are kept, some 150 B each: those under way come again within minutes. */
const KEPT_MAX = 20_000;

/** Read from the first domain event of each delivery and its last scheduled attempt up to here. */
const FIND_FACTS = `
  SELECT w.delivery_id, first.data ->> 'eventType' AS event_type, last.data ->> 'attemptId' AS attempt_id,
         (last.data ->> 'attemptNumber')::int AS attempt_number
  FROM unnest($1::smallint[], $2::bigint[], string_to_array($3, E'\\n')) AS w (partition_no, position, delivery_id)
  CROSS JOIN LATERAL (
    SELECT e.data FROM domain_event AS e
    WHERE e.partition_no = w.partition_no AND e.stream_id = 'delivery:' || w.delivery_id AND e.stream_version = 1) AS first
  CROSS JOIN LATERAL (
    SELECT e.data FROM domain_event AS e
    WHERE e.partition_no = w.partition_no AND e.stream_id = 'delivery:' || w.delivery_id
      AND e.type = 'AttemptScheduled' AND e.position <= w.position
    ORDER BY e.stream_version DESC LIMIT 1) AS last`;

type Row = { delivery_id: string; event_type: string; attempt_id: string; attempt_number: number };

/**
 * What is known of deliveries whose domain events pass by. Most of it has passed by before; the rest is read from the log,
 * once per batch.
 */
export const createFacts = ({ pool }: { pool: Pool }) => {
  const kept = new Map<string, DeliveryFacts>();

  const keep = (deliveryId: string, facts: DeliveryFacts): void => {
    kept.delete(deliveryId); // The newest last, so that the oldest goes first.
    kept.set(deliveryId, facts);
    if (kept.size > KEPT_MAX) for (const oldest of kept.keys()) if (kept.delete(oldest)) break;
  };

  /** Takes over what a domain event says. */
  const learn = (event: RecordedEvent): void => {
    if (event.type !== 'AttemptScheduled') return;
    const { deliveryId, eventType, attemptId, attemptNumber } = (
      event as unknown as Extract<DeliveryEvent, { type: 'AttemptScheduled' }>
    ).data;
    keep(deliveryId, { eventType, lastAttemptId: attemptId, attempts: attemptNumber });
  };

  /** Makes sure that the deliveries of a batch are known when its domain events are looked at one after the other. */
  const prepare = async (events: readonly RecordedEvent[]): Promise<void> => {
    const unknown = new Map<string, { partition: number; position: number }>();
    const told = new Set<string>();
    for (const event of events) {
      if (!isAboutDelivery(event)) continue;
      const deliveryId = event.streamId.slice('delivery:'.length);
      if (event.type === 'AttemptScheduled') told.add(deliveryId);
      else if (!kept.has(deliveryId) && !told.has(deliveryId)) unknown.set(deliveryId, event);
    }
    if (unknown.size === 0) return;
    const wanted = [...unknown.values()];
    const { rows } = await pool.query<Row>({
      name: 'find_delivery_facts',
      text: FIND_FACTS,
      values: [
        arrayLiteral(wanted.map(({ partition }) => partition)),
        arrayLiteral(wanted.map(({ position }) => position)),
        [...unknown.keys()].join('\n'),
      ],
    });
    for (const row of rows)
      keep(row.delivery_id, { eventType: row.event_type, lastAttemptId: row.attempt_id, attempts: row.attempt_number });
  };

  const factsOf: FactsOf = (deliveryId) => kept.get(deliveryId);
  return { learn, prepare, factsOf };
};

export type Facts = ReturnType<typeof createFacts>;
