import type { FastifyPluginAsync } from 'fastify';
import type { ApiDeps } from '../deps.ts';

/** For who runs the service: is it alive, is it ready, how is it doing. Needs no token, shows no data. */
export const operationsRoutes =
  ({ readiness, metrics }: ApiDeps): FastifyPluginAsync =>
  async (app) => {
    app.get('/livez', async () => ({ status: 'ok' }));

    app.get('/readyz', async (_request, reply) => {
      const checks = await Promise.all(
        readiness.map(async ({ name, check }) => {
          try {
            await check();
            return [name, 'ok'] as const;
          } catch (error) {
            return [name, error instanceof Error ? error.message : String(error)] as const;
          }
        }),
      );
      const isReady = checks.every(([, state]) => state === 'ok');
      return reply
        .code(isReady ? 200 : 503)
        .send({ status: isReady ? 'ok' : 'not ready', checks: Object.fromEntries(checks) });
    });

    app.get('/metrics', async (_request, reply) => {
      const { contentType, text } = await metrics();
      return reply.header('content-type', contentType).send(text);
    });
  };
