import type { FastifyInstance } from 'fastify';

/** For answers that are data: nothing is to be guessed, framed, kept or told to others. */
const HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
  // The filter of old browsers does more harm than good; Hook0 sends the header, too.
  'x-xss-protection': '0',
};

/** On every answer, refusals and unknown routes included; pages may set others in their place. */
export const registerSecurityHeaders = (app: FastifyInstance): void => {
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(HEADERS);
    done();
  });
};
