import { setTimeout as delay } from 'node:timers/promises';
import type { Command, Decider, Event } from '@event-driven-io/emmett';
import type { DomainEventMetadata } from '../domain/metadata.ts';
import { GuardUndone } from './flush.ts';
import { fold } from './fold.ts';
import type { GroupCommit } from './group-commit.ts';
import type { LogReader } from './read.ts';
import { createTurns, TooContended, type Turns } from './turns.ts';
import type { Append, AppendResult, RecordedEvent, StreamAppend } from './types.ts';

/**
 * Within a process commands on one stream take turns, so that each lost try was won by another process: with eight of them that never
 * pause, one command in a million loses all of these.
 */
const TRIES_MAX = 100;
/** Between two tries, at random up to this, and less after the first ones: who lost together does not try together. */
const PAUSE_MS_MAX = 50;

const pause = (tries: number): Promise<void> => delay(Math.random() * Math.min(PAUSE_MS_MAX, 2 ** tries));

export type Handled<State> = {
  /** The state after the command. */
  readonly state: State;
  /** What was appended; nothing when the command stayed quiet. */
  readonly events: readonly RecordedEvent[];
};

/** What goes along with the domain events of a command: see {@link Append}. */
export type Along = Pick<Append, 'guard' | 'writes' | 'movesConfiguration' | 'project' | 'routedWith'> & {
  /** Other streams that begin or change in the same append. */
  readonly others?: readonly StreamAppend[];
};

/**
 * Reads a stream, decides, and appends what was decided; begins anew when another process was quicker. Commands on one stream wait
 * for each other. Rejects with the decider's DomainError, StoreUnavailable, or TooContended.
 */
export const createCommandHandler =
  ({ log, reader, turns = createTurns() }: { log: GroupCommit; reader: LogReader; turns?: Turns }) =>
  <State, C extends Command, E extends Event>(
    decider: Decider<State, C, E>,
    target: { streamId: string; partition: number },
    command: C | ((state: State) => C),
    metadata: DomainEventMetadata,
    /** `version` is what the stream has before `events`; called anew at each try, so what it checks is checked again. */
    along: (events: readonly E[], state: State, version: number) => Along | Promise<Along> = () => ({}),
  ): Promise<Handled<State>> => {
    /** Undefined when somebody else was quicker. */
    const attempt = async (): Promise<Handled<State> | undefined> => {
      const history = await reader.readStream(target.streamId, { partition: target.partition });
      const { state, version } = fold(decider, history);
      const decided = [decider.decide(typeof command === 'function' ? command(state) : command, state)].flat() as E[];
      if (decided.length === 0) return { state, events: [] };
      const { others = [], ...rest } = await along(decided, state, version);
      const own = { ...target, expectedVersion: version, events: decided };
      const append: Append = { ...rest, streams: [own, ...others], metadata };
      const result = await unlessUndone(log.append(append));
      if (result?.kind !== 'appended') return undefined;
      return { state: decided.reduce((folded, event) => decider.evolve(folded, event), state), events: result.events };
    };
    return turns.take(target.streamId, () => untilDone(target.streamId, attempt));
  };

/** Tries again, after a pause, for as long as others are quicker; rejects with TooContended in the end. */
export const untilDone = async <Result>(
  streamId: string,
  attempt: () => Promise<Result | undefined>,
): Promise<Result> => {
  for (let tries = 1; tries <= TRIES_MAX; tries += 1) {
    const result = await attempt();
    if (result !== undefined) return result;
    await pause(tries);
  }
  throw new TooContended(streamId, `changed ${TRIES_MAX} times while a command on it was decided`);
};

/** Undefined for an append that was rolled back because its guard was met and something else refused it. */
export const unlessUndone = async (appending: Promise<AppendResult>): Promise<AppendResult | undefined> => {
  try {
    return await appending;
  } catch (error) {
    if (error instanceof GuardUndone) return undefined;
    throw error;
  }
};

export type HandleCommand = ReturnType<typeof createCommandHandler>;
