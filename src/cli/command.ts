import type { Environment } from '../config/load.ts';

/** What a command works with; tests pass their own. */
export type CommandContext = {
  readonly env: Environment;
  readonly version: string;
  /** Arguments after the command's name. */
  readonly args: readonly string[];
  /** Results, on standard output. */
  readonly out: (text: string) => void;
  /** Progress and complaints, on standard error; no line break is added. */
  readonly err: (text: string) => void;
  /** True when standard error is a terminal that can redraw a line. */
  readonly isTerminal: boolean;
  /** Standard input; the process's own when left out. */
  readonly stdin?: AsyncIterable<string | Uint8Array>;
};

/** What exit codes mean, for every command. */
export const EXIT = { done: 0, failed: 1, wrongUse: 2 } as const;

/** Runs to its end and answers with the exit code: done, failed or found something, wrong use. */
export type Command = {
  /** As typed: one word or two. */
  readonly name: string;
  readonly summary: string;
  /** Everything `--help` shows below the summary. */
  readonly usage: string;
  readonly run: (context: CommandContext) => Promise<number>;
};

/** The words of the command line cannot be understood; the text says what is missing. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}
