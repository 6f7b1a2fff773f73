import { hash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { Pool } from 'pg';
import type { CommitListener } from '../../eventstore/group-commit.ts';
import { Problem } from '../problems.ts';
import type { Principal } from './principal.ts';

const FIND_SECRET = `
  SELECT s.secret_id, s.application_id, s.organization_id
  FROM application_secret AS s JOIN application AS a ON a.application_id = s.application_id
  WHERE s.token_sha256 = decode($1, 'hex') AND s.deleted_at IS NULL AND a.deleted_at IS NULL`;

/** How long a token that was found is not looked up again; ingest checks it against the configuration besides. */
const CACHE_MS = 2_000;
const CACHED_MAX = 10_000;
const TOKEN_LENGTH_MAX = 8_192;
const REVOKING = new Set(['ApplicationSecretDeleted', 'ApplicationDeleted']);

export type Authenticate = {
  /** By the Authorization header; answers at once when the token is known, throws or rejects with the problem. */
  (authorization: string | undefined): Principal | Promise<Principal>;
  /** Told of a commit of this process, forgets tokens that may have been revoked. */
  readonly noticeCommit: CommitListener;
};

/** Finds out who asks, by bearer token: the master key or the secret of an application. */
export const createAuthenticate = ({
  pool,
  masterKey,
  now,
}: {
  pool: Pool;
  masterKey: string;
  now: () => Date;
}): Authenticate => {
  const master = hash('sha256', masterKey, 'buffer');
  const cache = new Map<string, { principal: Principal; until: number }>();

  const find = async (sha256: string): Promise<Principal> => {
    const { rows } = await pool.query<{ secret_id: string; application_id: string; organization_id: string }>({
      name: 'find_secret',
      text: FIND_SECRET,
      values: [sha256],
    });
    const row = rows[0];
    if (!row)
      throw new Problem(
        'AuthInvalidApplicationSecret',
        'The bearer token is neither the master key nor a live application secret.',
      );
    const principal: Principal = {
      kind: 'application_secret',
      secretId: row.secret_id,
      applicationId: row.application_id,
      organizationId: row.organization_id,
    };
    if (cache.size >= CACHED_MAX) cache.clear();
    cache.set(sha256, { principal, until: now().getTime() + CACHE_MS });
    return principal;
  };

  const authenticate = (authorization: string | undefined): Principal | Promise<Principal> => {
    const digest = hash('sha256', bearerToken(authorization), 'buffer');
    if (timingSafeEqual(digest, master)) return MASTER;
    const sha256 = digest.toString('hex');
    const known = cache.get(sha256);
    return known && known.until > now().getTime() ? known.principal : find(sha256);
  };
  return Object.assign(authenticate, {
    noticeCommit: ((events) => {
      if (cache.size > 0 && events.some(({ type }) => REVOKING.has(type))) cache.clear();
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
          request.principal = principal;
          done();
        }, done);
      else {
        request.principal = found;
        done();
      }
    } catch (error) {
      done(error as Error);
    }
  });
};

const MASTER: Principal = { kind: 'master' };

const bearerToken = (header: string | undefined): string => {
  if (header === undefined)
    throw new Problem(
      'AuthNoAuthorizationHeader',
      'Send `Authorization: Bearer <token>` with the master key or an application secret.',
    );
  const token = /^Bearer +([\x21-\x7e]+) *$/i.exec(header)?.[1];
  if (token === undefined || token.length > TOKEN_LENGTH_MAX)
    throw new Problem('AuthInvalidAuthorizationHeader', 'The Authorization header must read `Bearer <token>`.');
  return token;
};
