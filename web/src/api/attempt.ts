import { reauthentication } from '../state/reauthentication.svelte.ts';
import { session } from '../state/session.svelte.ts';
import type { Failure } from './failure.ts';

const REFUSED_TOKENS: readonly string[] = [
  'AuthInvalidBiscuit',
  'AuthInvalidApplicationSecret',
  'AuthInvalidAuthorizationHeader',
  'AuthNoAuthorizationHeader',
];

/**
 * Makes a request with the session's token, and once more after what can be put right meanwhile: a token that has run out, or a
 * password that was given too long ago. Throws a {@link Failure}.
 */
export const attempt = async <T>(request: (token: string) => Promise<T>): Promise<T> => {
  await session.whenFresh();
  let isRenewed = false;
  let isConfirmed = false;
  for (;;) {
    const used = session.token ?? '';
    try {
      return await request(used);
    } catch (error) {
      const { id } = error as Failure;
      if (REFUSED_TOKENS.includes(id) && session.userId === null) {
        // Of a session that is over already nothing needs to be said.
        if (session.token === used) session.end('The token is not accepted.');
        throw error;
      }
      if (REFUSED_TOKENS.includes(id) && !isRenewed) {
        isRenewed = true;
        if (session.token !== used || (await session.refresh())) continue;
      } else if (id === 'ReauthenticationNeeded' && session.userId !== null && !isConfirmed) {
        isConfirmed = true;
        if (await reauthentication.ask()) continue;
      }
      throw error;
    }
  }
};
