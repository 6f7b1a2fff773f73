import type { RecordedEvent } from './types.ts';

/** Brings `data` of one schema version of a type to the next one; pure. */
export type Upcaster = (data: Readonly<Record<string, unknown>>) => Record<string, unknown>;

/** By type, then by the schema version they read. */
export type Upcasters = Readonly<Record<string, Readonly<Record<number, Upcaster>>>>;

/**
 * Reads old domain events as if they had been written today. What is stored never changes; an event whose schema is newer
 * than this process knows is left as it is, and stops the processor that cannot apply it.
 */
export const upcast = (event: RecordedEvent, upcasters: Upcasters): RecordedEvent => {
  const steps = upcasters[event.type];
  if (!steps) return event;
  let { data, schemaVersion } = event;
  for (let step = steps[schemaVersion]; step; step = steps[schemaVersion]) {
    data = step(data);
    schemaVersion += 1;
  }
  return schemaVersion === event.schemaVersion ? event : { ...event, data, schemaVersion };
};
