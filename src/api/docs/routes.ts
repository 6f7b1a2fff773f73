import { readFileSync } from 'node:fs';
import type { FastifyPluginAsync, FastifyReply } from 'fastify';
import { contentSecurityPolicy, pageHeaders } from '../http/content-security-policy.ts';
import type { OpenApi } from './openapi.ts';
import { errorsPage, referencePage } from './page.ts';

const STYLE = readFileSync(new URL('./style.css', import.meta.url), 'utf8');
const HEADERS = pageHeaders(contentSecurityPolicy(['style']));
const HIDDEN = { schema: { hide: true } };

/** The reference, for machines and for people. It is made once, when it is first asked for. */
export const docsRoutes =
  (describe: () => OpenApi): FastifyPluginAsync =>
  async (app) => {
    let made: { document: OpenApi; json: string; reference: string } | undefined;
    const current = () => {
      if (!made) {
        const document = describe();
        made = { document, json: JSON.stringify(document), reference: referencePage(document) };
      }
      return made;
    };
    const send = (reply: FastifyReply, type: string, text: string): FastifyReply =>
      reply
        .headers({ ...HEADERS, 'content-type': type, 'cache-control': 'no-cache' })
        .serializer((plain: string) => plain)
        .send(text);

    for (const path of ['/openapi.json', '/api/v1/swagger.json'])
      app.get(path, HIDDEN, (_request, reply) => send(reply, 'application/json; charset=utf-8', current().json));
    app.get('/docs', HIDDEN, (_request, reply) => send(reply, 'text/html; charset=utf-8', current().reference));
    app.get('/docs/errors', HIDDEN, (_request, reply) => send(reply, 'text/html; charset=utf-8', errorsPage()));
    app.get('/docs/style.css', HIDDEN, (_request, reply) => send(reply, 'text/css; charset=utf-8', STYLE));
  };
