import type { Command, Decider, Event } from '@event-driven-io/emmett';
import type { DomainEventMetadata } from '../domain/metadata.ts';
import { GuardUndone } from './flush.ts';
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
    /** `version` is what the stream has before `events`; called anew at each try, so what it checks is checked again. */
    along: (events: readonly E[], state: State, version: number) => Along | Promise<Along> = () => ({}),
  ): Promise<Handled<State>> => {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const history = await reader.readStream(target.streamId, { partition: target.partition });
      const state = history.reduce(
        (folded, event) => decider.evolve(folded, event as unknown as E),
        decider.initialState(),
      );
      const decided = [decider.decide(typeof command === 'function' ? command(state) : command, state)].flat() as E[];
      if (decided.length === 0) return { state, events: [] };
      const version = history.at(-1)?.streamVersion ?? 0;
      const append: Append = {
        ...(await along(decided, state, version)),
        streams: [{ ...target, expectedVersion: version, events: decided }],
        metadata,
      };
      const result = await unlessUndone(log.append(append));
      if (result?.kind === 'appended')
        return {
          state: decided.reduce((folded, event) => decider.evolve(folded, event), state),
          events: result.events,
        };
    }
    throw new TooContended(target.streamId);
  };

/** Undefined for an append that was rolled back because its guard was met and something else refused it. */
const unlessUndone = async (appending: Promise<AppendResult>): Promise<AppendResult | undefined> => {
  try {
    return await appending;
  } catch (error) {
    if (error instanceof GuardUndone) return undefined;
    throw error;
  }
};

export type HandleCommand = ReturnType<typeof createCommandHandler>;
