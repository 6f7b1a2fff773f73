/** Who may wait for the same thing: at some milliseconds each, the last of them waits for some seconds. */
const WAITING_MAX = 1_000;
/** Whoever has waited for longer is not listened to any more: a client tries again, and its work would be done twice. */
const WAIT_MS_MAX = 10_000;

/** Too many others want to change the same thing at the same time. */
export class TooContended extends Error {
  constructor(streamId: string, what: string) {
    super(`Stream ${streamId} ${what}; try again.`);
    this.name = 'TooContended';
  }
}

export type Turns = {
  /**
   * Does the work once everything that asked for this stream before is over, whether it failed or not. Rejects with TooContended
   * when too many wait already, or the turn came too late. Whoever has the turn must not ask for the same one within.
   */
  take<Result>(streamId: string, work: () => Promise<Result>): Promise<Result>;
  /** Streams that somebody has the turn of. */
  busy(): number;
};

/**
 * One after the other, by stream and in order of arrival: what would race in this process, and be decided again and again, waits
 * instead. Other processes are met in the database alone.
 */
export const createTurns = ({
  waitingMax = WAITING_MAX,
  waitMsMax = WAIT_MS_MAX,
  nowMs = () => performance.now(),
}: {
  waitingMax?: number;
  waitMsMax?: number;
  /** Of a clock that never goes back. */
  nowMs?: () => number;
} = {}): Turns => {
  /** Those who wait, for each stream that somebody has the turn of. */
  const lines = new Map<string, (() => void)[]>();

  const wait = async (streamId: string, line: (() => void)[]): Promise<void> => {
    if (line.length >= waitingMax)
      throw new TooContended(streamId, `has ${waitingMax} commands waiting, one for the other`);
    await new Promise<void>((resolve) => line.push(resolve));
  };

  const pass = (streamId: string): void => {
    const next = lines.get(streamId)?.shift();
    if (next) next();
    else lines.delete(streamId);
  };

  return {
    take: async (streamId, work) => {
      const line = lines.get(streamId);
      const arrivedMs = nowMs();
      if (line) await wait(streamId, line);
      else lines.set(streamId, []);
      try {
        if (nowMs() - arrivedMs > waitMsMax)
          throw new TooContended(streamId, `was changed by others for ${waitMsMax / 1000} s`);
        return await work();
      } finally {
        pass(streamId);
      }
    },
    busy: () => lines.size,
  };
};
