import type { HeadPosition } from '../eventstore/read.ts';
import type { Core } from './core.ts';

/** Between two looks at all heads: the truth behind every hint. */
const HEADS_POLL_MS = 500;

/** Looks at all heads twice a second, and at once when another process says that they have moved. */
export const createHeadWatch = (
  { workReader: reader, onError }: Core,
  notice: (heads: readonly HeadPosition[]) => void,
) => {
  let timer: NodeJS.Timeout | undefined;
  let looking = false;
  let again = false;
  let stopped = false;
  const look = (): void => {
    if (stopped) return;
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    clearTimeout(timer);
    reader
      .heads()
      .then(notice)
      .catch(onError)
      .finally(() => {
        looking = false;
        if (stopped) return;
        if (again) {
          again = false;
          look();
        } else timer = setTimeout(look, HEADS_POLL_MS);
      });
  };
  look();
  return {
    look,
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
};
