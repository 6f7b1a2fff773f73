import type { CommandContext } from './command.ts';

const WIDTH = 30;
const REDRAW_MS = 100;

export type ProgressBar = {
  readonly update: (done: number, total: number) => void;
  readonly end: () => void;
};

/** A bar that redraws itself on a terminal, and a line every so often elsewhere, so that logs stay readable. */
export const progressBar = (
  { err, isTerminal }: Pick<CommandContext, 'err' | 'isTerminal'>,
  what: string,
): ProgressBar => {
  const everyMs = isTerminal ? REDRAW_MS : 5_000;
  const startedAt = performance.now();
  let shownAt = isTerminal ? Number.NEGATIVE_INFINITY : startedAt;
  let last: readonly [number, number] = [0, 0];

  const show = (): void => {
    const [done, total] = last;
    const share = total === 0 ? 1 : Math.min(1, done / total);
    const filled = Math.round(share * WIDTH);
    const seconds = (performance.now() - startedAt) / 1000;
    const bar = `${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}`;
    const text = `${what} [${bar}] ${Math.floor(share * 100)} %  ${done} of ${total}  ${seconds.toFixed(1)} s`;
    err(isTerminal ? `\r${text}` : `${text}\n`);
    shownAt = performance.now();
  };

  return {
    update: (done, total) => {
      last = [done, total];
      if (performance.now() - shownAt >= everyMs) show();
    },
    end: () => {
      if (!isTerminal) return;
      show();
      err('\n');
    },
  };
};
