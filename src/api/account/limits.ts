import { hash } from 'node:crypto';
import { emailKeyOf } from '../../identity/email.ts';
import type { ApiDeps } from '../deps.ts';
import { LOGIN_LIMITS } from '../rate-limit/attempts.ts';
import { addressKey } from '../rate-limit/keys.ts';
import { type Limit, perMinute } from '../rate-limit/limit.ts';

/** Mails asked for, and accounts made, from one address. */
const MAILS = perMinute('mail-address', 20);

/** Mails that invite somebody: of one organization, and to one address, whoever sends them. */
const INVITATIONS = perMinute('invitations', 60);
const INVITATIONS_TO: Limit = { name: 'invitations-to-address', rate: 10 / 86_400, burst: 10 };

/** Of one organization: each leaves something behind in the memory of the library that reads Datalog, which never shrinks. */
const ATTENUATIONS = perMinute('attenuations', 60);

/** Keys tell nobody an address. */
const addressDigest = (email: string): string => hash('sha256', emailKeyOf(email), 'hex').slice(0, 32);

/** Has guessing and flooding refused: throws RateLimited, and ServiceUnavailable while it cannot be counted. */
export const createGuessLimits = ({ attempts }: Pick<ApiDeps, 'attempts'>) => ({
  password: async (ip: string, email: string): Promise<void> => {
    await attempts.take(`login:${addressKey(ip)}`, LOGIN_LIMITS.address);
    await attempts.take(`login:account:${addressDigest(email)}`, LOGIN_LIMITS.account);
  },
  /** An invitation can be taken back and sent again: without a bound it would fill the mailbox of a stranger. */
  invitation: async (organizationId: string, email: string): Promise<void> => {
    await attempts.take(`invite:${organizationId}`, INVITATIONS);
    await attempts.take(`invite:to:${addressDigest(email)}`, INVITATIONS_TO);
  },
  attenuation: (organizationId: string): Promise<void> => attempts.take(`attenuate:${organizationId}`, ATTENUATIONS),
  mail: (ip: string): Promise<void> => attempts.take(`mail:${addressKey(ip)}`, MAILS),
});
