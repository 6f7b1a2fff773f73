import type { Command, Decider, Event } from '@event-driven-io/emmett';
import { expect } from 'vitest';

/**
 * Given past domain events, when a command, then exactly these new ones: nothing more, no field more or less (an `undefined`
 * one counts), in this order. `then()` without arguments says that the decider stays quiet.
 */
export const specFor =
  <State, C extends Command, E extends Event>({ decide, evolve, initialState }: Decider<State, C, E>) =>
  (...past: E[]) => ({
    when: (command: C) => {
      const decideNow = (): E[] => [decide(command, past.reduce(evolve, initialState()))].flat() as E[];
      return {
        // biome-ignore lint/suspicious/noThenProperty: given, when, then is the point, and nobody awaits this object.
        then: (...expected: E[]): void => expect(decideNow()).toStrictEqual(expected),
        /** Matches the code of the refusal; its text may change. */
        thenThrows: (code: string): void => expect(decideNow).toThrow(expect.objectContaining({ code })),
      };
    },
  });
