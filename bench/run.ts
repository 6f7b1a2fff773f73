import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Client } from 'pg';
import { startEmbeddedPostgres } from '../src/embedded-postgres/start.ts';
import { type Child, startChild } from './support/child.ts';
import { cpuOfPostgres, cpuOfProcess, memoryOf } from './support/cpu.ts';
import { generateLoad, type LoadResult, percentile, post } from './support/load.ts';
import { type Receiver, startReceiver } from './support/receiver.ts';
import { createClient, eventBody, type Tenant } from './support/tenant.ts';

const RECEIVER_HOST = '127.0.0.9';
const BODY_BYTES = 1024;
const EVENT_TYPE = 'bench.order.paid';
/** As `posthorn serve` is started. */
const PRODUCT_FLAGS = readFileSync(new URL('../scripts/node-flags', import.meta.url), 'utf8')
  .trim()
  .split(' ');

/** Turns that the kinds of tokens take; the median of each counts. */
const TOKEN_TURNS = 5;

const { values: options } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    seconds: { type: 'string' },
    only: { type: 'string' },
    connections: { type: 'string', default: '64' },
    'rate-limits': { type: 'string', default: 'off' },
  },
});
const seconds = Number(options.seconds ?? (options.short ? 3 : 8));
const connections = Number(options.connections);
const wants = (name: string): boolean => options.only === undefined || options.only.split(',').includes(name);

type Figures = Record<string, number | string>;
const results: Record<string, Figures> = {};
const say = (text: string): void => {
  if (!options.json) process.stdout.write(`${text}\n`);
};
const round = (value: number, digits = 0): number => Number(value.toFixed(digits));
const report = (name: string, figures: Figures): void => {
  results[name] = figures;
  const text = Object.entries(figures).map(([key, value]) => `${key} ${value}`);
  say(`${name.padEnd(28)} ${text.join('   ')}`);
};
const latency = ({ latencies }: Pick<LoadResult, 'latencies'>): Figures => ({
  'p50 ms': round(percentile(latencies, 0.5), 1),
  'p99 ms': round(percentile(latencies, 0.99), 1),
});

const directory = await mkdtemp(join(tmpdir(), 'posthorn-bench-'));
await chmod(directory, 0o711); // The server runs as another user when we are root.
const database = await startEmbeddedPostgres({ dataDir: directory, log: () => undefined });
const admin = new Client({ connectionString: database.url });
await admin.connect();
const postmaster = Number(readFileSync(join(database.dataDir, 'postgres', 'postmaster.pid'), 'utf8').split('\n')[0]);
const masterKey = randomUUID();

const freshDatabase = async (): Promise<string> => {
  const name = `bench_${randomBytes(4).toString('hex')}`;
  await admin.query(`CREATE DATABASE ${name}`);
  return Object.assign(new URL(database.url), { pathname: `/${name}` }).href;
};
const walBytes = async (): Promise<number> => {
  const { rows } = await admin.query<{ bytes: number }>(
    `SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::float8 AS bytes`,
  );
  return rows[0]?.bytes ?? 0;
};

/** What a phase cost per event: CPU of the subject and of Postgres, and bytes of write-ahead log. */
const measured = async <Result extends { events: number }>(
  child: Child,
  run: () => Promise<Result>,
): Promise<Result & { costs: Figures }> => {
  const before = { node: cpuOfProcess(child.pid), pg: cpuOfPostgres(postmaster), wal: await walBytes() };
  const result = await run();
  const per = (ms: number): number => round((ms * 1000) / Math.max(1, result.events));
  const costs = {
    'node us/event': per(cpuOfProcess(child.pid) - before.node),
    'pg us/event': per(cpuOfPostgres(postmaster) - before.pg),
    'WAL B/event': round(((await walBytes()) - before.wal) / Math.max(1, result.events)),
  };
  return { ...result, costs };
};

const until = async (condition: () => boolean, timeoutMs: number): Promise<void> => {
  const endAt = performance.now() + timeoutMs;
  while (!condition() && performance.now() < endAt) await new Promise((resolve) => setTimeout(resolve, 5));
};

const startProduct = async (
  env: Record<string, string> = {},
): Promise<{ child: Child; port: number; tenant: Tenant; api: string }> => {
  const url = await freshDatabase();
  const product = new URL('./subjects/product.ts', import.meta.url);
  const child = await startChild(
    product,
    {
      DATABASE_URL: url,
      PORT: '0',
      POSTHORN_MASTER_KEY: masterKey,
      POSTHORN_BISCUIT_PRIVATE_KEYS: `1:${randomBytes(32).toString('hex')}`,
      POSTHORN_ENCRYPTION_KEYS: `1:${randomBytes(32).toString('base64')}`,
      POSTHORN_ALLOW_TARGET_CIDRS: `${RECEIVER_HOST}/32`,
      POSTHORN_SUBSCRIPTION_CONCURRENCY: '128',
      POSTHORN_RATE_LIMITS: options['rate-limits'],
      POSTHORN_LOG_LEVEL: 'error',
      ...env,
    },
    PRODUCT_FLAGS,
  );
  const port = Number(child.ready.port);
  const api = `http://127.0.0.1:${port}/api/v1`;
  const tenant = await createClient(api, masterKey).makeTenant([EVENT_TYPE]);
  return { child, port, tenant, api };
};

const ingestRequest = (tenant: Tenant): Buffer =>
  post('/api/v1/event', eventBody(tenant.applicationId, EVENT_TYPE, BODY_BYTES), {
    authorization: `Bearer ${tenant.secret}`,
  });

const identified = (tenant: Tenant): { id: string; body: string } => {
  const body = eventBody(tenant.applicationId, EVENT_TYPE, BODY_BYTES, true);
  return { id: (JSON.parse(body) as { event_id: string }).event_id, body };
};

/** Deliveries that wait for a retry, as the product's own metrics tell. */
const waitingOf = async (port: number): Promise<number> => {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(/^posthorn_deliveries_pending\{state="waiting"\} (\d+)/m.exec(text)?.[1] ?? 0);
};

/** Domain events that read models have not applied yet. */
const lagOf = async (port: number): Promise<number> => {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return [...text.matchAll(/^posthorn_projection_lag\{[^}]*\} (\d+)/gm)].reduce((sum, [, lag]) => sum + Number(lag), 0);
};

/** Closed loop through the whole path: everything acknowledged must arrive before the clock stops. */
const wholePath = async (child: Child, port: number, request: Buffer, receiver: Receiver, warmup: number) => {
  await generateLoad({ host: '127.0.0.1', port, connections, seconds: warmup, request: () => request });
  const settled = receiver.count;
  await until(() => false, 300);
  return measured(child, async () => {
    const before = settled();
    const startedAt = performance.now();
    const load = await generateLoad({ host: '127.0.0.1', port, connections, seconds, request: () => request });
    await until(() => settled() - before >= load.requests, 20_000);
    const took = (performance.now() - startedAt) / 1000;
    return { events: settled() - before, perSecond: (settled() - before) / took, load };
  });
};

say(
  `${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}, ${round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, PostgreSQL 18 embedded, durable commits`,
);
say(
  `${connections} clients, bodies of ${BODY_BYTES} B, ${seconds} s a phase; a generator and a receiver share the machine\n`,
);

try {
  const receiver = await startReceiver(RECEIVER_HOST, false);
  const target = `http://${RECEIVER_HOST}:${receiver.port}`;

  if (wants('echo')) {
    const child = await startChild(new URL('./subjects/echo.ts', import.meta.url), {});
    const port = Number(child.ready.port);
    const request = post('/api/v1/event', eventBody(randomUUID(), EVENT_TYPE, BODY_BYTES), {
      authorization: `Bearer ${randomUUID()}`,
    });
    await generateLoad({ host: '127.0.0.1', port, connections, seconds: 1, request: () => request });
    const { load, costs } = await measured(child, async () => {
      const load = await generateLoad({ host: '127.0.0.1', port, connections, seconds, request: () => request });
      return { events: load.requests, load };
    });
    report('bare Fastify echo', {
      'requests/s': round(load.perSecond),
      ...latency(load),
      'node us/event': costs['node us/event'] ?? 0,
    });
    await child.stop();
  }

  if (wants('ingest')) {
    const { child, port, tenant } = await startProduct();
    const request = ingestRequest(tenant);
    await generateLoad({ host: '127.0.0.1', port, connections, seconds: 1.5, request: () => request });
    const { load, costs } = await measured(child, async () => {
      const load = await generateLoad({ host: '127.0.0.1', port, connections, seconds, request: () => request });
      return { events: load.requests, load };
    });
    const echo = Number(results['bare Fastify echo']?.['requests/s'] ?? Number.NaN);
    report('ingest, nobody subscribed', {
      'events/s': round(load.perSecond),
      'of echo': round(load.perSecond / echo, 2),
      ...latency(load),
      ...costs,
      failures: load.failures,
    });
    await child.stop();
  }

  if (wants('tokens')) {
    const { child, port, tenant, api } = await startProduct();
    const owner = createClient(api, masterKey);
    const { token_id: id, biscuit } = await owner.call<{ token_id: string; biscuit: string }>(
      'POST',
      '/service_token',
      {
        organization_id: tenant.organizationId,
        name: 'bench',
      },
    );
    const restricted = await owner.call<{ biscuit: string }>('POST', `/service_token/${id}/attenuate`, {
      application_id: tenant.applicationId,
      actions: ['event:ingest'],
    });
    const tokens = { 'master key': masterKey, 'service token': biscuit, 'restricted token': restricted.biscuit };
    const body = eventBody(tenant.applicationId, EVENT_TYPE, BODY_BYTES);
    const perSecond = new Map<string, number[]>();
    // In turns, so that what else the machine does meets all of them; the first turn is for warming up.
    for (let turn = 0; turn <= TOKEN_TURNS; turn += 1)
      for (const [name, token] of Object.entries(tokens)) {
        const request = post('/api/v1/event', body, { authorization: `Bearer ${token}` });
        const load = { host: '127.0.0.1', port, connections, seconds: seconds / TOKEN_TURNS, request: () => request };
        const { perSecond: rate, failures } = await generateLoad(load);
        if (failures > 0) throw new Error(`${failures} events with the ${name} were refused.`);
        if (turn > 0) perSecond.set(name, [...(perSecond.get(name) ?? []), rate]);
      }
    const median = (name: string): number =>
      percentile(
        (perSecond.get(name) ?? []).toSorted((a, b) => a - b),
        0.5,
      );
    for (const name of Object.keys(tokens))
      report(`ingest, ${name}`, {
        'events/s': round(median(name)),
        'of master key': round(median(name) / median('master key'), 2),
      });
    await child.stop();
  }

  if (wants('loop')) {
    const child = await startChild(new URL('./subjects/bare-loop.ts', import.meta.url), {
      BENCH_DATABASE_URL: await freshDatabase(),
      BENCH_TARGET: target,
    });
    const request = post('/api/v1/event', eventBody(randomUUID(), EVENT_TYPE, BODY_BYTES));
    const { perSecond, load, costs } = await wholePath(child, Number(child.ready.port), request, receiver, 1.5);
    report('bare loop', { 'events/s': round(perSecond), ...latency(load), ...costs });
    await child.stop();
  }

  if (wants('path')) {
    const { child, port, tenant, api } = await startProduct();
    await createClient(api, masterKey).subscribe(tenant, EVENT_TYPE, target);
    const { perSecond, load, costs } = await wholePath(child, port, ingestRequest(tenant), receiver, 1.5);
    const bare = Number(results['bare loop']?.['events/s'] ?? Number.NaN);
    report('whole path', {
      'events/s': round(perSecond),
      'of bare loop': round(perSecond / bare, 2),
      ...latency(load),
      ...costs,
      failures: load.failures,
      'RSS MiB': round(memoryOf(child.pid)),
    });
    await child.stop();
  }
  if (wants('latency')) {
    const remembering = await startReceiver(RECEIVER_HOST, true);
    const { child, port, tenant, api } = await startProduct();
    await createClient(api, masterKey).subscribe(tenant, EVENT_TYPE, `http://${RECEIVER_HOST}:${remembering.port}`);
    const sentAt = new Map<string, number>();
    const rate = 200;
    const request = (): Buffer => {
      const { id, body } = identified(tenant);
      sentAt.set(id, performance.timeOrigin + performance.now());
      return post('/api/v1/event', body, { authorization: `Bearer ${tenant.secret}` });
    };
    await generateLoad({ host: '127.0.0.1', port, connections, seconds: 2, rate, request });
    sentAt.clear();
    const load = await generateLoad({ host: '127.0.0.1', port, connections, seconds: seconds * 2, rate, request });
    await until(() => [...sentAt.keys()].every((id) => remembering.arrivals.has(id)), 10_000);
    const latencies = [...sentAt]
      .map(([id, at]) => (remembering.arrivals.get(id) ?? Number.NaN) - at)
      .sort((a, b) => a - b);
    report(`end to end at ${rate}/s`, {
      events: load.requests,
      missing: latencies.filter(Number.isNaN).length,
      ...latency({ latencies }),
      'max ms': round(latencies.at(-1) ?? Number.NaN, 1),
      'acknowledged p99 ms': round(percentile(load.latencies, 0.99), 1),
    });
    await child.stop();
    await remembering.close();
  }

  if (wants('watched')) {
    const watchers = 200;
    const { child, port, tenant } = await startProduct();
    const request = ingestRequest(tenant);
    const ingest = () =>
      measured(child, async () => {
        const load = await generateLoad({ host: '127.0.0.1', port, connections, seconds, request: () => request });
        return { events: load.requests, load };
      });
    await generateLoad({ host: '127.0.0.1', port, connections, seconds: 1.5, request: () => request });
    const before = await ingest();
    const watching = await startChild(new URL('./subjects/watchers.ts', import.meta.url), {
      BENCH_URL: `ws://127.0.0.1:${port}/graphql`,
      BENCH_TOKEN: tenant.secret,
      BENCH_APPLICATION: tenant.applicationId,
      BENCH_WATCHERS: String(watchers),
    });
    const after = await ingest();
    await watching.stop();
    report(`ingest, ${watchers} watching`, {
      'events/s': round(after.load.perSecond),
      'of that before': round(after.load.perSecond / before.load.perSecond, 2),
      ...latency(after.load),
      ...after.costs,
      'node before': before.costs['node us/event'] ?? 0,
      'RSS MiB': round(memoryOf(child.pid)),
    });
    await child.stop();
  }

  if (wants('waiting')) {
    const waiting = options.short ? 5_000 : 100_000;
    const { child, port, tenant, api } = await startProduct({ POSTHORN_RETRY_SCHEDULE: '1h,10h' });
    const client = createClient(api, masterKey);
    const failing = 'bench.order.lost';
    await client.call('POST', '/event_types', { application_id: tenant.applicationId, name: failing });
    await client.subscribe(tenant, EVENT_TYPE, target);
    await client.subscribe(tenant, failing, `http://${RECEIVER_HOST}:1/nobody-listens`);
    const request = ingestRequest(tenant);
    const before = await wholePath(child, port, request, receiver, 1.5);
    const lost = post('/api/v1/event', eventBody(tenant.applicationId, failing, BODY_BYTES), {
      authorization: `Bearer ${tenant.secret}`,
    });
    let made = 0;
    while (made < waiting) {
      const { requests } = await generateLoad({
        host: '127.0.0.1',
        port,
        connections,
        seconds: Math.min(seconds, 5),
        request: () => lost,
      });
      made += requests;
    }
    const settledAt = performance.now();
    while ((await waitingOf(port)) < made && performance.now() - settledAt < 120_000) await until(() => false, 200);
    while ((await lagOf(port)) > 0 && performance.now() - settledAt < 120_000) await until(() => false, 200);
    const memory = memoryOf(child.pid);
    const after = await wholePath(child, port, request, receiver, 1.5);
    report(`with ${await waitingOf(port)} waiting`, {
      'events/s': round(after.perSecond),
      'of that before': round(after.perSecond / before.perSecond, 2),
      ...latency(after.load),
      'p99 before ms': round(percentile(before.load.latencies, 0.99), 1),
      ...after.costs,
      'node before': before.costs['node us/event'] ?? 0,
      'pg before': before.costs['pg us/event'] ?? 0,
      'RSS MiB': round(memory),
    });
    await child.stop();
  }
  await receiver.close();
} finally {
  await admin.end();
  await database.stop();
  await rm(directory, { recursive: true, force: true });
}
if (options.json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
