import type { Role } from '../../domain/organization/role.ts';

/** What a token that was restricted is asked, see `permits` of the tokens. */
export type Ask = {
  readonly action: string;
  readonly allowedRoles: readonly string[];
  readonly organizationId?: string | undefined;
  readonly applicationId?: string | undefined;
  readonly subscriptionId?: string | undefined;
  readonly eventTypes?: readonly string[] | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly serviceTokenId?: string | undefined;
};

/** What was refused to whom: told by `authorize` to whoever found out who it is. */
export type Refusal = {
  readonly actor: string;
  readonly action: string;
  readonly id: string;
  /** Whose owners learn of it; null or left out when it is no matter of an organization. */
  readonly organizationId?: string | null;
  /** From where, as far as that is known. */
  readonly ip?: string | undefined;
};
type Refusable = { readonly refused: (refusal: Refusal) => void };

/** A person who is signed in. */
export type UserPrincipal = Refusable & {
  readonly kind: 'user';
  readonly userId: string;
  readonly sessionId: string;
  /** By organization id, as of some seconds ago. */
  readonly roles: ReadonlyMap<string, Role>;
  /** When the password was given last. */
  readonly authenticatedAt: Date;
};

export type ServiceTokenPrincipal = Refusable & {
  readonly kind: 'service_token';
  readonly tokenId: string;
  readonly organizationId: string;
  /** Those of the checks that the token's holder put on it which refuse this, in their own words. */
  readonly failing: (ask: Ask) => readonly string[];
};

/** Whoever makes a request, as far as its token says. */
export type Principal =
  | { readonly kind: 'master' }
  | (Refusable & {
      readonly kind: 'application_secret';
      readonly secretId: string;
      readonly applicationId: string;
      readonly organizationId: string;
    })
  | UserPrincipal
  | ServiceTokenPrincipal;

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before the body is read, on every route that asks for a token. */
    principal: Principal;
  }
}

/** As recorded in the metadata of domain events. */
export const actorOf = (principal: Principal): string => {
  switch (principal.kind) {
    case 'master':
      return 'master';
    case 'application_secret':
      return `application_secret:${principal.secretId}`;
    case 'user':
      return `user:${principal.userId}`;
    case 'service_token':
      return `service_token:${principal.tokenId}`;
  }
};

/** The organizations whose things it may see at all; `all` for the master key. */
export const organizationsOf = (principal: Principal): readonly string[] | 'all' => {
  switch (principal.kind) {
    case 'master':
      return 'all';
    case 'user':
      return [...principal.roles.keys()];
    case 'application_secret':
    case 'service_token':
      return [principal.organizationId];
  }
};

/** What it is in an organization, as lists show it. Hook0 shows service tokens and secrets as what they may do. */
export const roleIn = (principal: Principal, organizationId: string): string => {
  switch (principal.kind) {
    case 'master':
      return 'master';
    case 'user':
      return principal.roles.get(organizationId) ?? 'viewer';
    case 'service_token':
      return 'service';
    case 'application_secret':
      return 'viewer';
  }
};

/** The same one, whose refusals say where the request came from. */
export const seenFrom = (principal: Principal, ip: string): Principal =>
  principal.kind === 'master'
    ? principal
    : { ...principal, refused: (refusal: Refusal) => principal.refused({ ...refusal, ip }) };
