import type { FastifyInstance } from 'fastify';
import type { RateLimits as Configured } from '../../config/values.ts';
import type { Principal } from '../auth/principal.ts';
import { toProblem } from '../http/errors.ts';
import type { Problem } from '../problems.ts';
import { addressKey, rateKeysOf } from './keys.ts';
import { type Limit, perSecond } from './limit.ts';
import { ALLOWED, type Decision, type RateLimiter } from './limiter.ts';
import { rateLimited } from './refusal.ts';

/** Undefined for what is let through: while the buckets are away everything is. */
type Refusal = Problem | undefined;

export type RateGuard = {
  /** One request of somebody whose token nobody has looked at. */
  readonly address: (ip: string) => Refusal | Promise<Refusal>;
  /** Counts an authentication that failed, which is known only after the fact. */
  readonly failed: (ip: string) => void;
  /** What stands before looking at a token: nothing is looked up for an address that has failed too often. */
  readonly beforeToken: (ip: string) => Refusal;
  /** `n` requests of a principal, or as many events beyond the one that a request is counted for. */
  readonly principal: (principal: Principal, n?: number) => Refusal | Promise<Refusal>;
};

/** The limits of the configuration, on all that comes from outside. */
export const createRateGuard = (
  limiter: RateLimiter,
  configured: Configured,
  onRefused: (limit: string) => void,
): RateGuard => {
  const address = perSecond('address', configured.address);
  const token = perSecond('token', configured.token);
  const organization = perSecond('organization', configured.organization);

  const refuse = (limit: Limit, retryAfterMs: number): Problem => {
    onRefused(limit.name);
    return rateLimited(limit, retryAfterMs);
  };
  const refusalOf = (limit: Limit, decision: Decision): Refusal =>
    decision.kind === 'refused' ? refuse(limit, decision.retryAfterMs) : undefined;

  const take = (key: string | undefined, limit: Limit, n: number): Decision | Promise<Decision> =>
    key === undefined ? ALLOWED : limiter.take(key, limit, n);

  const takeBoth = async (principal: Principal, n: number, byToken: Decision | Promise<Decision>): Promise<Refusal> =>
    refusalOf(token, await byToken) ??
    refusalOf(organization, await take(rateKeysOf(principal).organization, organization, n));

  return {
    address: (ip) => {
      const decision = limiter.take(addressKey(ip), address);
      return decision instanceof Promise
        ? decision.then((decided) => refusalOf(address, decided))
        : refusalOf(address, decision);
    },
    failed: (ip) => void limiter.take(addressKey(ip), address),
    beforeToken: (ip) => {
      const emptyFor = limiter.emptyFor(addressKey(ip));
      return emptyFor > 0 ? refuse(address, emptyFor) : undefined;
    },
    principal: (principal, n = 1) => {
      const keys = rateKeysOf(principal);
      const byToken = take(keys.token, token, n);
      if (byToken !== ALLOWED) return takeBoth(principal, n, byToken);
      const byOrganization = take(keys.organization, organization, n);
      if (byOrganization === ALLOWED) return undefined;
      return byOrganization instanceof Promise
        ? byOrganization.then((decided) => refusalOf(organization, decided))
        : refusalOf(organization, byOrganization);
    },
  };
};

/** For `POSTHORN_RATE_LIMITS=off`. */
export const UNLIMITED: RateGuard = {
  address: () => undefined,
  failed: () => undefined,
  beforeToken: () => undefined,
  principal: () => undefined,
};

const settle = (refusal: Refusal | Promise<Refusal>, done: (error?: Error) => void): void => {
  if (refusal instanceof Promise) refusal.then(done, done);
  else done(refusal);
};

const REFUSED_TOKEN: ReadonlySet<number> = new Set([401, 403]);

declare module 'fastify' {
  interface FastifyContextConfig {
    /** `principal`: counted once it is known who asks. `none`: for who runs the service. By address otherwise. */
    rateLimit?: 'principal' | 'none';
  }
}

/**
 * Counts what needs no token by address, and refusals of tokens, too. `isWithin` tells a call from within the server, which the
 * request that made it was counted for.
 */
export const limitAddresses = (app: FastifyInstance, guard: RateGuard, isWithin: () => boolean): void => {
  app.addHook('onRequest', (request, _reply, done) => {
    const counted = request.routeOptions.config.rateLimit;
    if (counted === 'none' || isWithin()) done();
    else settle(counted === 'principal' ? guard.beforeToken(request.ip) : guard.address(request.ip), done);
  });
  app.addHook('onError', (request, _reply, error, done) => {
    if (REFUSED_TOKEN.has(toProblem(error).status) && !isWithin()) guard.failed(request.ip);
    done();
  });
};

/** For routes that who runs the service asks, whatever else is asked. */
export const limitNothing = (app: FastifyInstance): void => {
  app.addHook('onRoute', (route) => {
    route.config = { ...route.config, rateLimit: 'none' };
  });
};

/** Counts the requests of a scope by who makes them; registered behind what asks for the token. */
export const limitPrincipals = (app: FastifyInstance, guard: RateGuard, isWithin: () => boolean): void => {
  app.addHook('onRoute', (route) => {
    route.config = { ...route.config, rateLimit: 'principal' };
  });
  app.addHook('onRequest', (request, _reply, done) => {
    if (isWithin()) done();
    else settle(guard.principal(request.principal), done);
  });
};
