import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { onStatement } from '#test/support/statements.ts';
import { eventually } from '../support/eventually.ts';
import { ask, askData } from '../support/graphql.ts';
import { answer, type Receiver, startReceiver } from '../support/receivers/index.ts';
import { startTestService, type Tenant, type TestService } from '../support/service.ts';

let service: TestService;
let receiver: Receiver;
let tenant: Tenant;
let [good, bad] = ['', ''];
const minutesAgo = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();
const get = (query: Record<string, string> = {}, token?: string) =>
  service.get(`/traffic?${new URLSearchParams({ application_id: tenant.applicationId, ...query })}`, token);

beforeAll(async () => {
  [service, receiver] = await Promise.all([
    startTestService({ POSTHORN_RETRY_SCHEDULE: '1h×1' }),
    startReceiver({ behaviour: answer(200), behaviours: { '/bad': answer(503) } }),
  ]);
  tenant = await service.tenant('order.paid');
  const subscribe = async (path: string) =>
    (
      await service.post('/subscriptions', {
        application_id: tenant.applicationId,
        is_enabled: true,
        event_types: ['order.paid'],
        description: path,
        labels: {},
        target: { type: 'http', method: 'POST', url: `${receiver.url}${path}`, headers: {} },
      })
    ).json.subscription_id as string;
  [good, bad] = [await subscribe('/good'), await subscribe('/bad')];
  const sent = { application_id: tenant.applicationId, event_type: 'order.paid', payload: '{}', labels: {} };
  for (let count = 0; count < 3; count += 1) await service.post('/event', sent);
  await eventually(async () => expect((await get()).json.total).toMatchObject({ events: 3, succeeded: 3, failed: 3 }));
});
afterAll(async () => {
  await service.stop();
  await receiver.close();
});

describe('traffic over REST', () => {
  it('has the last hour by the minute, the worst subscription first', async () => {
    const { json } = await get();
    expect(json.buckets).toHaveLength(60);
    expect(json.total).toMatchObject({ timeouts: 0, dead_lettered: 0, p50_ms: expect.any(Number) });
    expect(json.total.from).toBe(json.buckets[0].from);
    expect(json.total.to).toBe(json.buckets[59].to);
    expect(json.subscriptions).toMatchObject([
      { subscription_id: bad, total: { events: 0, failed: 3, succeeded: 0 } },
      { subscription_id: good, total: { events: 0, failed: 0, succeeded: 3, p99_ms: expect.any(Number) } },
    ]);
    expect((await get({ subscription_id: good, buckets: '1' })).json).toMatchObject({
      total: { events: 0, succeeded: 3, failed: 0 },
      subscriptions: [{ subscription_id: good, buckets: [{ succeeded: 3 }] }],
    });
  });

  it('ends with the minute before an instant of the past', async () => {
    const found = await get({ as_of: new Date().toISOString(), buckets: '1' });
    expect(found.status).toBe(200);
    expect(Date.parse(found.json.total.to)).toBeLessThanOrEqual(Date.now());
  });

  it.each([
    [() => ({ from: minutesAgo(1), to: minutesAgo(2) }), 400, 'InvalidDateRange'],
    [() => ({ from: minutesAgo(20_000) }), 400, 'InvalidDateRange'],
    [() => ({ buckets: '201' }), 422, 'Validation'],
    [() => ({ buckets: '0' }), 422, 'Validation'],
  ])('is refused for spans there cannot be: %s', async (query, status, id) => {
    expect(await get(query())).toMatchObject({ status, json: { id } });
  });

  it('is nobody else’s', async () => {
    const stranger = await service.tenant('order.paid');
    expect((await get({}, stranger.secret)).status).toBe(404);
    const other = await service.get(`/traffic?subscription_id=${good}`, stranger.secret);
    expect(other.json).toMatchObject({ total: { succeeded: 0 }, subscriptions: [] });
  });
});

describe('traffic over GraphQL', () => {
  it('is that of REST', async () => {
    const [from, to] = [minutesAgo(10), minutesAgo(-1)];
    const bucket = 'from to events succeeded failed timeouts deadLettered p50Ms p95Ms p99Ms';
    const { application } = await askData(
      service,
      `query ($id: UUID!, $from: DateTime!, $to: DateTime!) { application(id: $id) {
        traffic(from: $from, to: $to, buckets: 3) { total { ${bucket} } buckets { ${bucket} }
          subscriptions { subscription { id description } total { ${bucket} } buckets { ${bucket} } } } } }`,
      { id: tenant.applicationId, from, to },
    );
    const snake = (value: object) =>
      Object.fromEntries(
        Object.entries(value).map(([name, one]) => [
          name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
          one,
        ]),
      );
    const { json } = await get({ from, to, buckets: '3' });
    const { total, buckets, subscriptions } = application.traffic;
    expect(snake(total)).toStrictEqual(json.total);
    expect(buckets.map(snake)).toStrictEqual(json.buckets);
    expect(subscriptions.map(({ subscription }: { subscription: unknown }) => subscription)).toStrictEqual([
      { id: bad, description: '/bad' },
      { id: good, description: '/good' },
    ]);
    expect(subscriptions.map((one: { total: object }) => snake(one.total))).toStrictEqual(
      json.subscriptions.map((one: { total: object }) => one.total),
    );
  });

  it('reads the strips of a list of subscriptions in one statement', async () => {
    let statements = 0;
    const { restore } = onStatement(service, (text) => {
      if (text.includes('FROM traffic_minute')) statements += 1;
    });
    const { application } = await askData(
      service,
      '{ application { subscriptions { nodes { id traffic(minutes: 5, buckets: 5) { failed succeeded } } } } }',
      {},
      tenant.secret,
    );
    restore();
    expect(statements).toBe(1);
    const sums = application.subscriptions.nodes.map(
      ({ id, traffic }: { id: string; traffic: { failed: number }[] }) => ({
        id,
        length: traffic.length,
        failed: traffic.reduce((sum, { failed }) => sum + failed, 0),
      }),
    );
    expect(sums).toStrictEqual([
      { id: good, length: 5, failed: 0 },
      { id: bad, length: 5, failed: 3 },
    ]);
  });

  it.each([
    ['traffic(from: "2026-01-02T00:00:00Z", to: "2026-01-01T00:00:00Z") { total { events } }', 'InvalidDateRange'],
    ['traffic(from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z") { total { events } }', 'InvalidDateRange'],
    [
      'traffic(from: "2026-01-01T00:00:00Z", to: "2026-01-02T00:00:00Z", buckets: 0) { total { events } }',
      'Validation',
    ],
    ['subscriptions { nodes { traffic(minutes: 4) { failed } } }', 'Validation'],
    ['subscriptions { nodes { traffic(buckets: 201) { failed } } }', 'Validation'],
  ])('is refused for %s', async (fields, id) => {
    const { errors } = await ask(service, `{ application { ${fields} } }`, {}, tenant.secret);
    expect(errors?.[0]).toMatchObject({ extensions: { id } });
  });
});
