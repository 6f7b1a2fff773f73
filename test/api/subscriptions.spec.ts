import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Receiver, startReceiver } from '../support/receivers/index.ts';
import { startTestService, type Tenant, type TestService } from '../support/service.ts';

let service: TestService;
let receiver: Receiver;
let tenant: Tenant;
beforeAll(async () => {
  [service, receiver] = await Promise.all([startTestService(), startReceiver()]);
  tenant = await service.tenant('order.paid', 'order.refund.created');
});
afterAll(async () => {
  await service.stop();
  await receiver.close();
});

const bodyWith = (changes: Record<string, unknown> = {}, target: Record<string, unknown> = {}) => ({
  application_id: tenant.applicationId,
  is_enabled: true,
  event_types: ['order.paid'],
  labels: { tenant: 'a' },
  target: { type: 'http', method: 'POST', url: receiver.url, ...target },
  ...changes,
});
const create = (changes?: Record<string, unknown>, target?: Record<string, unknown>) =>
  service.post('/subscriptions', bodyWith(changes, target));
const read = (id: string) => service.get(`/subscriptions/${id}`);

describe('a subscription', () => {
  it('is answered whole, and the same when it is read', async () => {
    const created = await create(
      {
        description: 'All of them',
        metadata: { team: 'core' },
        retry_schedule: '1s,5s×3',
        concurrency_max: 4,
        sign_ed25519: true,
      },
      { headers: { 'X-Token': 'secret value' } },
    );
    expect(created.status).toBe(201);
    const { secret } = created.json;
    expect(created.json).toEqual({
      application_id: tenant.applicationId,
      subscription_id: expect.any(String),
      is_enabled: true,
      disabled_reason: null,
      event_types: ['order.paid'],
      description: 'All of them',
      secret: expect.stringMatching(/^[0-9a-f-]{36}$/),
      signing_secret: `whsec_${Buffer.from(secret).toString('base64')}`,
      previous_secret_valid_until: null,
      metadata: { team: 'core' },
      labels: { tenant: 'a' },
      label_key: 'tenant',
      label_value: 'a',
      target: { type: 'http', method: 'POST', url: `${receiver.url}/`, headers: { 'X-Token': 'secret value' } },
      created_at: expect.any(String),
      updated_at: expect.any(String),
      dedicated_workers: [],
      retry_schedule: '1s,5s×3',
      concurrency_max: 4,
      sign_ed25519: true,
      public_key: expect.stringMatching(/^whpk_/),
    });
    expect((await read(created.json.subscription_id)).json).toEqual(created.json);
    const listed = await service.get(`/subscriptions?application_id=${tenant.applicationId}`);
    expect(listed.json).toContainEqual(created.json);
  });

  it('keeps what is secret out of the log', async () => {
    const { secret } = (await create({}, { headers: { 'X-Token': 'never in the log' } })).json;
    const { Client } = await import('pg');
    const client = new Client({ connectionString: service.databaseUrl });
    await client.connect();
    const { rows } = await client.query(
      `SELECT count(*)::int AS found FROM domain_event WHERE data::text LIKE '%never in the log%' OR data::text LIKE $1`,
      [`%${secret}%`],
    );
    await client.end();
    expect(rows).toEqual([{ found: 0 }]);
  });

  it('is replaced as a whole; sent again as it is, it does not change', async () => {
    const { json } = await create({ description: 'Before' }, { headers: { 'X-A': '1' } });
    const path = `/subscriptions/${json.subscription_id}`;
    const unchanged = await service.put(path, json);
    expect(unchanged).toMatchObject({ status: 200, json: { updated_at: json.updated_at } });
    const replaced = await service.put(path, bodyWith({ event_types: ['order.*', '**'], labels: {} }));
    expect(replaced).toMatchObject({
      status: 200,
      json: { description: null, labels: {}, label_key: null, event_types: ['order.*', '**'], target: { headers: {} } },
    });
    expect(replaced.json.secret).toBe(json.secret);
    const disabled = await service.put(path, bodyWith({ is_enabled: false }));
    expect(disabled.json).toMatchObject({ is_enabled: false, disabled_reason: 'request' });
  });

  it('is gone once deleted', async () => {
    const { subscription_id } = (await create()).json;
    const path = `/subscriptions/${subscription_id}?application_id=${tenant.applicationId}`;
    expect((await service.delete(path)).status).toBe(204);
    for (const answer of [await service.get(path), await service.delete(path)])
      expect(answer).toMatchObject({ status: 404, json: { id: 'NotFound' } });
  });

  it.each(['of the same organization', 'of another one'])('is not found under an application %s', async (which) => {
    const sibling = await service.post('/applications', { organization_id: tenant.organizationId, name: 'Sibling' });
    const { application_id } = sibling.json;
    const [{ token }] = (await service.get(`/application_secrets?application_id=${application_id}`)).json;
    const other =
      which === 'of another one' ? await service.tenant() : { applicationId: application_id, secret: token as string };
    const { subscription_id } = (await create()).json;
    const path = `/subscriptions/${subscription_id}`;
    const answers = [
      await service.get(`${path}?application_id=${other.applicationId}`),
      await service.get(path, other.secret),
      await service.delete(path, other.secret),
      await service.put(path, { ...bodyWith(), application_id: other.applicationId }, other.secret),
      await service.post(`${path}/secret/rotate`, {}, other.secret),
    ];
    for (const { status, json } of answers)
      expect([status, json.detail]).toEqual([404, expect.stringContaining(subscription_id)]);
    expect((await service.get(path)).status).toBe(200);
  });
});

describe('labels', () => {
  it('may be given as one key and value', async () => {
    const created = await create({ labels: undefined, label_key: 'tenant', label_value: 'b' });
    expect(created.json).toMatchObject({ labels: { tenant: 'b' }, label_key: 'tenant', label_value: 'b' });
  });

  it.each([
    { labels: undefined },
    { labels: undefined, label_key: 'tenant' },
    { label_key: 'tenant', label_value: 'other' },
  ])('%j are ambiguous', async (changes) => {
    expect(await create(changes)).toMatchObject({ status: 400, json: { id: 'LabelsAmbiguity' } });
  });
});

describe('what is refused', () => {
  const many = (size: number) => Object.fromEntries(Array.from({ length: size }, (_, index) => [`k${index}`, 'v']));

  it.each<[string, Record<string, unknown>, Record<string, unknown>, string, string]>([
    ['no event type', { event_types: [] }, {}, 'event_types', 'event-types-size'],
    ['101 event types', { event_types: Array(101).fill('order.paid') }, {}, 'event_types', 'event-types-size'],
    ['a bad pattern', { event_types: ['order.**.paid'] }, {}, 'event_types.0', 'event-types-name-length'],
    ['11 labels', { labels: many(11) }, {}, 'labels', 'labels-size'],
    ['a long label', { labels: { a: 'x'.repeat(51) } }, {}, 'labels', 'labels-property-length'],
    ['51 metadata', { metadata: many(51) }, {}, 'metadata', 'metadata-size'],
    ['empty metadata', { metadata: { a: '' } }, {}, 'metadata', 'metadata-property-length'],
    ['an unknown method', {}, { method: 'TRACE' }, 'target.method', 'subscription-target-http-method'],
    ['a lower case method', {}, { method: 'post' }, 'target.method', 'subscription-target-http-method'],
    [
      'a long URL',
      {},
      { url: `https://example.com/${'x'.repeat(2_100)}` },
      'target.url',
      'subscription-target-http-url-length',
    ],
    ['loopback', {}, { url: 'http://127.0.0.1/' }, 'target.url', 'blocked_target'],
    ['loopback in decimal', {}, { url: 'http://2130706433/' }, 'target.url', 'blocked_target'],
    ['the metadata service', {}, { url: 'http://169.254.169.254/latest/' }, 'target.url', 'blocked_target'],
    ['a mapped address', {}, { url: 'http://[::ffff:10.0.0.1]/' }, 'target.url', 'blocked_target'],
    ['an internal name', {}, { url: 'https://db.internal/' }, 'target.url', 'blocked_target'],
    ['a database port', {}, { url: 'https://example.com:5432/' }, 'target.url', 'blocked_target'],
    ['a password', {}, { url: 'https://u:p@example.com/' }, 'target.url', 'invalid_target'],
    ['another scheme', {}, { url: 'gopher://example.com/' }, 'target.url', 'invalid_target'],
    ['no URL', {}, { url: 'nonsense' }, 'target.url', 'invalid_target'],
    ['11 headers', {}, { headers: many(11) }, 'target.headers', 'subscription-target-http-headers-size'],
    [
      'a long header',
      {},
      { headers: { a: 'x'.repeat(501) } },
      'target.headers',
      'subscription-target-http-headers-property-length',
    ],
    ['a bad header name', {}, { headers: { 'a b': '' } }, 'target.headers', 'subscription-target-http-headers-name'],
    [
      'a header given twice',
      {},
      { headers: { a: '1', A: '2' } },
      'target.headers',
      'subscription-target-http-headers-name',
    ],
    [
      'a line break',
      {},
      { headers: { a: 'b\r\nHost: c' } },
      'target.headers',
      'subscription-target-http-headers-value',
    ],
    ['a letter beyond ASCII', {}, { headers: { a: 'ü' } }, 'target.headers', 'subscription-target-http-headers-value'],
    ['a bad schedule', { retry_schedule: 'soon' }, {}, 'retry_schedule', 'retry-schedule'],
    ['no concurrency', { concurrency_max: 0 }, {}, 'concurrency_max', 'too-small'],
  ])('%s', async (_name, changes, target, field, code) => {
    const refused = await create(changes, target);
    expect(refused.json).toMatchObject({ id: 'Validation', status: 422, validation: { [field]: [{ code }] } });
  });

  it.each([
    'Host',
    'content-type',
    'Content-Length',
    'Transfer-Encoding',
    'Connection',
    'Proxy-Authorization',
    'webhook-id',
    'Webhook-Whatever',
    'X-Event-Id',
    'X-Event-Type',
    'X-Hook0-Signature',
    'X-Posthorn-Attempt',
    'X-Forwarded-For',
    'Cookie',
    ...['Keep-Alive', 'Proxy-Connection', 'TE', 'Trailer', 'Upgrade', 'Expect', 'Via', 'Forwarded', 'X-Real-IP'],
    ...['User-Agent', 'Date', 'Set-Cookie', 'Accept-Encoding'],
  ])('the header %s', async (name) => {
    const refused = await create({}, { headers: { [name]: 'x' } });
    expect(refused.json.validation['target.headers']).toMatchObject([
      { code: 'subscription-target-http-headers-reserved' },
    ]);
  });

  it('event types that do not exist', async () => {
    const refused = await create({ event_types: ['order.paid', 'order.lost'] });
    expect(refused).toMatchObject({ status: 400, json: { id: 'EventTypeDoesNotExist' } });
    expect((await create({ event_types: ['lost.*'] })).status).toBe(201);
  });

  it('workers of its own', async () => {
    expect(await create({ dedicated_workers: ['mine'] })).toMatchObject({
      status: 400,
      json: { id: 'UnauthorizedWorkers' },
    });
    expect((await create({ dedicated_workers: [] })).status).toBe(201);
  });

  it('an application that does not exist', async () => {
    expect(await create({ application_id: randomUUID() })).toMatchObject({ status: 404, json: { id: 'NotFound' } });
  });
});

describe('a new secret', () => {
  it('signs beside the old one until the overlap ends', async () => {
    const label = randomUUID();
    const before = (await create({ labels: { label } })).json;
    const rotated = await service.post(`/subscriptions/${before.subscription_id}/secret/rotate`, {
      overlap_seconds: 60,
    });
    expect(rotated.status).toBe(200);
    expect(rotated.json.secret).not.toBe(before.secret);
    const left = Date.parse(rotated.json.previous_secret_valid_until) - Date.now();
    expect(left).toBeGreaterThan(50_000);
    expect(left).toBeLessThanOrEqual(60_000);
    const already = receiver.requests.length;
    await service.post('/event', {
      application_id: tenant.applicationId,
      event_type: 'order.paid',
      payload: '{}',
      labels: { label },
    });
    const request = (await receiver.waitFor(already + 1))[already];
    expect(request?.headers['webhook-signature']?.split(' ')).toHaveLength(2);
  });

  it('needs no body, and no overlap either', async () => {
    const { subscription_id } = (await create()).json;
    const path = `/subscriptions/${subscription_id}/secret/rotate`;
    const rotated = await service.post(path);
    const left = Date.parse(rotated.json.previous_secret_valid_until) - Date.now();
    expect(left).toBeGreaterThan(86_000_000);
    expect((await service.post(path, { overlap_seconds: 0 })).json.previous_secret_valid_until).toBeNull();
    expect((await service.post(path, { overlap_seconds: -1 })).status).toBe(422);
  });
});
