import { Problem } from '../problems.ts';
import { type Limit, perMinute } from './limit.ts';
import type { RateLimiter } from './limiter.ts';
import { rateLimited } from './refusal.ts';

/** Attempts to log in: of one account, whoever makes them, and from one address, whatever account they name. */
export const LOGIN_LIMITS = {
  account: perMinute('login-account', 5),
  address: perMinute('login-address', 20),
} as const;

export type AttemptLimiter = {
  /**
   * Counts an attempt before it is made. Rejects with RateLimited for one too many, and with ServiceUnavailable while attempts
   * cannot be counted: what is guessed must not be guessed faster because a database is away.
   */
  readonly take: (key: string, limit: Limit) => Promise<void>;
};

export const createAttemptLimiter = (limiter: Pick<RateLimiter, 'take'>): AttemptLimiter => ({
  take: async (key, limit) => {
    const decision = await limiter.take(key, limit);
    if (decision.kind === 'refused') throw rateLimited(limit, decision.retryAfterMs);
    if (decision.kind === 'unavailable')
      throw new Problem('ServiceUnavailable', 'Attempts cannot be counted at the moment; try again in a few seconds.');
  },
});
