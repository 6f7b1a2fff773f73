import { vi } from 'vitest';

/** Patient enough for a busy machine; what holds is seen within milliseconds. */
const PATIENCE_MS = 10_000;
const INTERVAL_MS = 20;

/** Asks again until it no longer throws, and answers with what it returned. */
export const eventually = <Result>(
  ask: () => Result | Promise<Result>,
  options: number | { timeout?: number; interval?: number } = {},
): Promise<Result> => {
  const given = typeof options === 'number' ? { timeout: options } : options;
  return vi.waitFor(ask, { timeout: PATIENCE_MS, interval: INTERVAL_MS, ...given });
};
