import type { RecordedEvent } from '../../eventstore/types.ts';
import { HISTORY_MAX } from '../../history/queries.ts';
import { Problem } from '../problems.ts';
import type { Reads, StreamKey } from './reads.ts';

/** Domain events of all the streams that are read together; the history of one object has {@link HISTORY_MAX} at most. */
const EVENTS_MAX = 2 * HISTORY_MAX;
/** Versions of a stream are 32-bit integers. */
export const WHOLE = 2 ** 31 - 1;

/**
 * Streams from their beginnings, by id, in one statement. Throws GraphqlLimit when they are more than anybody would look at:
 * a part of them would be taken for all.
 */
export const readHistories = async (
  reads: Pick<Reads, 'streams'>,
  keys: readonly StreamKey[],
  toVersion: number,
): Promise<Map<string, RecordedEvent[]>> => {
  if (keys.length === 0) return new Map();
  const found = await reads.streams(keys, { toVersion, limit: EVENTS_MAX + 1 });
  if (found.length > EVENTS_MAX)
    throw new Problem(
      'GraphqlLimit',
      `What this query asks of histories takes more than ${EVENTS_MAX} domain events; ask for fewer objects.`,
    );
  return Map.groupBy(found, ({ streamId }) => streamId);
};
