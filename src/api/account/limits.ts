import { hash } from 'node:crypto';
import { emailKeyOf } from '../../identity/email.ts';
import type { ApiDeps } from '../deps.ts';
import { LOGIN_LIMITS } from '../rate-limit/attempts.ts';
import { addressKey } from '../rate-limit/keys.ts';
import { perMinute } from '../rate-limit/limit.ts';

/** Mails asked for, and accounts made, from one address. */
const MAILS = perMinute('mail-address', 20);

/** Keys tell nobody an address. */
const accountKey = (email: string): string => `login:account:${hash('sha256', emailKeyOf(email), 'hex').slice(0, 32)}`;

/** Has guessing refused: throws RateLimited, and ServiceUnavailable while it cannot be counted. */
export const createGuessLimits = ({ attempts }: Pick<ApiDeps, 'attempts'>) => ({
  password: async (ip: string, email: string): Promise<void> => {
    await attempts.take(`login:${addressKey(ip)}`, LOGIN_LIMITS.address);
    await attempts.take(accountKey(email), LOGIN_LIMITS.account);
  },
  mail: (ip: string): Promise<void> => attempts.take(`mail:${addressKey(ip)}`, MAILS),
});
