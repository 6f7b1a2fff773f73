import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ApiDeps } from '../deps.ts';
import { operation } from '../http/operation.ts';

const Readiness = z.object({
  status: z.enum(['ok', 'not ready']),
  checks: z.record(z.string(), z.string()).describe('`ok`, or what is wrong, for each thing the service stands on.'),
});

/** For who runs the service: is it alive, is it ready, how is it doing. Needs no token, shows no data. */
export const operationsRoutes =
  ({ readiness, metrics }: ApiDeps): FastifyPluginAsyncZod =>
  async (app) => {
    const about = { tag: 'Operations', isPublic: true } as const;

    app.get(
      '/livez',
      operation(
        { ...about, id: 'getLiveness', summary: 'Ask whether the process is alive' },
        { response: { 200: z.object({ status: z.literal('ok') }) } },
      ),
      async () => ({ status: 'ok' as const }),
    );

    app.get(
      '/readyz',
      operation(
        { ...about, id: 'getReadiness', summary: 'Ask whether it can work' },
        { response: { 200: Readiness, 503: Readiness } },
      ),
      async (_request, reply) => {
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
      },
    );

    app.get(
      '/metrics',
      operation(
        { ...about, id: 'getMetrics', summary: 'Read the metrics, for Prometheus' },
        {
          response: { 200: { description: 'In its text format.', content: { 'text/plain': { schema: z.string() } } } },
        },
      ),
      async (_request, reply) => {
        const { contentType, text } = await metrics();
        return reply
          .header('content-type', contentType)
          .serializer((plain: string) => plain)
          .send(text);
      },
    );
  };
