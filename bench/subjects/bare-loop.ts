import { createHmac, createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import Fastify from 'fastify';
import { Pool } from 'pg';
import { Pool as HttpPool } from 'undici';
import { reportReady } from '../support/child.ts';

/**
 * The least that can be called a webhook sender: HTTP in, one durable insert per batch, hand-over in memory, a signed POST,
 * results inserted in batches. No routing, retries, tenants, recovery or read models: the ceiling of the whole path.
 */
const url = process.env.BENCH_DATABASE_URL ?? '';
const target = process.env.BENCH_TARGET ?? '';
const pool = new Pool({ connectionString: url, max: 4 });
await pool.query('CREATE TABLE IF NOT EXISTS bare_event (id uuid PRIMARY KEY, body json NOT NULL)');
await pool.query('CREATE TABLE IF NOT EXISTS bare_result (id uuid PRIMARY KEY, status smallint NOT NULL)');
const http = new HttpPool(target, { connections: 64, pipelining: 1 });
const key = createSecretKey(randomBytes(32));

/** Gathers what is asked for until the last flush has returned. */
const batcher = <Item>(flush: (items: Item[]) => Promise<unknown>) => {
  let queue: { item: Item; resolve: () => void }[] = [];
  let running = false;
  const run = async (): Promise<void> => {
    running = true;
    await new Promise((resolve) => setImmediate(resolve));
    while (queue.length > 0) {
      const batch = queue;
      queue = [];
      await flush(batch.map(({ item }) => item));
      for (const { resolve } of batch) resolve();
    }
    running = false;
  };
  return (item: Item): Promise<void> =>
    new Promise((resolve) => {
      queue.push({ item, resolve });
      if (!running) void run();
    });
};

const insert = batcher<{ id: string; body: string }>((items) =>
  pool.query({
    name: 'insert',
    text: `INSERT INTO bare_event (id, body) SELECT unnest($1::uuid[]), unnest($2::text[])::json`,
    values: [items.map(({ id }) => id), items.map(({ body }) => body)],
  }),
);
const record = batcher<{ id: string; status: number }>((items) =>
  pool.query({
    name: 'record',
    text: `INSERT INTO bare_result (id, status) SELECT unnest($1::uuid[]), unnest($2::smallint[])`,
    values: [items.map(({ id }) => id), items.map(({ status }) => status)],
  }),
);

const deliver = async (id: string, body: string): Promise<void> => {
  const timestamp = Math.floor(Date.now() / 1000);
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  const headers = { 'content-type': 'application/json', 'x-event-id': id, 'webhook-signature': `v1,${signature}` };
  const answer = await http.request({ path: '/', method: 'POST', headers, body });
  await answer.body.dump();
  await record({ id, status: answer.statusCode });
};

const app = Fastify({ logger: false });
app.post('/api/v1/event', async (request, reply) => {
  const { payload } = request.body as { payload: string };
  const id = randomUUID();
  await insert({ id, body: payload });
  void deliver(id, payload);
  return reply.code(201).send({ event_id: id });
});
await app.listen({ host: '127.0.0.1', port: 0 });
const address = app.server.address();
reportReady({ port: typeof address === 'object' ? address?.port : 0 }, async () => {
  await app.close();
  await http.destroy();
  await pool.end();
});
