import { hash, timingSafeEqual } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { Pool } from 'pg';
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

export type Authenticate = (request: FastifyRequest) => Promise<Principal>;

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
    const known = cache.get(sha256);
    if (known && known.until > now().getTime()) return known.principal;
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

  return (request) => {
    const token = bearerToken(request.headers.authorization);
    const digest = hash('sha256', token, 'buffer');
    return timingSafeEqual(digest, master) ? MASTER : find(digest.toString('hex'));
  };
};

const MASTER = Promise.resolve<Principal>({ kind: 'master' });

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
