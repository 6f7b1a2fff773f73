import type { DeliveryEvent } from '../../domain/delivery/events.ts';
import { createLogReader, type LogReader } from '../../eventstore/read.ts';
import { arrayLiteral } from '../../eventstore/statements.ts';
import type { RecordedEvent } from '../../eventstore/types.ts';
import { textLines } from '../columns.ts';
import type { Projection } from '../projection.ts';

const CAN_HANDLE: readonly DeliveryEvent['type'][] = ['AttemptScheduled', 'DeliveryDeadLettered'];

type Recorded = DeliveryEvent & RecordedEvent;
type DeadLettered = Recorded & { type: 'DeliveryDeadLettered' };

/** What the streams of dead letters say besides: known before the dead letter, so that the row depends on the log alone. */
type Story = { readonly eventType: string; readonly failure: string | null; readonly httpStatus: number | null };

const remove = (table: string): string => `
  DELETE FROM ${table} AS d
  USING unnest($1::smallint[], $2::uuid[], $3::uuid[]) AS r (partition_no, application_id, delivery_id)
  WHERE d.application_id = r.application_id AND d.delivery_id = r.delivery_id AND d.partition_no = r.partition_no`;

const insertInto = (table: string): string => `
  INSERT INTO ${table}
    (dead_lettered_at, attempts, last_http_status, partition_no, application_id, organization_id, subscription_id, event_id,
     delivery_id, event_type, reason, last_failure)
  SELECT dead_lettered_at, attempts, last_http_status, partition_no, application_id, organization_id, subscription_id, event_id,
         delivery_id, event_type, reason, NULLIF(last_failure, '')
  FROM unnest($1::timestamptz[], $2::integer[], $3::smallint[], $4::smallint[], $5::uuid[], $6::uuid[], $7::uuid[], $8::uuid[],
    $9::uuid[], string_to_array($10, E'\\n'), string_to_array($11, E'\\n'), string_to_array($12, E'\\n'))
    AS d (dead_lettered_at, attempts, last_http_status, partition_no, application_id, organization_id, subscription_id, event_id,
          delivery_id, event_type, reason, last_failure)`;

/** Deliveries that were given up and not replayed since. */
export const deadLetterProjection: Projection = {
  name: 'dead_letter',
  version: 1,
  tables: ['dead_letter'],
  canHandle: CAN_HANDLE,
  mode: 'async',
  apply: async (batch, { run, table }) => {
    const dead = new Map<string, DeadLettered>();
    const replayed = new Map<string, Recorded>();
    for (const event of batch as readonly Recorded[]) {
      if (event.type === 'DeliveryDeadLettered') dead.set(event.data.deliveryId, event as DeadLettered);
      else if (event.type === 'AttemptScheduled' && event.data.trigger === 'replay') {
        dead.delete(event.data.deliveryId);
        replayed.set(event.data.deliveryId, event);
      }
    }
    if (replayed.size > 0) await run(remove(table('dead_letter')), keys([...replayed.values()]));
    if (dead.size === 0) return;
    const db = { query: ({ text, values }: { text: string; values: unknown[] }) => run(text, values) };
    const reader = createLogReader({ db: db as unknown as Parameters<typeof createLogReader>[0]['db'], partitions: 0 });
    const rows = [...dead.values()];
    await run(insertInto(table('dead_letter')), rowParameters(rows, await storiesOf(rows, reader)));
  },
};

/** Dead letters are rare: their streams are read, instead of a copy kept for each delivery that might become one. */
const storiesOf = async (dead: readonly DeadLettered[], reader: LogReader): Promise<Story[]> => {
  const streams = new Map<string, RecordedEvent[]>();
  for (const event of await reader.readStreams(dead)) {
    const stream = streams.get(event.streamId);
    if (stream) stream.push(event);
    else streams.set(event.streamId, [event]);
  }
  return dead.map(({ streamId, streamVersion }) => {
    const before = (streams.get(streamId) ?? []).filter((event) => event.streamVersion < streamVersion) as Recorded[];
    const first = before.find((event) => event.type === 'AttemptScheduled');
    const last = before.at(-1);
    if (first?.type !== 'AttemptScheduled')
      throw new TypeError(`Stream ${streamId} has a dead letter and no attempt before it.`);
    const failed = last?.type === 'AttemptFailed' ? last.data : undefined;
    return { eventType: first.data.eventType, failure: failed?.reason ?? null, httpStatus: failed?.httpStatus ?? null };
  });
};

const keys = (events: readonly Recorded[]): unknown[] => [
  arrayLiteral(events.map(({ partition }) => partition)),
  arrayLiteral(events.map(({ data }) => data.applicationId)),
  arrayLiteral(events.map(({ data }) => data.deliveryId)),
];

const rowParameters = (dead: readonly DeadLettered[], stories: readonly Story[]): unknown[] => [
  arrayLiteral(dead.map(({ data }) => data.deadLetteredAt)),
  arrayLiteral(dead.map(({ data }) => data.attempts)),
  arrayLiteral(stories.map(({ httpStatus }) => httpStatus)),
  arrayLiteral(dead.map(({ partition }) => partition)),
  arrayLiteral(dead.map(({ data }) => data.applicationId)),
  arrayLiteral(dead.map(({ data }) => data.organizationId)),
  arrayLiteral(dead.map(({ data }) => data.subscriptionId)),
  arrayLiteral(dead.map(({ data }) => data.eventId)),
  arrayLiteral(dead.map(({ data }) => data.deliveryId)),
  textLines(stories.map(({ eventType }) => eventType)),
  textLines(dead.map(({ data }) => data.reason)),
  textLines(stories.map(({ failure }) => failure)),
];
