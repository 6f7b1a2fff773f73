import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { uuidv7 } from '../../domain/event/ids.ts';
import type { Account } from '../../identity/accounts.ts';
import { type Session, startSession } from '../../identity/sessions.ts';
import { rolesOf } from '../../projections/identity/queries.ts';
import type { ApiDeps } from '../deps.ts';
import { passwordMoved } from './commands.ts';
import { setSessionCookie } from './cookie.ts';

/** Hook0's lifetimes: an access token 5 minutes, a refresh token 30 minutes; in a cookie, a working day. */
const ACCESS_MS = 5 * 60_000;
const REFRESH_MS = 30 * 60_000;
const COOKIE_MS = 12 * 3_600_000;

export const LoginResponse = z.object({
  access_token: z.string().describe('A Biscuit, good for five minutes; closed, so that nobody can append to it.'),
  access_token_expiration: z.string(),
  refresh_token: z
    .string()
    .nullable()
    .describe('Good once, for POST /auth/refresh; null when the browser keeps it in a cookie that pages cannot read.'),
  refresh_token_expiration: z.string(),
  user_id: z.string(),
  email: z.string(),
  first_name: z.string(),
  last_name: z.string(),
});
export type LoginResponse = z.output<typeof LoginResponse>;

/** Whether a browser is to keep the refresh token. */
export const CookieWish = z.object({
  cookie: z
    .boolean()
    .optional()
    .describe('Keeps the refresh token in an HttpOnly, SameSite cookie, and out of the answer.'),
});

/** Sessions and the tokens that open them. */
export const createSignIn = ({
  instancePool,
  tokens,
  config,
  now,
}: Pick<ApiDeps, 'instancePool' | 'tokens' | 'config' | 'now'>) => {
  const answer = async (
    reply: FastifyReply,
    account: Account,
    session: Pick<Session, 'sessionId' | 'authenticatedAt' | 'expiresAt'>,
    refreshTokenId: string,
    inCookie: boolean,
  ): Promise<LoginResponse> => {
    const createdAt = now();
    const { userId, email, firstName, lastName } = account;
    const { sessionId, authenticatedAt, expiresAt } = session;
    const roles = [...(await rolesOf(instancePool, userId))].map(([organizationId, role]) => ({
      organizationId,
      role,
    }));
    const accessExpiresAt = new Date(createdAt.getTime() + ACCESS_MS);
    const access = tokens.mintUserAccess({
      tokenId: uuidv7(createdAt.getTime()),
      sessionId,
      userId,
      email,
      firstName,
      lastName,
      roles,
      createdAt,
      authenticatedAt,
      expiresAt: accessExpiresAt,
    });
    const refresh = tokens.mintRefresh({ tokenId: refreshTokenId, sessionId, userId, createdAt, expiresAt });
    if (inCookie) setSessionCookie(reply, config.publicUrl, refresh.token, expiresAt);
    return {
      access_token: access.token,
      access_token_expiration: accessExpiresAt.toISOString(),
      refresh_token: inCookie ? null : refresh.token,
      refresh_token_expiration: expiresAt.toISOString(),
      user_id: userId,
      email,
      first_name: firstName,
      last_name: lastName,
    };
  };

  const expiryOf = (at: Date, inCookie: boolean): Date => new Date(at.getTime() + (inCookie ? COOKIE_MS : REFRESH_MS));

  return {
    expiryOf,
    answer,
    /** A new session for whoever has just proved who it is; throws AuthFailedLogin when that was with a password of before. */
    start: async (
      request: FastifyRequest,
      reply: FastifyReply,
      account: Account,
      inCookie: boolean,
    ): Promise<LoginResponse> => {
      const createdAt = now();
      const sessionId = uuidv7(createdAt.getTime());
      const refreshTokenId = uuidv7(createdAt.getTime());
      const session = {
        sessionId,
        userId: account.userId,
        refreshTokenId,
        createdAt,
        expiresAt: expiryOf(createdAt, inCookie),
        ip: request.ip,
        passwordHash: account.passwordHash,
      };
      if (!(await startSession((sql, values) => instancePool.query(sql, values), session))) throw passwordMoved();
      return answer(reply, account, { ...session, authenticatedAt: createdAt }, refreshTokenId, inCookie);
    },
  };
};

export type SignIn = ReturnType<typeof createSignIn>;
