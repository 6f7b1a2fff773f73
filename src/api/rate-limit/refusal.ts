import { Problem } from '../problems.ts';
import type { Limit } from './limit.ts';

/** One decimal more than that tells nobody anything. */
const seconds = (value: number): number => Number(value.toFixed(1));

/**
 * The answer to one request too many, with the fields of draft-ietf-httpapi-ratelimit-headers (`q` tokens in `w` seconds; `r`
 * left, more in `t` seconds) and those that Hook0 sends.
 */
export const rateLimited = ({ name, rate, burst }: Limit, retryAfterMs: number): Problem => {
  const after = Math.max(1, Math.ceil(retryAfterMs / 1_000));
  return new Problem('RateLimited', `Limit \`${name}\`: ${seconds(rate)} per second; try again in ${after} s.`, {
    headers: {
      'retry-after': String(after),
      'ratelimit-policy': `"${name}";q=${burst};w=${Math.max(1, Math.round(burst / rate))}`,
      ratelimit: `"${name}";r=0;t=${after}`,
      'x-ratelimit-limit': String(burst),
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': String(after),
    },
  });
};
