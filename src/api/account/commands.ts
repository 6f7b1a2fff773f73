import type { FastifyRequest } from 'fastify';
import { DomainError } from '../../domain/errors.ts';
import { uuidv7 } from '../../domain/event/ids.ts';
import type { DomainEventMetadata } from '../../domain/metadata.ts';
import { organizationDecider } from '../../domain/organization/decider.ts';
import { notFound } from '../../domain/refusals.ts';
import { userDecider } from '../../domain/user/decider.ts';
import type { UserCommand } from '../../domain/user/events.ts';
import { GuardUndone } from '../../eventstore/flush.ts';
import { partitionOf } from '../../eventstore/partition.ts';
import type { Append, RunQuery } from '../../eventstore/types.ts';
import {
  type Account,
  addAccount,
  eraseAccount,
  holdAccount,
  markVerified,
  replacePasswordHash,
  setPasswordHash,
} from '../../identity/accounts.ts';
import { emailKeyOf } from '../../identity/email.ts';
import { addMailToken, MAIL_TOKEN_MS, type MailPurpose, takeMailToken } from '../../identity/mail-tokens.ts';
import { endSessionsOf } from '../../identity/sessions.ts';
import { addMail, forgetMailsTo } from '../../mail/outbox.ts';
import type { MailContent } from '../../mail/templates.ts';
import { CONFIGURATION_TYPES, projectConfiguration } from '../../projections/configuration/projections.ts';
import { invitationsFor, rolesOf } from '../../projections/identity/queries.ts';
import { queryableWithin } from '../../projections/page.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../problems.ts';
import { leaveAll } from './leave.ts';

type Deps = Pick<
  ApiDeps,
  'handle' | 'log' | 'reader' | 'instancePool' | 'partitions' | 'now' | 'mailHint' | 'limitsOf'
>;

/** The organization that comes with an account. Not named after the person: the log could not forget that name. */
const PERSONAL = 'Personal organization';

const TEMPLATES = { email_verification: 'verify_email', password_reset: 'reset_password' } as const;

/** What changes accounts. Personal data and credentials are written beside the log, in the same transaction. */
export const createAccountCommands = ({
  handle,
  log,
  reader,
  instancePool,
  partitions,
  now,
  mailHint,
  limitsOf,
}: Deps) => {
  const by = (request: FastifyRequest, userId: string): DomainEventMetadata => ({
    actor: `user:${userId}`,
    causationId: String(request.id),
    correlationId: String(request.id),
    ip: request.ip,
  });

  const mailToken = async (run: RunQuery, account: Account, purpose: MailPurpose, createdAt: Date): Promise<void> => {
    const { userId, firstName, email } = account;
    const tokenId = uuidv7(createdAt.getTime());
    await addMailToken(run, { tokenId, userId, purpose, createdAt });
    const expiresAt = new Date(createdAt.getTime() + MAIL_TOKEN_MS[purpose]).toISOString();
    const content: MailContent = {
      template: TEMPLATES[purpose],
      firstName,
      userId,
      tokenId,
      createdAt: createdAt.toISOString(),
      expiresAt,
    };
    await addMail(run, { mailId: uuidv7(createdAt.getTime()), recipient: email, content, at: createdAt });
  };

  const user = async (
    request: FastifyRequest,
    type: UserCommand['type'],
    data: Readonly<Record<string, unknown>> & { userId: string },
    beside: (run: RunQuery, at: Date) => Promise<void>,
  ): Promise<boolean> => {
    const at = now();
    const { userId } = data;
    const { events } = await handle(
      userDecider,
      { streamId: `user:${userId}`, partition: partitionOf(userId, partitions) },
      { type, data, metadata: { now: at } } as UserCommand,
      by(request, userId),
      () => ({ project: (_events, run) => beside(run, at) }),
    );
    mailHint();
    return events.length > 0;
  };

  /** In one transaction of its own, for what is no domain event. */
  const transact = async (write: (run: RunQuery, at: Date) => Promise<void>): Promise<void> => {
    const client = await instancePool.connect();
    try {
      await client.query('BEGIN');
      await write((sql, values) => client.query(sql, values), now());
      await client.query('COMMIT');
      client.release();
    } catch (error) {
      await client.query('ROLLBACK').then(
        () => client.release(),
        () => client.release(true),
      );
      throw error;
    }
    mailHint();
  };

  return {
    /** An account with an organization of its own and the mail that verifies the address; throws UserAlreadyExist. */
    register: async (
      request: FastifyRequest,
      person: Pick<Account, 'email' | 'firstName' | 'lastName' | 'passwordHash'>,
    ): Promise<{ userId: string; organizationId: string }> => {
      const at = now();
      const userId = uuidv7(at.getTime());
      const organizationId = uuidv7(at.getTime());
      const account: Account = { ...person, userId, createdAt: at, verifiedAt: null };
      const createdAt = at.toISOString();
      const append: Append = {
        streams: [
          {
            streamId: `user:${userId}`,
            partition: partitionOf(userId, partitions),
            expectedVersion: 'new',
            events: [{ type: 'UserRegistered', data: { userId, registeredAt: createdAt } }],
          },
          {
            streamId: `organization:${organizationId}`,
            partition: partitionOf(organizationId, partitions),
            expectedVersion: 'new',
            events: [
              { type: 'OrganizationCreated', data: { organizationId, name: PERSONAL, createdAt } },
              {
                type: 'MemberAdded',
                data: { organizationId, userId, role: 'owner', invitationId: null, addedAt: createdAt },
              },
            ],
          },
        ],
        metadata: by(request, userId),
        movesConfiguration: CONFIGURATION_TYPES,
        project: async (events, run) => {
          if (!(await addAccount(run, account)))
            throw new DomainError('UserAlreadyExist', 'There is an account with this mail address. Sign in instead.');
          await projectConfiguration(events, run);
          await mailToken(run, account, 'email_verification', at);
        },
      };
      const result = await log.append(append);
      if (result.kind !== 'appended') throw new Error(`A registration was refused as ${result.kind}.`);
      mailHint();
      return { userId, organizationId };
    },

    /** Sends another mail, which takes the place of those before it. */
    sendMail: (account: Account, purpose: MailPurpose): Promise<void> =>
      transact((run, at) => mailToken(run, account, purpose, at)),

    /** Uses the token of the mail; throws AuthEmailExpired, or AuthEmailAlreadyVerified. */
    verifyEmail: async (request: FastifyRequest, account: Account, tokenId: string): Promise<void> => {
      const { userId, firstName, email } = account;
      const isNew = await user(request, 'VerifyUserEmail', { userId }, async (run, at) => {
        if (!(await takeMailToken(run, tokenId, 'email_verification', at))) throw linkUsed();
        await markVerified(run, userId, at);
        const content: MailContent = { template: 'welcome', firstName };
        await addMail(run, { mailId: uuidv7(at.getTime()), recipient: email, content, at });
      });
      if (!isNew) throw new Problem('AuthEmailAlreadyVerified', 'The mail address is verified. Sign in.');
    },

    /** Uses the token of the mail, and ends every session. Whoever got the mail has the address: it is verified, too. */
    resetPassword: async (
      request: FastifyRequest,
      account: Account,
      tokenId: string,
      passwordHash: string,
    ): Promise<void> => {
      const { userId } = account;
      await user(request, 'ChangeUserPassword', { userId, by: 'mail' }, async (run, at) => {
        if (!(await takeMailToken(run, tokenId, 'password_reset', at))) throw linkUsed();
        await setPasswordHash(run, userId, passwordHash);
        await afterPassword(run, account, at);
      });
      if (account.verifiedAt === null)
        await user(request, 'VerifyUserEmail', { userId }, (run, at) => markVerified(run, userId, at));
    },

    /** Ends every session, this one, too. Throws AuthFailedLogin when the password was changed since the account was read. */
    changePassword: (request: FastifyRequest, account: Account, passwordHash: string): Promise<boolean> =>
      user(request, 'ChangeUserPassword', { userId: account.userId, by: 'session' }, async (run, at) => {
        if (!(await replacePasswordHash(run, account, passwordHash))) throw passwordMoved();
        await afterPassword(run, account, at);
      }),

    /**
     * Everything personal is gone afterwards, and so is every membership, in the same append. Throws OrganizationNeedsAnOwner, and has
     * changed nothing then.
     */
    erase: async (request: FastifyRequest, userId: string): Promise<void> => {
      const at = now();
      await handle(
        userDecider,
        { streamId: `user:${userId}`, partition: partitionOf(userId, partitions) },
        { type: 'EraseUser', data: { userId, reason: 'request' }, metadata: { now: at } },
        by(request, userId),
        async () => ({
          others: await leaveAll({ instancePool, reader, partitions }, userId, at),
          project: async (events, run) => {
            await projectConfiguration(events, run);
            await forgetMailsTo(run, userId);
            // Before roles are looked at, since it waits for whoever makes the person a member at this moment: then all begins anew.
            await eraseAccount(run, userId);
            if ((await rolesOf(queryableWithin(run), userId)).size > 0) throw new GuardUndone(userId);
          },
        }),
      );
    },

    /** Lets a person into the organizations that the verified address was invited to. */
    acceptInvitations: async (request: FastifyRequest, account: Account): Promise<void> => {
      const { userId, email } = account;
      for (const { invitationId, organizationId, role } of await invitationsFor(instancePool, emailKeyOf(email))) {
        const { members } = await limitsOf.organization(organizationId);
        try {
          await handle(
            organizationDecider,
            { streamId: `organization:${organizationId}`, partition: partitionOf(organizationId, partitions) },
            {
              type: 'AddMember',
              data: { organizationId, userId, role, invitationId, membersMax: members, askedBy: null },
              metadata: { now: now() },
            },
            by(request, userId),
            () => ({
              project: async (events, run) => {
                if (!(await holdAccount(run, userId))) throw notFound('user', userId);
                await projectConfiguration(events, run);
                await run('DELETE FROM invitation_address WHERE invitation_id = $1', [invitationId]);
              },
            }),
          );
        } catch (error) {
          // Revoked meanwhile, or a member by another way: nothing is owed any more.
          if (!(error instanceof DomainError)) throw error;
          request.log.warn({ invitationId, problem: error.id }, 'an invitation could not be accepted');
        }
      }
    },
  };
};

const afterPassword = async (run: RunQuery, { userId, firstName, email }: Account, at: Date): Promise<void> => {
  await endSessionsOf(run, userId, 'password', at);
  const content: MailContent = { template: 'password_changed', firstName };
  await addMail(run, { mailId: uuidv7(at.getTime()), recipient: email, content, at });
};

/** Of a sign-in or a change that began with a password of before. */
export const passwordMoved = (): DomainError =>
  new DomainError('AuthFailedLogin', 'The password was changed meanwhile. Sign in with the new one.');

/** Of tokens that mails carry. Within an append it rolls that append back. */
export const linkUsed = (): DomainError =>
  new DomainError(
    'AuthEmailExpired',
    'The link was used, has expired, or was replaced by a newer mail. Ask for another.',
  );

export type AccountCommands = ReturnType<typeof createAccountCommands>;
