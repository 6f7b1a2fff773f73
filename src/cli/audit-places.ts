import type { Place } from '../audit/format.ts';
import { UsageError } from './command.ts';

/** `PARTITION:POSITION`, or `POSITION` for every log partition. */
export const placeOf = (option: string, text: string): Place => {
  const [, partition, position] = /^(?:(\d{1,4}):)?(\d{1,15})$/.exec(text) ?? [];
  if (position === undefined)
    throw new UsageError(`${option} takes a position or PARTITION:POSITION, such as 3:1200, not ${text}.`);
  return { partition: partition === undefined ? null : Number(partition), position: Number(position) };
};

/** An instant with its zone, as UTC. */
export const instantOf = (option: string, text: string): string => {
  const ms = /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms))
    throw new UsageError(`${option} takes an instant with its zone, such as 2026-03-01T10:00:00Z, not ${text}.`);
  return new Date(ms).toISOString();
};

export const partitionOf = (option: string, text: string): number => {
  if (!/^\d{1,4}$/.test(text)) throw new UsageError(`${option} takes the number of a log partition, not ${text}.`);
  return Number(text);
};
