import type { Zone } from '../state/preferences.svelte.ts';

/** How instants, durations and counts are written, everywhere the same. */

const part = (value: number, digits = 2): string => String(value).padStart(digits, '0');

/** `2026-03-01 14:02:11.250`, in UTC or the browser's zone; `time` leaves the day out. */
export const writeInstant = (instant: string, zone: Zone, form: 'full' | 'time' | 'minute' = 'full'): string => {
  const at = new Date(instant);
  if (Number.isNaN(at.getTime())) return instant;
  const shifted = zone === 'utc' ? at : new Date(at.getTime() - at.getTimezoneOffset() * 60_000);
  const day = `${shifted.getUTCFullYear()}-${part(shifted.getUTCMonth() + 1)}-${part(shifted.getUTCDate())}`;
  const minute = `${part(shifted.getUTCHours())}:${part(shifted.getUTCMinutes())}`;
  if (form === 'minute') return minute;
  const time = `${minute}:${part(shifted.getUTCSeconds())}.${part(shifted.getUTCMilliseconds(), 3)}`;
  return form === 'time' ? time : `${day} ${time}`;
};

const STEPS: readonly [number, string][] = [
  [86_400_000, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
  [1_000, 'second'],
];

/** `3 minutes ago`, `in 2 hours`, `now`. */
export const writeRelative = (instant: string, nowMs: number): string => {
  const ms = new Date(instant).getTime() - nowMs;
  const [size, name] = STEPS.find(([step]) => Math.abs(ms) >= step) ?? [1_000, 'second'];
  const count = Math.round(Math.abs(ms) / size);
  if (count === 0) return 'now';
  const words = `${count} ${name}${count === 1 ? '' : 's'}`;
  return ms < 0 ? `${words} ago` : `in ${words}`;
};

/** `214 ms`, `3.64 s`. */
export const writeMs = (ms: number | null | undefined): string => {
  if (ms === null || ms === undefined) return '–';
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  return `${(ms / 1_000).toFixed(2)} s`;
};

const COUNT = new Intl.NumberFormat('en');
export const writeCount = (count: number): string => COUNT.format(count);
export const writeShare = (share: number): string =>
  share === 1 ? '100%' : `${(Math.floor(share * 10_000) / 100).toFixed(2)}%`;
export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${writeCount(count)} ${count === 1 ? one : many}`;
