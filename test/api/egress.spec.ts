import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '#test/support/eventually.ts';
import { ask } from '#test/support/graphql.ts';
import {
  addresses,
  type DnsServer,
  type Receiver,
  startDnsServer,
  startReceiver,
} from '#test/support/receivers/index.ts';
import { startTestService, type Tenant, type TestService } from '#test/support/service.ts';

let service: TestService;
let tenant: Tenant;
/** Listens where nothing may ever arrive. */
let inside: Receiver;
let dns: DnsServer;
beforeAll(async () => {
  inside = await startReceiver({ host: '127.0.0.1' });
  dns = await startDnsServer({ 'inside.test': addresses(['127.0.0.1']) });
  service = await startTestService({ POSTHORN_DNS_SERVERS: dns.server });
  tenant = await service.tenant('order.paid');
});
afterAll(async () => {
  await service.stop();
  await Promise.all([inside.close(), dns.close()]);
});

const bodyOf = (url: string) => ({
  application_id: tenant.applicationId,
  is_enabled: true,
  event_types: ['order.paid'],
  labels: {},
  retry_schedule: '1ms',
  target: { type: 'http', method: 'POST', url, headers: {} },
});
const inputOf = (url: string) => ({
  applicationId: tenant.applicationId,
  eventTypes: ['order.paid'],
  labels: {},
  target: { method: 'POST', url },
});

const BLOCKED = [
  ...['http://127.0.0.1/', 'http://2130706433/', 'http://0x7f.1/', 'http://0177.0.0.1/', 'http://127.1/'],
  ...['http://0.0.0.0/', 'http://foo.localhost/', 'http://[::1]/', 'http://[::ffff:169.254.169.254]/'],
  ...['http://[::127.0.0.1]/', 'http://[64:ff9b::10.0.0.1]/', 'http://[2002:7f00:1::1]/', 'http://[2001::1]/'],
  ...['http://[fe80::1]/', 'http://[fd00:ec2::254]/', 'http://[ff02::1]/', 'http://169.254.169.254/latest/meta-data/'],
  ...['http://0xA9FEA9FE/', 'http://metadata.google.internal/', 'http://10.0.0.1/', 'http://172.31.255.255/'],
  ...['http://100.64.0.1/', 'http://240.0.0.1/', 'http://１２７.０.０.１/', 'http://%31%32%37.0.0.1/'],
  ...['http:/127.0.0.1/', 'http://example.com:6379/', 'http://metadata/'],
];
const INVALID = [
  ...['http://example.com@127.0.0.1/', 'http://127.0.0.1\\@example.com/', 'gopher://127.0.0.1:6379/_FLUSHALL'],
  ...['http://256.256.256.256/', `https://${'a'.repeat(64)}.example/`, `https://${'a.'.repeat(124)}example/`],
];

describe('a target that may not be', () => {
  let id: string;
  beforeAll(async () => {
    id = (await service.post('/subscriptions', bodyOf('https://example.com/'))).json.subscription_id;
  });
  afterAll(() => service.delete(`/subscriptions/${id}?application_id=${tenant.applicationId}`));

  it.each([...BLOCKED.map((url) => [url, 'blocked_target']), ...INVALID.map((url) => [url, 'invalid_target'])])(
    '%s is refused at creation and at each change, over REST and GraphQL',
    async (url = '', code) => {
      const finding = { 'target.url': [{ code }] };
      const refused = { status: 422, json: { id: 'Validation', validation: finding } };
      expect(await service.post('/subscriptions', bodyOf(url))).toMatchObject(refused);
      expect(await service.put(`/subscriptions/${id}`, bodyOf(url))).toMatchObject(refused);
      const mutations = [
        'mutation ($input: SubscriptionInput!) { createSubscription(input: $input) { secret } }',
        `mutation ($input: SubscriptionInput!) { replaceSubscription(id: "${id}", input: $input) { id } }`,
      ];
      for (const mutation of mutations) {
        const { errors } = await ask(service, mutation, { input: inputOf(url) });
        expect(errors?.[0]).toMatchObject({ extensions: { id: 'Validation', validation: finding } });
      }
    },
  );
});

it('a name that leads inside is blocked on every way to a request, without a connection', async () => {
  const { applicationId } = tenant;
  const made = await service.post('/subscriptions', bodyOf(`http://inside.test:${inside.port}/`));
  const id = made.json.subscription_id as string;
  // biome-ignore lint/suspicious/noExplicitAny: attempts are whatever the API answers, and tests look into them.
  const attempts = async (): Promise<any[]> => {
    const { data } = await ask(
      service,
      `{ application(id: "${applicationId}") { deliveries(first: 100, filter: {subscriptionId: "${id}"}) {
        nodes { id status attempts { reason } } } } }`,
    );
    return data.application.deliveries.nodes;
  };
  const deadLetters = async (count: number): Promise<void> => {
    await eventually(async () => {
      const all = await attempts();
      expect(all.filter(({ status }) => status === 'DEAD_LETTERED')).toHaveLength(count);
    });
  };
  const event = { application_id: applicationId, event_type: 'order.paid', payload: '{}', labels: {} };
  const sent = await service.post('/event', event);
  const eventId = sent.json.event_id as string;
  await deadLetters(1);
  const [{ id: deliveryId }] = await attempts();
  const before = (await attempts())[0].attempts.length as number;

  const ways: (() => Promise<unknown>)[] = [
    () => service.post(`/subscriptions/${id}/test`, { event_type: 'order.paid' }),
    () => ask(service, `mutation { sendTestEvent(subscriptionId: "${id}") { id } }`),
    () => service.post(`/events/${eventId}/replay`, { application_id: applicationId }),
    () => ask(service, `mutation { replayEvent(id: "${eventId}", applicationId: "${applicationId}") { replayed } }`),
    () => service.post(`/deliveries/${deliveryId}/replay`, {}),
    () => ask(service, `mutation { replayDelivery(id: "${deliveryId}") { id } }`),
    () => service.post('/dead_letters/replay', { application_id: applicationId, filter: {} }),
    () => ask(service, `mutation { replayDeadLetters(applicationId: "${applicationId}", filter: {}) { replayed } }`),
  ];
  let seen = before;
  for (const way of ways) {
    await way();
    await eventually(async () => {
      const all = await attempts();
      const total = all.flatMap(({ attempts: own }) => own).length;
      expect(total).toBeGreaterThan(seen);
      expect(all.every(({ status }) => status === 'DEAD_LETTERED')).toBe(true);
      // What replays dead letters finds them in their list, which follows.
      const letters = await service.get(`/dead_letters?application_id=${applicationId}`);
      expect(letters.json).toHaveLength(all.length);
      seen = total;
    });
  }
  await eventually(async () => {
    const all = (await attempts()).flatMap(({ attempts: own }) => own);
    expect(new Set(all.map(({ reason }) => reason))).toEqual(new Set(['blocked_target']));
  });
  expect(inside.connections().accepted).toBe(0);
});

describe('our own database and API', () => {
  let open: TestService;
  beforeAll(async () => {
    open = await startTestService({
      POSTHORN_ALLOW_TARGET_CIDRS: '127.0.0.0/8',
      POSTHORN_DENY_TARGET_PORTS: '9000-9002',
    });
  });
  afterAll(() => open.stop());

  it('are no targets even where the operator allows their network', async () => {
    const own = await open.tenant('order.paid');
    const { hostname, port } = new URL(open.databaseUrl);
    expect(hostname).toBe('127.0.0.1');
    const create = (url: string) => open.post('/subscriptions', { ...bodyOf(url), application_id: own.applicationId });
    expect((await create(`http://127.0.0.1:${port}/`)).json.validation['target.url'][0].code).toBe('blocked_target');
    expect((await create(`http://[::ffff:7f00:1]:${port}/`)).status).toBe(422);
    expect((await create(`http://127.0.0.1:${inside.port}/`)).status).toBe(201);
  });

  it('ports are denied as the operator lists them', async () => {
    const own = await open.tenant('order.paid');
    const create = (port: number) =>
      open.post('/subscriptions', { ...bodyOf(`https://example.com:${port}/`), application_id: own.applicationId });
    const found = await Promise.all([9000, 9001, 9002, 9003, 6379, 1023].map(create));
    expect(found.map(({ status }) => status)).toEqual([422, 422, 422, 201, 201, 422]);
  });
});
