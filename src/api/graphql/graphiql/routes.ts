import { readFile } from 'node:fs/promises';
import type { FastifyPluginAsync } from 'fastify';
import { contentSecurityPolicy, pageHeaders } from '../../http/content-security-policy.ts';
import { Problem } from '../../problems.ts';

/** What React sets on elements by itself needs no leave; the editor's icons are in its style sheet. */
const HEADERS = pageHeaders(
  contentSecurityPolicy(['script', 'style', 'connect', 'img', 'font'], { data: ['img', 'font'] }),
);

const HTML = 'text/html; charset=utf-8';
const CSS = 'text/css; charset=utf-8';
const SCRIPT = 'text/javascript; charset=utf-8';

const own = (name: string): URL => new URL(name, import.meta.url);
/** The built files of packages that are there for development alone. */
const packaged = (path: string): URL => new URL(`../../../../node_modules/${path}`, import.meta.url);

const FILES: readonly (readonly [path: string, type: string, file: URL])[] = [
  ['/graphiql', HTML, own('index.html')],
  ['/graphiql/start.js', SCRIPT, own('start.js')],
  ['/graphiql/start.css', CSS, own('start.css')],
  ['/graphiql/graphiql.js', SCRIPT, packaged('graphiql/graphiql.min.js')],
  ['/graphiql/graphiql.css', CSS, packaged('graphiql/graphiql.min.css')],
  ['/graphiql/react.js', SCRIPT, packaged('react/umd/react.production.min.js')],
  ['/graphiql/react-dom.js', SCRIPT, packaged('react-dom/umd/react-dom.production.min.js')],
];

const bytesOf = async (file: URL): Promise<Buffer> => {
  try {
    return await readFile(file);
  } catch (error) {
    throw new Problem('RouteNotFound', 'GraphiQL is not installed here; it comes with the development dependencies.', {
      cause: error,
    });
  }
};

/** A page to try queries with. It needs no token by itself: whoever uses it types one in. */
export const graphiqlRoutes: FastifyPluginAsync = async (app) => {
  for (const [path, type, file] of FILES)
    app.get(path, async (_request, reply) => {
      const bytes = await bytesOf(file);
      return reply.headers({ ...HEADERS, 'content-type': type, 'cache-control': 'no-cache' }).send(bytes);
    });
};
