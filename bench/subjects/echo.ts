import Fastify from 'fastify';
import { reportReady } from '../support/child.ts';

/** A bare Fastify that parses the JSON body and answers with two fields: the ceiling of any ingest. */
const app = Fastify({ logger: false });
app.post('/api/v1/event', async (request, reply) => {
  const body = request.body as { application_id?: string };
  return reply.code(201).send({ application_id: body.application_id, event_id: 'x' });
});
await app.listen({ host: '127.0.0.1', port: 0 });
const address = app.server.address();
reportReady({ port: typeof address === 'object' ? address?.port : 0 }, () => app.close());
