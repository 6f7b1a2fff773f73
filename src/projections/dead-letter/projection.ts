import type { DeliveryEvent } from '../../domain/delivery/events.ts';
import type { LogReader } from '../../eventstore/read.ts';
import { arrayLiteral } from '../../eventstore/statements.ts';
import type { RecordedEvent } from '../../eventstore/types.ts';
import { textLines } from '../columns.ts';
import type { Projection } from '../projection.ts';
import { readerOn } from '../reader.ts';

const CAN_HANDLE: readonly DeliveryEvent['type'][] = ['AttemptScheduled', 'DeliveryDeadLettered'];

type Recorded = DeliveryEvent & RecordedEvent;
type DeadLettered = Recorded & { type: 'DeliveryDeadLettered' };
type Replayed = Recorded & { type: 'AttemptScheduled' };

/** What the streams of dead letters say besides: known before the dead letter, so that the row depends on the log alone. */
type Story = { readonly eventType: string; readonly failure: string | null; readonly httpStatus: number | null };

/** One spell among the dead letters; `left` when the batch has its end, too. */
type Spell = { readonly dead: DeadLettered; left: Replayed | undefined };
type Batch = {
  readonly spells: readonly Spell[];
  /** Ends of spells that began in an earlier batch. */
  readonly ends: readonly Replayed[];
};

const end = (table: string): string => `
  UPDATE ${table} AS d SET left_position = r.position, left_at = r.left_at
  FROM unnest($1::smallint[], $2::uuid[], $3::uuid[], $4::bigint[], $5::timestamptz[])
    AS r (partition_no, application_id, delivery_id, position, left_at)
  WHERE d.application_id = r.application_id AND d.delivery_id = r.delivery_id AND d.partition_no = r.partition_no
    AND d.left_position IS NULL`;

const insertInto = (table: string): string => `
  INSERT INTO ${table}
    (position, left_position, dead_lettered_at, left_at, attempts, last_http_status, partition_no, application_id,
     organization_id, subscription_id, event_id, delivery_id, event_type, reason, last_failure)
  SELECT position, left_position, dead_lettered_at, left_at, attempts, last_http_status, partition_no, application_id,
         organization_id, subscription_id, event_id, delivery_id, event_type, reason, NULLIF(last_failure, '')
  FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::integer[], $6::smallint[], $7::smallint[],
    $8::uuid[], $9::uuid[], $10::uuid[], $11::uuid[], $12::uuid[],
    string_to_array($13, E'\\n'), string_to_array($14, E'\\n'), string_to_array($15, E'\\n'))
    AS d (position, left_position, dead_lettered_at, left_at, attempts, last_http_status, partition_no, application_id,
          organization_id, subscription_id, event_id, delivery_id, event_type, reason, last_failure)`;

/** Spells of deliveries that were given up, from then until a replay. */
export const deadLetterProjection: Projection = {
  name: 'dead_letter',
  version: 2,
  tables: ['dead_letter'],
  canHandle: CAN_HANDLE,
  mode: 'async',
  apply: async (batch, { run, table }) => {
    const { spells, ends } = foldSpells(batch as readonly Recorded[]);
    if (ends.length > 0) await run(end(table('dead_letter')), endParameters(ends));
    if (spells.length === 0) return;
    const stories = await storiesOf(
      spells.map(({ dead }) => dead),
      readerOn(run),
    );
    await run(insertInto(table('dead_letter')), rowParameters(spells, stories));
  },
};

/** In order, so that a delivery which comes and goes in one batch leaves each of its spells. */
const foldSpells = (batch: readonly Recorded[]): Batch => {
  const spells: Spell[] = [];
  const ends: Replayed[] = [];
  const open = new Map<string, Spell>();
  for (const event of batch) {
    const { deliveryId } = event.data;
    if (isDeadLettered(event)) {
      const spell = { dead: event, left: undefined };
      spells.push(spell);
      open.set(deliveryId, spell);
    } else if (isReplayed(event)) {
      const spell = open.get(deliveryId);
      if (spell) spell.left = event;
      else if (!ends.some((other) => other.data.deliveryId === deliveryId)) ends.push(event);
      open.delete(deliveryId);
    }
  }
  return { spells, ends };
};

const isDeadLettered = (event: Recorded): event is DeadLettered => event.type === 'DeliveryDeadLettered';
/** A first attempt ends nothing: an event may be replayed to whom it never met. */
const isReplayed = (event: Recorded): event is Replayed =>
  event.type === 'AttemptScheduled' && event.data.trigger === 'replay' && event.data.attemptNumber > 1;

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

const endParameters = (events: readonly Replayed[]): unknown[] => [
  arrayLiteral(events.map(({ partition }) => partition)),
  arrayLiteral(events.map(({ data }) => data.applicationId)),
  arrayLiteral(events.map(({ data }) => data.deliveryId)),
  arrayLiteral(events.map(({ position }) => position)),
  arrayLiteral(events.map(({ data }) => data.scheduledAt)),
];

const rowParameters = (spells: readonly Spell[], stories: readonly Story[]): unknown[] => [
  arrayLiteral(spells.map(({ dead }) => dead.position)),
  arrayLiteral(spells.map(({ left }) => left?.position ?? null)),
  arrayLiteral(spells.map(({ dead }) => dead.data.deadLetteredAt)),
  arrayLiteral(spells.map(({ left }) => left?.data.scheduledAt ?? null)),
  arrayLiteral(spells.map(({ dead }) => dead.data.attempts)),
  arrayLiteral(stories.map(({ httpStatus }) => httpStatus)),
  arrayLiteral(spells.map(({ dead }) => dead.partition)),
  arrayLiteral(spells.map(({ dead }) => dead.data.applicationId)),
  arrayLiteral(spells.map(({ dead }) => dead.data.organizationId)),
  arrayLiteral(spells.map(({ dead }) => dead.data.subscriptionId)),
  arrayLiteral(spells.map(({ dead }) => dead.data.eventId)),
  arrayLiteral(spells.map(({ dead }) => dead.data.deliveryId)),
  textLines(stories.map(({ eventType }) => eventType)),
  textLines(spells.map(({ dead }) => dead.data.reason)),
  textLines(stories.map(({ failure }) => failure)),
];
