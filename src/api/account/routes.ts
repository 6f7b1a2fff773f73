import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { uuidv7 } from '../../domain/event/ids.ts';
import { type Account, findAccount, findAccountByEmail, replacePasswordHash } from '../../identity/accounts.ts';
import { findMailToken, type MailPurpose, mayMail } from '../../identity/mail-tokens.ts';
import { checkPassword } from '../../identity/passwords.ts';
import { endSession, rotateRefreshToken } from '../../identity/sessions.ts';
import { TokenRefused } from '../../tokens/refused.ts';
import type { VerifiedToken } from '../../tokens/tokens.ts';
import { bearerToken } from '../auth/authenticate.ts';
import type { ApiDeps } from '../deps.ts';
import { NoContent, operation } from '../http/operation.ts';
import { text } from '../http/strings.ts';
import { Problem } from '../problems.ts';
import { createAccountCommands, linkUsed } from './commands.ts';
import { clearSessionCookie, sessionCookieOf } from './cookie.ts';
import { createGuessLimits } from './limits.ts';
import { CookieWish, createSignIn, LoginResponse } from './sign-in.ts';

/**
 * One mailbox and nothing else (RFC 5321, 4.1.2, without quotes and address literals; letters of any script). Names, comments, groups
 * and lists would be other accounts with the same mailbox, and what is sent to it could not be counted.
 */
const MAILBOX = /^[^\s@\p{C}<>()[\]\\,;:"]+@[\p{L}\p{M}\p{N}_-]+(\.[\p{L}\p{M}\p{N}_-]+)*$/u;
export const email = () => text(3, 100).regex(MAILBOX, 'must be a mail address');
const password = () => text(1, 1_000).describe('12 to 100 characters.');

const RegisterBody = z.object({
  first_name: text(1, 50),
  last_name: text(1, 50),
  email: email(),
  password: password(),
  // Of Hook0's own site; taken, and not kept.
  turnstile_token: text(0, 4_096).nullish(),
  gclid: text(0, 256).nullish(),
  signup_channel: text(0, 72).nullish(),
});
const Registered = z.object({ organization_id: z.string(), user_id: z.string() });
const LoginBody = CookieWish.extend({ email: text(1, 100), password: text(1, 1_000) });
const MailTokenBody = CookieWish.extend({ token: text(1, 4_096) });
const EmailBody = z.object({ email: text(1, 100) });
const ResetBody = z.object({ token: text(1, 4_096), new_password: password() });
const NoBody = z.object({}).nullish();

/** What needs no access token: registration, signing in, and what is done with links of mails. */
export const accountRoutes =
  (deps: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const { instancePool, config, tokens, passwords, now, refusals } = deps;
    const commands = createAccountCommands(deps);
    const signIn = createSignIn(deps);
    const limits = createGuessLimits(deps);

    const tokenOf = (token: string): VerifiedToken | undefined => {
      try {
        return tokens.verify(token, now());
      } catch (error) {
        if (error instanceof TokenRefused) return undefined;
        throw error;
      }
    };

    /** Whose the link of a mail is; throws AuthEmailExpired. */
    const ownerOfLink = async (token: string, purpose: MailPurpose): Promise<{ account: Account; tokenId: string }> => {
      const verified = tokenOf(token);
      if (verified?.kind !== purpose) throw linkUsed();
      const { tokenId } = verified;
      const userId = await findMailToken(instancePool, tokenId, purpose, now());
      const account = userId === undefined ? undefined : await findAccount(instancePool, userId);
      if (!account) throw linkUsed();
      return { account, tokenId };
    };

    app.post(
      '/register',
      operation(
        {
          id: 'register',
          tag: 'Accounts',
          isPublic: true,
          summary: 'Make an account',
          description:
            'It comes with an organization of its own. A mail asks to verify the address before the first login.',
          problems: [
            'PasswordNotDiverseEnough',
            'PasswordSimilarToEmail',
            'PasswordSimilarToName',
            'PasswordTooCommon',
            'PasswordTooLong',
            'PasswordTooShort',
            'RegistrationDisabled',
            'UserAlreadyExist',
          ],
        },
        { body: RegisterBody, response: { 201: Registered } },
      ),
      async (request, reply) => {
        if (!config.registration)
          throw new Problem('RegistrationDisabled', 'Nobody can register here. Ask whoever runs this instance.');
        await limits.mail(request.ip);
        const { first_name: firstName, last_name: lastName, email: address, password: given } = request.body;
        const person = { email: address, firstName, lastName };
        checkPassword(given, person);
        const passwordHash = await passwords.hash(given);
        const { userId, organizationId } = await commands.register(request, { ...person, passwordHash });
        return reply.code(201).send({ organization_id: organizationId, user_id: userId });
      },
    );

    app.post(
      '/auth/login',
      operation(
        {
          id: 'login',
          tag: 'Accounts',
          isPublic: true,
          summary: 'Sign in',
          description: 'Five tries a minute for each account, twenty from each address.',
          problems: ['AuthEmailNotVerified', 'AuthFailedLogin'],
        },
        { body: LoginBody, response: { 201: LoginResponse } },
      ),
      async (request, reply) => {
        const { email: address, password: given, cookie = false } = request.body;
        await limits.password(request.ip, address);
        const account = await findAccountByEmail(instancePool, address);
        // Whether there is an account must not be told by the time it takes.
        const isRight = account
          ? await passwords.verify(account.passwordHash, given)
          : await passwords.verifyNobody(given);
        if (!account || !isRight) {
          refusals.note({ actor: 'anonymous', action: 'auth:login', id: 'AuthFailedLogin', ip: request.ip });
          throw new Problem('AuthFailedLogin', 'The mail address or the password is wrong.');
        }
        if (account.verifiedAt === null)
          throw new Problem('AuthEmailNotVerified', 'The mail address is not verified. Follow the link in the mail.');
        await commands.acceptInvitations(request, account);
        const answer = await signIn.start(request, reply, account, cookie);
        if (passwords.needsRehash(account.passwordHash))
          await replacePasswordHash(
            (sql, values) => instancePool.query(sql, values),
            account,
            await passwords.hash(given),
          );
        return reply.code(201).send(answer);
      },
    );

    app.post(
      '/auth/refresh',
      operation(
        {
          id: 'refresh',
          tag: 'Accounts',
          summary: 'Take a new access token',
          description:
            'With the refresh token as the bearer, or in the cookie of the session and with a `Posthorn-Csrf` header. Each works once; one that comes a second time ends the session.',
          problems: ['AuthFailedRefresh', 'Forbidden'],
        },
        { body: NoBody, response: { 201: LoginResponse } },
      ),
      async (request, reply) => {
        const { authorization } = request.headers;
        const fromCookie = authorization === undefined ? sessionCookieOf(request, config.publicUrl) : undefined;
        const verified = tokenOf(fromCookie ?? bearerToken(authorization));
        const refused = (why: string): Problem => {
          if (fromCookie !== undefined) clearSessionCookie(reply, config.publicUrl);
          return new Problem('AuthFailedRefresh', why);
        };
        if (verified?.kind !== 'refresh')
          throw refused('The refresh token is not good, or has expired. Sign in again.');
        const { sessionId, tokenId, userId } = verified;
        const at = now();
        const next = uuidv7(at.getTime());
        const inCookie = fromCookie !== undefined;
        const session = await rotateRefreshToken(instancePool, {
          sessionId,
          shown: tokenId,
          next,
          at,
          expiresAt: signIn.expiryOf(at, inCookie),
        });
        const account = session ? await findAccount(instancePool, session.userId) : undefined;
        if (!session || !account) {
          if (await endSession(instancePool, sessionId, 'reuse', at)) deps.authenticate.forget();
          refusals.note({ actor: `user:${userId}`, action: 'auth:refresh', id: 'AuthFailedRefresh', ip: request.ip });
          throw refused(
            'The refresh token was used before, or its session is over. The session is ended; sign in again.',
          );
        }
        return reply.code(201).send(await signIn.answer(reply, account, session, next, inCookie));
      },
    );

    app.post(
      '/auth/verify-email',
      operation(
        {
          id: 'verifyEmail',
          tag: 'Accounts',
          isPublic: true,
          summary: 'Verify a mail address and sign in',
          description: 'With the token of the mail, which works once. Invitations of the address are accepted.',
          problems: ['AuthEmailAlreadyVerified', 'AuthEmailExpired'],
        },
        { body: MailTokenBody, response: { 201: LoginResponse } },
      ),
      async (request, reply) => {
        const { token, cookie = false } = request.body;
        await limits.mail(request.ip);
        const { account, tokenId } = await ownerOfLink(token, 'email_verification');
        await commands.verifyEmail(request, account, tokenId);
        await commands.acceptInvitations(request, account);
        return reply.code(201).send(await signIn.start(request, reply, account, cookie));
      },
    );

    /** After the answer, so that it neither says nor shows by its time whether there is an account. */
    const mailLater = (request: FastifyRequest, reply: FastifyReply, address: string, purpose: MailPurpose): void => {
      reply.raw.once('finish', () => {
        mailIfDue(address, purpose).catch((error: unknown) =>
          request.log.error({ err: error, purpose }, 'a mail that was asked for could not be written'),
        );
      });
    };
    const mailIfDue = async (address: string, purpose: MailPurpose): Promise<void> => {
      const account = await findAccountByEmail(instancePool, address);
      if (!account || (purpose === 'email_verification' && account.verifiedAt !== null)) return;
      if (!(await mayMail(instancePool, account.userId, purpose, now()))) return;
      await commands.sendMail(account, purpose);
    };

    app.post(
      '/auth/resend-verification-email',
      operation(
        {
          id: 'resendVerificationEmail',
          tag: 'Accounts',
          isPublic: true,
          summary: 'Send the mail that verifies an address once more',
          description: 'The answer is the same for every address. One mail a minute at most, five a day.',
        },
        { body: EmailBody, response: { 204: NoContent } },
      ),
      async (request, reply) => {
        await limits.mail(request.ip);
        mailLater(request, reply, request.body.email, 'email_verification');
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/auth/begin-reset-password',
      operation(
        {
          id: 'beginResetPassword',
          tag: 'Accounts',
          isPublic: true,
          summary: 'Ask for a mail to choose a new password',
          description: 'The answer is the same for every address. One mail a minute at most, five a day.',
        },
        { body: EmailBody, response: { 204: NoContent } },
      ),
      async (request, reply) => {
        await limits.mail(request.ip);
        mailLater(request, reply, request.body.email, 'password_reset');
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/auth/reset-password',
      operation(
        {
          id: 'resetPassword',
          tag: 'Accounts',
          isPublic: true,
          summary: 'Choose a new password',
          description: 'With the token of the mail, which works once. Every session of the account ends.',
          problems: ['AuthEmailExpired', 'PasswordTooShort'],
        },
        { body: ResetBody, response: { 204: NoContent } },
      ),
      async (request, reply) => {
        const { token, new_password: given } = request.body;
        await limits.mail(request.ip);
        const { account, tokenId } = await ownerOfLink(token, 'password_reset');
        checkPassword(given, account);
        await commands.resetPassword(request, account, tokenId, await passwords.hash(given));
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/email-preferences/unsubscribe-reactivation',
      operation(
        {
          id: 'unsubscribeReactivation',
          tag: 'Accounts',
          isPublic: true,
          summary: 'Stop mails that ask to come back',
          description: 'Posthorn sends none: the answer is always that it is done.',
        },
        { body: z.object({ token: text(1, 4_096) }), response: { 204: NoContent } },
      ),
      async (_request, reply) => reply.code(204).send(null),
    );
  };
