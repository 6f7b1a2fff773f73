import { hash } from 'node:crypto';

/** How a request is answered: after a while in milliseconds, with a status. */
export type Answer = { readonly status: number; readonly delayMs: number };

/** What the answer may depend on, so that the same attempt is always answered alike. */
export type AttemptKey = { readonly deliveryId: string; readonly attempt: string };

const SLOW_MS_MAX = 60_000;

type Behaviour = (number: number, key: AttemptKey) => Answer | undefined;

/** By the first part of the path, with the number behind it. */
const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  status: (status) => (status >= 200 && status <= 599 ? { status, delayMs: 0 } : undefined),
  slow: (delayMs) => (delayMs <= SLOW_MS_MAX ? { status: 200, delayMs } : undefined),
  flaky: (percent, key) =>
    percent <= 100 ? { status: chanceOf(key) < percent / 100 ? 503 : 200, delayMs: 0 } : undefined,
};
const FIXED: Readonly<Record<string, number>> = { '/': 200, '/ok': 200, '/gone': 410 };

/** What a path asks for; undefined for one that means nothing. */
export const behaviourOf = (path: string, key: AttemptKey): Answer | undefined => {
  const status = Object.hasOwn(FIXED, path) ? FIXED[path] : undefined;
  if (status !== undefined) return { status, delayMs: 0 };
  const [, name = '', number] = /^\/(status|slow|flaky)\/(\d{1,5})$/.exec(path) ?? [];
  return BEHAVIOURS[name]?.(Number(number), key);
};

/** Uniform in [0, 1) over deliveries and attempts. */
const chanceOf = ({ deliveryId, attempt }: AttemptKey): number =>
  Number.parseInt(hash('sha256', `${deliveryId} ${attempt}`, 'hex').slice(0, 8), 16) / 2 ** 32;
