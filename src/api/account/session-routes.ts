import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { ROLES } from '../../domain/organization/role.ts';
import { notFound } from '../../domain/refusals.ts';
import { type Account, findAccount } from '../../identity/accounts.ts';
import { checkPassword } from '../../identity/passwords.ts';
import { confirmSession, endSession, listLiveSessions } from '../../identity/sessions.ts';
import { findOrganizations } from '../../projections/configuration/lists.ts';
import { requireFreshPassword } from '../auth/authorize.ts';
import type { UserPrincipal } from '../auth/principal.ts';
import type { ApiDeps } from '../deps.ts';
import { NoContent, operation } from '../http/operation.ts';
import { text, uuid } from '../http/strings.ts';
import { Problem } from '../problems.ts';
import { createAccountCommands } from './commands.ts';
import { clearSessionCookie } from './cookie.ts';
import { createGuessLimits } from './limits.ts';

const PasswordBody = z.object({
  new_password: text(1, 1_000).describe('12 to 100 characters.'),
  current_password: text(1, 1_000).optional().describe('Needed unless it was given within the last ten minutes.'),
});
const ConfirmBody = z.object({ password: text(1, 1_000) });
const Me = z.object({
  user_id: z.string(),
  email: z.string(),
  first_name: z.string(),
  last_name: z.string(),
  session_id: z.string(),
  authenticated_at: z.string(),
  organizations: z.array(z.object({ organization_id: z.string(), name: z.string(), role: z.enum(ROLES) })),
});
const SessionItem = z.object({
  session_id: z.string(),
  created_at: z.string(),
  expires_at: z.string(),
  ip: z.string().nullable(),
  is_current: z.boolean(),
});

/** Throws Forbidden for whoever is no person. */
const userOf = ({ principal }: FastifyRequest): UserPrincipal => {
  if (principal.kind !== 'user')
    throw new Problem('Forbidden', 'This is for people: use the access token of POST /api/v1/auth/login.');
  return principal;
};

/** What people do with their own account and sessions. */
export const sessionRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const { pool, instancePool, config, passwords, authenticate, now } = deps;
    const account = createAccountCommands(deps);
    const limits = createGuessLimits(deps);

    const load = async (userId: string): Promise<Account> => {
      const found = await findAccount(instancePool, userId);
      if (!found) throw notFound('user', userId);
      return found;
    };

    /** Throws AuthFailedLogin; guesses are counted like those of a login. */
    const requirePassword = async (request: FastifyRequest, person: Account, given: string): Promise<void> => {
      await limits.password(request.ip, person.email);
      if (!(await passwords.verify(person.passwordHash, given)))
        throw new Problem('AuthFailedLogin', 'The password is wrong.');
    };

    app.get(
      '/auth/me',
      operation(
        { id: 'getMe', tag: 'Accounts', summary: 'Read who is signed in, and what they may do where' },
        { response: { 200: Me } },
      ),
      async (request) => {
        const { userId, sessionId, roles, authenticatedAt } = userOf(request);
        const { email, firstName, lastName } = await load(userId);
        const organizations = await findOrganizations(pool, [...roles.keys()]);
        return {
          user_id: userId,
          email,
          first_name: firstName,
          last_name: lastName,
          session_id: sessionId,
          authenticated_at: authenticatedAt.toISOString(),
          organizations: [...roles].flatMap(([organizationId, role]) => {
            const name = organizations.get(organizationId)?.name;
            return name === undefined ? [] : [{ organization_id: organizationId, name, role }];
          }),
        };
      },
    );

    app.post(
      '/auth/logout',
      operation(
        {
          id: 'logout',
          tag: 'Accounts',
          summary: 'End the session',
          description: 'Its tokens open nothing any more: at once in this process, within two seconds in all others.',
        },
        { body: z.object({}).nullish(), response: { 204: NoContent } },
      ),
      async (request, reply) => {
        await endSession(instancePool, userOf(request).sessionId, 'logout', now());
        authenticate.forget();
        clearSessionCookie(reply, config.publicUrl);
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/auth/confirm',
      operation(
        {
          id: 'confirmPassword',
          tag: 'Accounts',
          summary: 'Give the password again',
          description: 'For ten minutes the session may see secrets and change the password.',
          problems: ['AuthFailedLogin'],
        },
        { body: ConfirmBody, response: { 204: NoContent } },
      ),
      async (request, reply) => {
        const { userId, sessionId } = userOf(request);
        await requirePassword(request, await load(userId), request.body.password);
        await confirmSession(instancePool, sessionId, now());
        authenticate.forget();
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/auth/password',
      operation(
        {
          id: 'changePassword',
          tag: 'Accounts',
          summary: 'Change the password',
          description: 'Every session of the account ends, this one, too.',
          problems: ['AuthFailedLogin', 'PasswordTooShort', 'ReauthenticationNeeded'],
        },
        { body: PasswordBody, response: { 204: NoContent } },
      ),
      async (request, reply) => {
        const principal = userOf(request);
        const { new_password: given, current_password: current } = request.body;
        const person = await load(principal.userId);
        if (current === undefined) requireFreshPassword(principal, now());
        else await requirePassword(request, person, current);
        checkPassword(given, person);
        await account.changePassword(request, person, await passwords.hash(given));
        clearSessionCookie(reply, config.publicUrl);
        return reply.code(204).send(null);
      },
    );

    app.get(
      '/auth/sessions',
      operation(
        { id: 'listSessions', tag: 'Accounts', summary: 'List where one is signed in' },
        { response: { 200: z.array(SessionItem) } },
      ),
      async (request) => {
        const { userId, sessionId: current } = userOf(request);
        return (await listLiveSessions(instancePool, userId, now())).map(({ sessionId, createdAt, expiresAt, ip }) => ({
          session_id: sessionId,
          created_at: createdAt.toISOString(),
          expires_at: expiresAt.toISOString(),
          ip,
          is_current: sessionId === current,
        }));
      },
    );

    app.delete(
      '/auth/sessions/:session_id',
      operation(
        { id: 'endSession', tag: 'Accounts', summary: 'End one of the own sessions' },
        { params: z.object({ session_id: uuid() }), response: { 204: NoContent } },
      ),
      async (request, reply) => {
        const { userId } = userOf(request);
        const { session_id: sessionId } = request.params;
        const own = await listLiveSessions(instancePool, userId, now());
        if (!own.some((session) => session.sessionId === sessionId)) throw notFound('session', sessionId);
        await endSession(instancePool, sessionId, 'logout', now());
        authenticate.forget();
        return reply.code(204).send(null);
      },
    );

    app.delete(
      '/auth/account',
      operation(
        {
          id: 'eraseAccount',
          tag: 'Accounts',
          summary: 'Erase the own account',
          description:
            'Name, mail address, password and sessions are destroyed; the log keeps an id that means nobody. The last owner of an organization cannot go: the refusal names all of them, and nothing was changed.',
          problems: ['OrganizationNeedsAnOwner', 'ReauthenticationNeeded'],
        },
        { response: { 204: NoContent } },
      ),
      async (request, reply) => {
        const principal = userOf(request);
        requireFreshPassword(principal, now());
        const { userId } = principal;
        await account.erase(request, userId);
        clearSessionCookie(reply, config.publicUrl);
        return reply.code(204).send(null);
      },
    );
  };
