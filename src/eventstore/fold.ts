import type { Command, Decider, Event } from '@event-driven-io/emmett';
import type { RecordedEvent } from './types.ts';

/** A stream as its decider sees it, and the version it has; 0 when nothing was appended to it yet. */
export type Folded<State> = { readonly state: State; readonly version: number };

/** `history` is all of one stream, in order. That it holds what the decider knows follows from the stream's name, not from a type. */
export const fold = <State, C extends Command, E extends Event>(
  { evolve, initialState }: Decider<State, C, E>,
  history: readonly RecordedEvent[] = [],
): Folded<State> => ({
  state: (history as unknown as readonly E[]).reduce((state, event) => evolve(state, event), initialState()),
  version: history.at(-1)?.streamVersion ?? 0,
});
