/** Whoever makes a request, as far as its token says. Users and their tokens come in here as further kinds. */
export type Principal =
  | { readonly kind: 'master' }
  | {
      readonly kind: 'application_secret';
      readonly secretId: string;
      readonly applicationId: string;
      readonly organizationId: string;
    };

declare module 'fastify' {
  interface FastifyRequest {
    /** Set before the body is read, on every route that asks for a token. */
    principal: Principal;
  }
}

/** As recorded in the metadata of domain events. */
export const actorOf = (principal: Principal): string =>
  principal.kind === 'master' ? 'master' : `application_secret:${principal.secretId}`;
