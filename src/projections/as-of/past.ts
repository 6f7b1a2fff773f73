import type { LogReader } from '../../eventstore/read.ts';
import type { RecordedEvent } from '../../eventstore/types.ts';
import type { Queryable } from '../page.ts';
import { type Cut, positionIn } from './cut.ts';

/** What a query as of a cut needs: read models for what has not changed since, the log for what has. */
export type Past = { readonly db: Queryable; readonly reader: LogReader; readonly cut: Cut };

/** Streams read at once: some hundred milliseconds of work at most. */
const STREAMS_MAX = 500;

/** What of some domain events belongs to a cut; all of it without one. */
export const upTo = (events: readonly RecordedEvent[], cut: Cut | undefined): readonly RecordedEvent[] =>
  cut ? events.filter(({ partition, position }) => position <= positionIn(cut, partition)) : events;

/** Streams as they were at a cut, by their ids; those that had not begun are missing. */
export const readStreamsAsOf = async (
  reader: LogReader,
  streams: readonly { readonly partition: number; readonly streamId: string }[],
  cut: Cut,
): Promise<Map<string, RecordedEvent[]>> => {
  const found = new Map<string, RecordedEvent[]>();
  for (let at = 0; at < streams.length; at += STREAMS_MAX) {
    const chunk = streams.slice(at, at + STREAMS_MAX);
    const bounded = chunk.map((stream) => ({ ...stream, upTo: positionIn(cut, stream.partition) }));
    for (const event of await reader.readStreams(bounded)) {
      const stream = found.get(event.streamId);
      if (stream) stream.push(event);
      else found.set(event.streamId, [event]);
    }
  }
  return found;
};
