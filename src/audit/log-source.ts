import type { CheckedBlock } from '../eventstore/chain-check.ts';

/** A log that cannot be as it was appended, or an export that is not whole; the text names the place. */
export class LogFault extends Error {
  readonly partition: number | undefined;
  readonly position: number | undefined;

  constructor(message: string, place?: { readonly partition: number; readonly position: number }) {
    super(message);
    this.name = 'LogFault';
    this.partition = place?.partition;
    this.position = place?.position;
  }
}

export const faultAt = (partition: number, position: number, what: string): LogFault =>
  new LogFault(`log partition ${partition}: the domain event at position ${position} ${what}`, { partition, position });

/** A whole log, from position 1 of every log partition, to be replayed elsewhere. */
export type LogSource = {
  readonly instanceId: string;
  /** By log partition, the last position. */
  readonly upTo: ReadonlyMap<number, number>;
  /**
   * The blocks by log partition and position, each proved before it is handed out; throws a {@link LogFault} at the first
   * that cannot be. Blocks of a partition up to `after` may be left out, and so may those of one that is `isOver`.
   */
  readonly blocks: (options: {
    readonly after: ReadonlyMap<number, { readonly position: number; readonly hash: Buffer }>;
    readonly isOver: (partition: number) => boolean;
  }) => AsyncGenerator<CheckedBlock>;
};
