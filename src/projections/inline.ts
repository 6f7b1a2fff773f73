import type { RecordedEvent } from '../eventstore/types.ts';
import type { Projection, ProjectionTarget } from './projection.ts';

/** What one domain event changes: a statement and its values. */
export type Change = readonly [sql: string, values: unknown[]];
type Of<E extends { type: string; data: unknown }> = E & Pick<RecordedEvent, 'partition' | 'position'>;

/** A projection of one table that is written in the transaction of the append. */
export const inlineProjection = <E extends { type: string; data: unknown }>(
  name: string,
  canHandle: readonly E['type'][],
  changeOf: (event: Of<E>, table: (name: string) => string) => Change | undefined,
): Projection => ({
  name,
  version: 1,
  tables: [name],
  canHandle,
  mode: 'inline',
  apply: async (batch: readonly RecordedEvent[], { run, table }: ProjectionTarget) => {
    for (const event of batch) {
      if (!canHandle.includes(event.type)) continue;
      const change = changeOf(event as unknown as Of<E>, table);
      if (change) await run(...(change as [string, unknown[]]));
    }
  },
});
