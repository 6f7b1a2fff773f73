import { hash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Pool } from 'pg';
import { OUTLASTING } from '../../domain/access/actions.ts';
import type { CommitListener } from '../../eventstore/group-commit.ts';
import { findLiveSession } from '../../identity/sessions.ts';
import { isServiceTokenLive, rolesOf } from '../../projections/identity/queries.ts';
import { TokenRefused } from '../../tokens/refused.ts';
import type { Tokens, VerifiedToken } from '../../tokens/tokens.ts';

import { Problem } from '../problems.ts';
import { type Principal, type Refusal, type ServiceTokenPrincipal, seenFrom } from './principal.ts';
import type { TenantView } from './tenant-view.ts';
import type { TokenUse } from './token-use.ts';

const FIND_SECRET = `
  SELECT s.secret_id, s.application_id, s.organization_id
  FROM application_secret AS s JOIN application AS a ON a.application_id = s.application_id
  WHERE s.token_sha256 = decode($1, 'hex') AND s.deleted_at IS NULL AND a.deleted_at IS NULL`;

/**
 * How long a token that was found is not looked up again: so soon a revocation, a logout or a change of a role counts in every
 * process. Ingest checks application secrets against the configuration besides.
 */
const CACHE_MS = 2_000;
const CACHED_MAX = 10_000;
const TOKEN_LENGTH_MAX = 8_192;
/** Application secrets and master keys that are made here are UUIDs; a biscuit is ten times as long. */
const BISCUIT_LENGTH_MIN = 100;
/** After these a token may open less than before. */
const REVOKING = new Set([
  'ApplicationSecretDeleted',
  'ApplicationDeleted',
  'OrganizationDeleted',
  'MemberAdded',
  'MemberRoleChanged',
  'MemberRemoved',
  'UserPasswordChanged',
  'UserErased',
  'ServiceTokenRevoked',
  'ServiceTokenBlockRevoked',
]);

type TokenOf<Kind extends VerifiedToken['kind']> = Extract<VerifiedToken, { kind: Kind }>;

export type Authenticate = {
  /** By the Authorization header; answers at once when the token is known, throws or rejects with the problem. */
  (authorization: string | undefined): Principal | Promise<Principal>;
  /** Told of a commit of this process, forgets tokens that may have been revoked. */
  readonly noticeCommit: CommitListener;
  /** Forgets all: a session of this process was ended. */
  readonly forget: () => void;
};

export type AuthenticateDeps = {
  readonly pool: Pool;
  readonly masterKey: string;
  readonly tokens: Tokens;
  readonly use: TokenUse;
  readonly refused: (refusal: Refusal) => void;
  readonly now: () => Date;
};

/** Finds out who asks, by bearer token: the master key, a Biscuit of a person or a service, or the secret of an application. */
export const createAuthenticate = ({ pool, masterKey, tokens, use, refused, now }: AuthenticateDeps): Authenticate => {
  const master = hash('sha256', masterKey, 'buffer');
  const cache = new Map<string, { principal: Principal; until: number }>();
  /** Raised by whatever may take rights away: what was looked up before that is not remembered. */
  let generation = 0;

  const findSecret = async (sha256: string): Promise<Principal> => {
    const { rows } = await pool.query<{ secret_id: string; application_id: string; organization_id: string }>({
      name: 'find_secret',
      text: FIND_SECRET,
      values: [sha256],
    });
    const row = rows[0];
    if (!row)
      throw new Problem(
        'AuthInvalidApplicationSecret',
        'The bearer token is neither the master key, nor a Biscuit, nor a live application secret.',
      );
    return {
      kind: 'application_secret',
      secretId: row.secret_id,
      applicationId: row.application_id,
      organizationId: row.organization_id,
      refused,
    };
  };

  const findUser = async ({ userId, sessionId }: TokenOf<'user_access'>): Promise<Principal> => {
    const [session, roles] = await Promise.all([
      findLiveSession(pool, sessionId, userId, now()),
      rolesOf(pool, userId),
    ]);
    if (!session) throw new Problem('AuthInvalidBiscuit', 'The session is over. Sign in again.');
    return { kind: 'user', userId, sessionId, roles, authenticatedAt: session.authenticatedAt, refused };
  };

  const findService = async (token: TokenOf<'service_access'>): Promise<Principal> => {
    const { tokenId, organizationId, revocationIds } = token;
    if (!(await isServiceTokenLive(pool, tokenId, revocationIds)))
      throw new Problem('AuthInvalidBiscuit', 'The service token was revoked. Make a new one.');
    const failing: ServiceTokenPrincipal['failing'] = ({ eventTypes, ...ask }) => {
      if (token.isAttenuated && OUTLASTING.has(ask.action))
        return ['what it shows or makes would not be restricted; use the token that it was made of'];
      const verdict = tokens.permits(token, { ...ask, eventTypeNames: eventTypes, now: now() });
      return verdict.allowed ? [] : verdict.failed;
    };
    return { kind: 'service_token', tokenId, organizationId, failing, refused };
  };

  const findBiscuit = async (token: VerifiedToken): Promise<Principal> => {
    switch (token.kind) {
      case 'user_access':
        return findUser(token);
      case 'service_access':
        return findService(token);
      default:
        throw new Problem('AuthInvalidBiscuit', `A token of kind ${token.kind} does not open this.`);
    }
  };

  const verify = (bearer: string): VerifiedToken => {
    try {
      return tokens.verify(bearer, now());
    } catch (error) {
      if (error instanceof TokenRefused) throw new Problem('AuthInvalidBiscuit', error.message, { cause: error });
      throw error;
    }
  };

  const find = async (bearer: string, sha256: string): Promise<Principal> => {
    const begun = generation;
    const token = bearer.length >= BISCUIT_LENGTH_MIN ? verify(bearer) : undefined;
    const principal = await (token ? findBiscuit(token) : findSecret(sha256));
    if (begun === generation) {
      if (cache.size >= CACHED_MAX) cache.delete(cache.keys().next().value ?? '');
      const expiresAt = token && 'expiresAt' in token ? token.expiresAt.getTime() : Number.POSITIVE_INFINITY;
      cache.set(sha256, { principal, until: Math.min(now().getTime() + CACHE_MS, expiresAt) });
    }
    return principal;
  };

  const used = (principal: Principal): Principal => {
    if (principal.kind === 'service_token') use.note(principal.tokenId);
    return principal;
  };

  const authenticate = (authorization: string | undefined): Principal | Promise<Principal> => {
    const bearer = bearerToken(authorization);
    const digest = hash('sha256', bearer, 'buffer');
    if (timingSafeEqual(digest, master)) return MASTER;
    const sha256 = digest.toString('hex');
    const known = cache.get(sha256);
    return known && known.until > now().getTime() ? used(known.principal) : find(bearer, sha256).then(used);
  };
  const forget = (): void => {
    generation += 1;
    cache.clear();
  };
  return Object.assign(authenticate, {
    forget,
    noticeCommit: ((events) => {
      if (events.some(({ type }) => REVOKING.has(type))) forget();
    }) satisfies CommitListener,
  });
};

/** Has every route of the scope ask for a token before a byte of its body is read. */
export const requireToken = (app: FastifyInstance, authenticate: Authenticate): void => {
  app.decorateRequest('principal', null as never);
  // With a callback: the token of a busy client is known, and waiting for a promise would cost each of its requests.
  app.addHook('onRequest', (request, _reply, done) => {
    try {
      const found = authenticate(request.headers.authorization);
      if (found instanceof Promise)
        found.then((principal) => {
          request.principal = seenFrom(principal, request.ip);
          done();
        }, done);
      else {
        request.principal = seenFrom(found, request.ip);
        done();
      }
    } catch (error) {
      done(error as Error);
    }
  });
};

/** Has the queries of every route of the scope made on behalf of whoever asks. */
export const queryOnBehalf = (app: FastifyInstance, { run }: Pick<TenantView, 'run'>): void => {
  // Once the body is there: reading it is not of the request's asynchronous context.
  app.addHook('preValidation', (request, _reply, done) => run(request, done));
};

/** After a request has given whoever makes it rights that were not there when it began. */
export const authenticateAgain = async (request: FastifyRequest, authenticate: Authenticate): Promise<void> => {
  request.principal = seenFrom(await authenticate(request.headers.authorization), request.ip);
};

const MASTER: Principal = { kind: 'master' };

/** What an Authorization header holds. Throws the problem when that is no bearer token. */
export const bearerToken = (header: string | undefined): string => {
  if (header === undefined)
    throw new Problem(
      'AuthNoAuthorizationHeader',
      'Send `Authorization: Bearer <token>` with a token, an application secret or the master key.',
    );
  const token = /^Bearer +([\x21-\x7e]+) *$/i.exec(header)?.[1];
  if (token === undefined || token.length > TOKEN_LENGTH_MAX)
    throw new Problem('AuthInvalidAuthorizationHeader', 'The Authorization header must read `Bearer <token>`.');
  return token;
};
