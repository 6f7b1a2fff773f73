import type { Decider } from '@event-driven-io/emmett';
import type { RetentionCommand, RetentionEvent } from './events.ts';

/** Nothing is decided by what was cleaned before. */
type Retention = Readonly<Record<string, never>>;

const decide = ({ data, metadata }: RetentionCommand): RetentionEvent[] => {
  const { payload, response } = data.droppedDays;
  const isNothing = payload.length + response.length === 0 && Object.values(data.counts).every((count) => count === 0);
  return isNothing ? [] : [{ type: 'RetentionApplied', data: { ...data, appliedAt: metadata.now.toISOString() } }];
};

export const retentionDecider: Decider<Retention, RetentionCommand, RetentionEvent> = {
  decide,
  evolve: (state) => state,
  initialState: () => ({}),
};
