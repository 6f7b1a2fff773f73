import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyPluginAsync, FastifyReply } from 'fastify';
import { contentSecurityPolicy, pageHeaders } from '../http/content-security-policy.ts';
import { Problem } from '../problems.ts';

const DIST = fileURLToPath(new URL('../../../web/dist', import.meta.url));

/** The socket is of the same origin. */
const HEADERS = pageHeaders(contentSecurityPolicy(['script', 'style', 'font', 'img', 'connect']));
/** File names carry a hash of what is in them. */
const FOR_EVER = 'public, max-age=31536000, immutable';

const page = (reply: FastifyReply): FastifyReply =>
  reply.headers(HEADERS).sendFile('index.html', { cacheControl: false });

/** Addresses that are about no application; those of mails among them. */
const ADDRESSES = [
  '/',
  '/account',
  '/new-organization',
  '/instance/refusals',
  '/instance/retention',
  '/register',
  '/verify-email',
  '/forgot-password',
  '/reset-password',
  '/organizations/:organizationId([0-9a-f]{8}-[0-9a-f-]{27})/*',
];

/** The dashboard at `/`: the built files, and the one page for every address of it. */
export const dashboardRoutes: FastifyPluginAsync = async (app) => {
  if (!existsSync(`${DIST}/index.html`)) {
    app.get('/', async () => {
      throw new Problem('RouteNotFound', 'The dashboard is not built here: run `npm run build:web`, and start again.');
    });
    return;
  }
  await app.register(fastifyStatic, {
    root: DIST,
    serve: false,
    preCompressed: true,
    index: false,
  });
  for (const address of ADDRESSES) app.get(address, (_request, reply) => page(reply));
  // Below an application every address is a page of its own making, and looks at itself what it is.
  app.get('/:applicationId([0-9a-f]{8}-[0-9a-f-]{27})/*', (_request, reply) => page(reply));
  app.get<{ Params: { '*': string } }>('/assets/*', (request, reply) =>
    reply
      .headers({ ...HEADERS, 'cache-control': FOR_EVER })
      .sendFile(`assets/${request.params['*']}`, { cacheControl: false }),
  );
  app.get('/favicon.svg', (_request, reply) =>
    reply.headers({ ...HEADERS, 'cache-control': 'no-cache' }).sendFile('favicon.svg', { cacheControl: false }),
  );
};
