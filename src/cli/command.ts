import type { Environment } from '../config/load.ts';

/** What a command works with; tests pass their own. */
export type CommandContext = {
  readonly env: Environment;
  readonly version: string;
  /** Arguments after the command's name. */
  readonly args: readonly string[];
  /** Results, on standard output. */
  readonly out: (text: string) => void;
  /** Progress and complaints, on standard error. */
  readonly err: (text: string) => void;
  /** True when standard error is a terminal that can redraw a line. */
  readonly isTerminal: boolean;
};

/** Runs to its end and answers with the exit code: 0 done, 1 failed or found something, 2 wrong use. */
export type Command = {
  readonly name: string;
  readonly summary: string;
  readonly usage: string;
  readonly run: (context: CommandContext) => Promise<number>;
};
