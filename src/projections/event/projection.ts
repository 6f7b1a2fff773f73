import type { EventEvent, IngestedEvent } from '../../domain/event/events.ts';
import { arrayLiteral } from '../../eventstore/statements.ts';
import type { RecordedEvent } from '../../eventstore/types.ts';
import { foreignInstant, recordLines, textLines } from '../columns.ts';
import type { Projection } from '../projection.ts';

const CAN_HANDLE: readonly EventEvent['type'][] = ['EventIngested'];

/** An application lives in one log partition, so its events are numbered in the order in which they come. */
const insertInto = (table: string): string => `
  WITH known AS MATERIALIZED (
    SELECT a.application_id AS id,
           coalesce((SELECT k.ordinal FROM ${table} AS k WHERE k.application_id = a.application_id
                     ORDER BY k.position DESC LIMIT 1), 0) AS ordinal
    FROM unnest($18::uuid[]) AS a (application_id))
  INSERT INTO ${table}
    (position, configuration_position, received_at, occurred_at, payload_bytes, deliveries, partition_no,
     application_id, organization_id, event_id, event_type, content_type, payload_sha256, labels, metadata, ip, ordinal)
  SELECT position, configuration_position, received_at, occurred_at, payload_bytes, deliveries, partition_no,
         application_id, organization_id, event_id, event_type, content_type, decode(payload_sha256, 'hex'),
         labels::json, metadata::json, NULLIF(ip, ''), known.ordinal + nth
  FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::integer[], $6::integer[], $7::smallint[],
    $8::uuid[], $9::uuid[], $10::uuid[], string_to_array($11, E'\\n'), string_to_array($12, E'\\n'),
    string_to_array($13, E'\\n'), string_to_array($14, E'\\n'), string_to_array($15, E'\\n'), string_to_array($16, E'\\n'),
    $17::integer[])
    AS e (position, configuration_position, received_at, occurred_at, payload_bytes, deliveries, partition_no,
          application_id, organization_id, event_id, event_type, content_type, payload_sha256, labels, metadata, ip, nth)
    JOIN known ON known.id = e.application_id`;

/** Events as they were ingested. Replays are in the event's stream and in its deliveries. */
export const eventProjection: Projection = {
  name: 'event',
  version: 2,
  tables: ['event'],
  canHandle: CAN_HANDLE,
  mode: 'async',
  apply: async (batch, { run, table }) => {
    const rows = batch.filter(({ type }) => type === 'EventIngested') as unknown as RecordedEvent<IngestedEvent>[];
    if (rows.length === 0) return;
    const seen = new Map<string, number>();
    const nth = rows.map(({ data: { applicationId } }) => {
      const number = (seen.get(applicationId) ?? 0) + 1;
      seen.set(applicationId, number);
      return number;
    });
    await run(insertInto(table('event')), [
      arrayLiteral(rows.map(({ position }) => position)),
      arrayLiteral(rows.map(({ data }) => data.configurationPosition)),
      arrayLiteral(rows.map(({ data }) => data.receivedAt)),
      arrayLiteral(rows.map(({ data }) => foreignInstant(data.occurredAt))),
      arrayLiteral(rows.map(({ data }) => data.payloadBytes)),
      arrayLiteral(rows.map(({ data }) => data.deliveries)),
      arrayLiteral(rows.map(({ partition }) => partition)),
      arrayLiteral(rows.map(({ data }) => data.applicationId)),
      arrayLiteral(rows.map(({ data }) => data.organizationId)),
      arrayLiteral(rows.map(({ data }) => data.eventId)),
      textLines(rows.map(({ data }) => data.eventType)),
      textLines(rows.map(({ data }) => data.payloadContentType)),
      textLines(rows.map(({ data }) => data.payloadSha256)),
      recordLines(rows.map(({ data }) => data.labels)),
      recordLines(rows.map(({ data }) => data.metadata)),
      textLines(rows.map(({ data }) => data.ip)),
      arrayLiteral(nth),
      arrayLiteral([...seen.keys()]),
    ]);
  },
};
