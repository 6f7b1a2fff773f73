import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '../problems.ts';

/** With `__Host-` a browser takes it from this very host alone, over TLS; without TLS there is no such promise to be had. */
const nameFor = (publicUrl: string): string =>
  publicUrl.startsWith('https:') ? '__Host-posthorn-session' : 'posthorn-session';

/** Only the routes of sessions ever get it, but `__Host-` wants the path to be the root. */
const attributesFor = (publicUrl: string): string =>
  `Path=/; HttpOnly; SameSite=Strict${publicUrl.startsWith('https:') ? '; Secure' : ''}`;

/** Sent by the dashboard with every request that lives on the cookie: no other site can make a browser send it. */
export const CSRF_HEADER = 'posthorn-csrf';

export const setSessionCookie = (reply: FastifyReply, publicUrl: string, token: string, expiresAt: Date): void => {
  reply.header(
    'set-cookie',
    `${nameFor(publicUrl)}=${token}; ${attributesFor(publicUrl)}; Expires=${expiresAt.toUTCString()}`,
  );
};

export const clearSessionCookie = (reply: FastifyReply, publicUrl: string): void => {
  reply.header('set-cookie', `${nameFor(publicUrl)}=; ${attributesFor(publicUrl)}; Max-Age=0`);
};

/**
 * The refresh token of the cookie, if there is one. Throws Forbidden when the request may have been made by another site's page:
 * it must carry the header, and an origin, if it names one, must be its own.
 */
export const sessionCookieOf = (request: FastifyRequest, publicUrl: string): string | undefined => {
  const name = nameFor(publicUrl);
  const found = (request.headers.cookie ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .find((pair) => pair.startsWith(`${name}=`));
  if (found === undefined) return undefined;
  const { origin } = request.headers;
  const isOwn = origin === undefined || origin === new URL(publicUrl).origin || hostOf(origin) === request.headers.host;
  if (request.headers[CSRF_HEADER] === undefined || !isOwn)
    throw new Problem(
      'Forbidden',
      `A request that lives on the session cookie must carry the header ${CSRF_HEADER} and come from this site.`,
    );
  return found.slice(name.length + 1);
};

const hostOf = (origin: string): string | undefined => (URL.canParse(origin) ? new URL(origin).host : undefined);
