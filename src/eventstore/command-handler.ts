import type { Command, Decider, Event } from '@event-driven-io/emmett';
import type { DomainEventMetadata } from '../domain/metadata.ts';
import type { GroupCommit } from './group-commit.ts';
import type { LogReader } from './read.ts';
import type { Append, AppendResult, RecordedEvent } from './types.ts';

const TRIES_MAX = 20;

/** Too many others changed the same stream at the same time. */
export class TooContended extends Error {
  constructor(streamId: string) {
    super(`Stream ${streamId} changed ${TRIES_MAX} times while a command on it was decided; try again.`);
    this.name = 'TooContended';
  }
}

export type Handled<State> = {
  /** The state after the command. */
  readonly state: State;
  /** What was appended; nothing when the command stayed quiet. */
  readonly events: readonly RecordedEvent[];
};

/** What goes along with the domain events of a command: see {@link Append}. */
export type Along = Pick<Append, 'guard' | 'writes' | 'movesConfiguration' | 'project' | 'routedWith'>;

/**
 * Reads a stream, decides, and appends what was decided; begins anew when somebody else was quicker. Rejects with the
 * decider's DomainError, or StoreUnavailable.
 */
export const createCommandHandler =
  ({ log, reader }: { log: GroupCommit; reader: LogReader }) =>
  async <State, C extends Command, E extends Event>(
    decider: Decider<State, C, E>,
    target: { streamId: string; partition: number },
    command: C | ((state: State) => C),
    metadata: DomainEventMetadata,
    along: (events: readonly E[], state: State) => Along | Promise<Along> = () => ({}),
  ): Promise<Handled<State>> => {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const history = await reader.readStream(target.streamId, { partition: target.partition });
      const state = history.reduce(
        (folded, event) => decider.evolve(folded, event as unknown as E),
        decider.initialState(),
      );
      const decided = [decider.decide(typeof command === 'function' ? command(state) : command, state)].flat() as E[];
      if (decided.length === 0) return { state, events: [] };
      const append: Append = {
        ...(await along(decided, state)),
        streams: [{ ...target, expectedVersion: history.at(-1)?.streamVersion ?? 0, events: decided }],
        metadata,
      };
      const result: AppendResult = await log.append(append);
      if (result.kind === 'appended')
        return {
          state: decided.reduce((folded, event) => decider.evolve(folded, event), state),
          events: result.events,
        };
    }
    throw new TooContended(target.streamId);
  };

export type HandleCommand = ReturnType<typeof createCommandHandler>;
