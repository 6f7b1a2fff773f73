import type { DeliveryEvent } from '../../domain/delivery/events.ts';
import type { LogReader } from '../../eventstore/read.ts';
import { arrayLiteral } from '../../eventstore/statements.ts';
import type { RecordedEvent, RunQuery } from '../../eventstore/types.ts';

/**
 * Positions of a log partition that one row of sums covers: bucket b holds the positions 256 b + 1 to 256 (b + 1). Counting
 * as of a cut reads half of that from the log per partition, and one row per bucket before it.
 */
export const TALLY_POSITIONS = 256;

export const tallyBucketOf = (position: number): number => Math.floor((position - 1) / TALLY_POSITIONS);

/** What is counted of deliveries and request attempts. What is pending follows: all, less those that are over. */
export const TALLIED = [
  'deliveries',
  'succeeded',
  'dead_lettered',
  'cancelled',
  'attempts',
  'attempts_succeeded',
  'attempts_failed',
  'attempts_timed_out',
  'attempts_cancelled',
] as const;
export type Tallied = (typeof TALLIED)[number];

/** Changes of the counts; negative where replays bring deliveries back. */
export type Tally = Record<Tallied, number> & {
  readonly applicationId: string;
  readonly partition: number;
  readonly bucket: number;
};

type Recorded = DeliveryEvent & RecordedEvent;

/** By which type of domain event a delivery was over. */
const OVER: Partial<Record<string, 'succeeded' | 'dead_lettered' | 'cancelled'>> = {
  AttemptSucceeded: 'succeeded',
  DeliveryDeadLettered: 'dead_lettered',
  DeliveryCancelled: 'cancelled',
};

/**
 * The sums of some domain events in position order, per application and bucket; those that are not about deliveries are
 * passed over. A replay does not say what it ends: that is looked up in its stream, since replays are rare.
 */
export const tallyEvents = async (batch: readonly RecordedEvent[], reader: LogReader): Promise<Tally[]> => {
  const events = batch.filter(({ streamId }) => streamId.startsWith('delivery:')) as unknown as readonly Recorded[];
  const before = await typesBefore(events, reader);
  const tallies = new Map<string, Tally>();
  for (const event of events) {
    const { applicationId } = event.data;
    const bucket = tallyBucketOf(event.position);
    const key = `${applicationId}:${event.partition}:${bucket}`;
    let tally = tallies.get(key);
    if (!tally) {
      const zero = Object.fromEntries(TALLIED.map((name) => [name, 0])) as Record<Tallied, number>;
      tally = { ...zero, applicationId, partition: event.partition, bucket };
      tallies.set(key, tally);
    }
    count(tally, event, before.get(event));
  }
  return [...tallies.values()];
};

const count = (tally: Tally, event: Recorded, before: string | undefined): void => {
  switch (event.type) {
    case 'AttemptScheduled': {
      tally.attempts += 1;
      if (event.data.attemptNumber === 1) tally.deliveries += 1;
      const ended = OVER[before ?? ''];
      if (ended) tally[ended] -= 1;
      return;
    }
    case 'AttemptSucceeded':
      tally.attempts_succeeded += 1;
      tally.succeeded += 1;
      return;
    case 'AttemptFailed':
      tally[event.data.reason === 'timeout' ? 'attempts_timed_out' : 'attempts_failed'] += 1;
      return;
    case 'DeliveryDeadLettered':
      tally.dead_lettered += 1;
      return;
    case 'DeliveryCancelled':
      tally.cancelled += 1;
      if (before !== 'AttemptFailed') tally.attempts_cancelled += 1;
      return;
    case 'AttemptRescheduled':
      return;
    default:
      event satisfies never;
  }
};

/** The type of what stands before a replay or a cancellation in its stream, which says what it ends. */
const typesBefore = async (events: readonly Recorded[], reader: LogReader): Promise<ReadonlyMap<Recorded, string>> => {
  const types = new Map<string, string>();
  const wanted: Recorded[] = [];
  const seen = new Set<number>();
  for (const event of events) {
    types.set(nameOf(event.streamId, event.streamVersion), event.type);
    // The failure that a cancellation follows is of the same append: it is in the batch, unless that was cut in between.
    const isCut = event.type === 'DeliveryCancelled' && !seen.has(event.partition);
    seen.add(event.partition);
    if ((isCut || isReplay(event)) && !types.has(nameOf(event.streamId, event.streamVersion - 1))) wanted.push(event);
  }
  if (wanted.length > 0)
    for (const { streamId, streamVersion, type } of await reader.readStreams(wanted))
      types.set(nameOf(streamId, streamVersion), type);
  return new Map(
    events.flatMap((event) => {
      const type = types.get(nameOf(event.streamId, event.streamVersion - 1));
      return type === undefined ? [] : [[event, type] as const];
    }),
  );
};

const nameOf = (streamId: string, version: number): string => `${streamId}@${version}`;

const isReplay = ({ type, data }: Recorded): boolean =>
  type === 'AttemptScheduled' && 'trigger' in data && data.trigger === 'replay' && data.attemptNumber > 1;

const addTo = (table: string): string => `
  INSERT INTO ${table} AS t (application_id, partition_no, bucket, ${TALLIED.join(', ')})
  SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::bigint[], ${TALLIED.map((_, index) => `$${index + 4}::integer[]`).join(', ')})
  ON CONFLICT (application_id, partition_no, bucket) DO UPDATE
  SET ${TALLIED.map((name) => `${name} = t.${name} + excluded.${name}`).join(', ')}`;

/** Adds sums to those that are there: one statement, and about one row per application and log partition of a batch. */
export const addTallies = async (run: RunQuery, table: string, tallies: readonly Tally[]): Promise<void> => {
  if (tallies.length === 0) return;
  await run(addTo(table), [
    arrayLiteral(tallies.map(({ applicationId }) => applicationId)),
    arrayLiteral(tallies.map(({ partition }) => partition)),
    arrayLiteral(tallies.map(({ bucket }) => bucket)),
    ...TALLIED.map((name) => arrayLiteral(tallies.map((tally) => tally[name]))),
  ]);
};
