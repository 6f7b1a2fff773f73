import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '#test/support/eventually.ts';
import { ask } from '#test/support/graphql.ts';
import { startReceiver } from '#test/support/receivers/receiver.ts';
import { type Answer, startTestService, type Tenant, type TestService } from '#test/support/service.ts';

const MARKER = 'mArKeR7c1e';
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';

let service: TestService;
let tenant: Tenant;
let target: string;
let close: () => Promise<void>;
beforeAll(async () => {
  service = await startTestService({
    POSTHORN_LOG_LEVEL: 'trace',
    POSTHORN_LOG_REQUESTS: 'all',
    POSTHORN_HEALTH_KEY: `health-${MARKER}`,
  });
  tenant = await service.tenant('order.paid');
  const receiver = await startReceiver();
  target = receiver.url;
  close = receiver.close;
});
afterAll(async () => {
  await service.stop();
  await close();
});

// biome-ignore lint/suspicious/noExplicitAny: lines hold whatever was logged, and tests look into them.
const lines = (): any[] => service.log.map((line) => JSON.parse(line));
const lineOf = async (requestId: string) => {
  const found = () =>
    lines().filter(({ request_id, client_request_id }) => [request_id, client_request_id].includes(requestId));
  await eventually(() => expect(found().length).toBeGreaterThan(0));
  return found();
};

describe('the line of a request', () => {
  it('tells who did what from where, by the name of the route', async () => {
    const { headers } = await service.call(`/events/${tenant.applicationId}?x=${MARKER}`, {
      token: tenant.secret,
      headers: { 'x-request-id': 'mine_1.2-3', traceparent: `00-${TRACE}-00f067aa0ba902b7-01` },
    });
    expect(headers['x-request-id']).toBe('mine_1.2-3');
    const [line, ...others] = await lineOf('mine_1.2-3');
    expect(others).toEqual([]);
    const { level, time, pid, ms, ...told } = line;
    expect([level, typeof time, typeof pid, typeof ms]).toEqual([30, 'string', 'number', 'number']);
    expect(told).toEqual({
      request_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      client_request_id: 'mine_1.2-3',
      trace_id: TRACE,
      method: 'GET',
      route: '/api/v1/events/:event_id',
      status: 404,
      ip: '127.0.0.1',
      actor: expect.stringMatching(/^application_secret:[0-9a-f-]{36}$/),
      msg: 'request answered',
    });
  });

  it('has one id for a mutation and what it calls', async () => {
    const { answer } = await ask(
      service,
      `mutation { createEventType(applicationId: "${tenant.applicationId}", name: "a.b.c") { name } }`,
    );
    const told = await lineOf(String(answer.headers['x-request-id']));
    await eventually(async () =>
      expect((await lineOf(String(answer.headers['x-request-id']))).map(({ route }) => route)).toEqual([
        '/api/v1/event_types',
        '/graphql',
      ]),
    );
    expect(new Set(told.map(({ trace_id }) => trace_id)).size).toBe(1);
  });

  it.each(['', 'a b', 'x'.repeat(65), 'é', '{"a":1}', 'a/b', '<b>'])(
    'no other request id than %j is one of ours',
    async (given) => {
      const { headers } = await service.call('/instance', { headers: { 'x-request-id': given } });
      expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    },
  );

  it.each([
    [`00-${TRACE}-00f067aa0ba902b7-00`, true],
    [`cc-${TRACE}-00f067aa0ba902b7-01-later`, true],
    [`00-${TRACE}-00f067aa0ba902b7-01-later`, false],
    [`ff-${TRACE}-00f067aa0ba902b7-01`, false],
    [`00-${TRACE.toUpperCase()}-00f067aa0ba902b7-01`, false],
    [`00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, false],
    [`00-${TRACE}-0000000000000000-01`, false],
    [`${TRACE}`, false],
    ['', false],
  ])('a trace of %j is believed: %j', async (traceparent, isBelieved) => {
    const { headers } = await service.call('/instance', { headers: { traceparent } });
    const [{ trace_id }] = await lineOf(String(headers['x-request-id']));
    expect(trace_id).toMatch(/^[0-9a-f]{32}$/);
    expect(trace_id === TRACE).toBe(isBelieved);
  });
});

it('nothing that is secret is ever in a line or a refusal', async () => {
  const answers: Answer[] = [];
  const { applicationId, secret } = tenant;
  const call = async (...args: Parameters<TestService['call']>): Promise<Answer> => {
    const answer = await service.call(...args);
    answers.push(answer);
    return answer;
  };
  const send = (path: string, body: unknown, token: string | null = secret, method = 'POST') =>
    call(path, {
      method,
      body,
      token,
      headers: { cookie: MARKER, 'x-anything': MARKER, referer: `http://x/?${MARKER}` },
    });
  const subscription = {
    application_id: applicationId,
    is_enabled: true,
    event_types: ['order.paid'],
    labels: {},
    metadata: { note: MARKER },
    target: { type: 'http', method: 'POST', url: `${target}?key=${MARKER}`, headers: { 'x-key': MARKER } },
  };
  const created = await send('/subscriptions', subscription);
  expect(created.status).toBe(201);
  const signing = created.json.secret as string;
  const event = {
    application_id: applicationId,
    event_type: 'order.paid',
    payload: `{"a":"${MARKER}"}`,
    labels: { k: MARKER },
  };
  expect((await send('/event', event)).status).toBe(201);
  expect((await send('/event', { ...event, payload: { unencoded: MARKER } })).status).toBe(201);

  await send('/event', { ...event, payload: `{"a": ${MARKER}}` });
  await send('/event', {
    ...event,
    payload: `${MARKER} not base64 %`,
    payload_content_type: 'application/octet-stream+base64',
  });
  await send('/event', `{"payload": "${MARKER}"`);
  await send('/event', `{"payload": ${MARKER}}`);
  await send('/event', { ...event, labels: { k: [MARKER] } });
  await send('/event', { ...event, occurred_at: MARKER });
  await send('/events', { events: [event, { ...event, payload: [`${MARKER}`] }, { payload: MARKER }, MARKER] });
  await send('/subscriptions', { ...subscription, target: { ...subscription.target, headers: { host: MARKER } } });
  await send('/subscriptions', {
    ...subscription,
    target: { ...subscription.target, headers: { 'x-a': `${MARKER}\n` } },
  });
  await send('/subscriptions', {
    ...subscription,
    target: { ...subscription.target, url: `http://u:${MARKER}@10.0.0.1/` },
  });
  await send('/subscriptions', {
    ...subscription,
    target: { ...subscription.target, url: `http://10.0.0.1/${MARKER}` },
  });
  await send('/application_secrets', { application_id: applicationId, name: [MARKER] });
  for (const token of [MARKER, `${secret}${MARKER}`, '']) await send('/event', event, token);
  await call('/events', { token: null, headers: { authorization: `Basic ${MARKER}` } });
  await call(`/health?key=${MARKER}`, { token: null });
  await call(`/health?key=health-${MARKER}`, { token: null });
  await call(`/events?application_id=${applicationId}&pagination_cursor=${MARKER}`, { token: secret });
  await call(`/events?as_of=${MARKER}`, { token: secret });
  await call(`//nowhere?token=${MARKER}`, { token: null });
  await call('/event', { method: 'POST', token: secret, body: MARKER, headers: { 'content-type': `text/${MARKER}` } });
  const graphql = [
    await ask(service, `{ viewer { kind } } # ${MARKER}`, {}, secret),
    await ask(service, 'query ($x: UUID!) { application(id: $x) { id } }', { x: MARKER }, secret),
    await ask(service, '{ viewer { kind } }', {}, MARKER),
  ];
  answers.push(...graphql.map(({ answer }) => answer));

  const delivered = await eventually(async () => {
    const list = await service.get(`/request_attempts?application_id=${applicationId}`, secret);
    expect(list.json.length).toBeGreaterThan(1);
    expect(list.json.every(({ status }: { status: { type: string } }) => status.type === 'successful')).toBe(true);
    return list;
  });
  expect(delivered.status).toBe(200);
  await eventually(() => expect(lines().filter(({ msg }) => msg === 'request answered').length).toBeGreaterThan(25));

  const refusals = answers.filter(({ status }) => status >= 400);
  expect(refusals.length).toBeGreaterThan(15);
  const markers = [MARKER, signing, secret, service.masterKey];
  for (const marker of markers) {
    expect(service.log.filter((line) => line.includes(marker))).toEqual([]);
    expect(refusals.filter(({ text }) => text.includes(marker)).map(({ text }) => text)).toEqual([]);
  }
});

describe('by default', () => {
  it('a line is for what failed; who asks too often gets none', async () => {
    const quiet = await startTestService({ POSTHORN_LOG_LEVEL: 'info', POSTHORN_RATE_LIMITS: 'address=2/s' });
    await quiet.get('/organizations');
    const refused = await quiet.get('/applications/unknown');
    await Promise.all(Array.from({ length: 20 }, () => quiet.get('/instance', null)));
    const requestId = String(refused.headers['x-request-id']);
    await eventually(() => expect(quiet.log.some((line) => line.includes(requestId))).toBe(true));
    const told = quiet.log.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'request answered');
    expect(told.map(({ status }) => status).filter((status) => status < 400 || status === 429)).toEqual([]);
    expect(told).toHaveLength(1);
    await quiet.stop();
  });
});
