import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { expect, it } from 'vitest';
import { startCommand } from '#test/support/command.ts';
import { createTestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import { watch } from '#test/support/live.ts';

const QUERY = `subscription ($applicationId: UUID, $after: String) {
  events(applicationId: $applicationId, after: $after) { position leftOut isCaughtUp items { id position { text } } }
}`;
const KILLS = 2;
const SENT = 30;

const freePort = async (): Promise<number> => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
};

it('whoever watches sees everything once, over servers that are killed and started again', async () => {
  const database = await createTestDatabase();
  const directory = await mkdtemp(join(tmpdir(), 'posthorn-live-'));
  const masterKey = randomUUID();
  const port = await freePort();
  const address = `http://127.0.0.1:${port}`;
  const env = {
    DATABASE_URL: database.url,
    PORT: String(port),
    POSTHORN_DATA_DIR: directory,
    POSTHORN_PARTITIONS: '4',
    POSTHORN_MASTER_KEY: masterKey,
    POSTHORN_BISCUIT_PRIVATE_KEYS: `1:${randomBytes(32).toString('hex')}`,
    POSTHORN_ENCRYPTION_KEYS: `1:${randomBytes(32).toString('base64')}`,
    POSTHORN_LOG_LEVEL: 'error',
  };
  const post = async (path: string, body: unknown) => {
    const answer = await request(`${address}/api/v1${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${masterKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    // biome-ignore lint/suspicious/noExplicitAny: whatever the route answers.
    const json = (await answer.body.json()) as any;
    if (answer.statusCode >= 300) throw new Error(`${path} answered ${answer.statusCode}: ${JSON.stringify(json)}`);
    return json;
  };
  const start = async () => {
    const server = startCommand(['serve'], env);
    await eventually(async () => expect((await request(`${address}/readyz`)).statusCode).toBe(200), 30_000);
    return server;
  };

  let server = await start();
  const { organization_id } = await post('/organizations', { name: 'Acme' });
  const { application_id: applicationId } = await post('/applications', { organization_id, name: 'Shop' });
  await post('/event_types', { application_id: applicationId, name: 'order.paid' });
  const seen = watch(address, masterKey, QUERY, { applicationId });
  await eventually(() => expect(seen.batches.at(-1)?.isCaughtUp).toBe(true));
  const sent = new Set<string>();
  /** The same event again until it is acknowledged, as a producer would. */
  const send = async (): Promise<void> => {
    const event_id = randomUUID();
    await eventually(
      () => post('/event', { application_id: applicationId, event_id, event_type: 'order.paid', payload: '{}' }),
      30_000,
    );
    sent.add(event_id);
  };
  for (let kill = 0; kill < KILLS; kill += 1) {
    const sending = Promise.all(Array.from({ length: SENT }, send));
    await eventually(() => expect(seen.items().length).toBeGreaterThan(kill * SENT));
    await server.kill();
    server = await start();
    await sending;
  }
  await send();
  await eventually(() => expect(new Set(seen.items().map(({ id }) => id))).toEqual(sent), 30_000);
  const places = seen.items().map(({ position }) => position.text);
  expect(new Set(places).size).toBe(places.length);
  expect(places.length).toBe(sent.size);
  expect(seen.connections()).toBeGreaterThan(KILLS);
  expect(seen.batches.every(({ leftOut }) => leftOut === 0)).toBe(true);
  await seen.stop();
  await server.kill();
  await database.drop();
  await rm(directory, { recursive: true, force: true });
}, 120_000);
