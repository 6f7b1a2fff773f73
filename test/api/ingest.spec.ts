import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type Receiver, startReceiver } from '../support/receivers/index.ts';
import { startTestService, type Tenant, type TestService } from '../support/service.ts';

let service: TestService;
let receiver: Receiver;
let tenant: Tenant;
beforeAll(async () => {
  [service, receiver] = await Promise.all([startTestService(), startReceiver()]);
  tenant = await service.tenant('order.paid');
  await service.post('/subscriptions', {
    application_id: tenant.applicationId,
    is_enabled: true,
    event_types: ['**'],
    labels: {},
    target: { type: 'http', method: 'POST', url: receiver.url },
  });
});
afterAll(async () => {
  await service.stop();
  await receiver.close();
});

const eventWith = (changes: Record<string, unknown> = {}) => ({
  application_id: tenant.applicationId,
  event_type: 'order.paid',
  payload: '{}',
  payload_content_type: 'application/json',
  labels: { tenant: 'a' },
  occurred_at: '2026-01-02T03:04:05.678Z',
  ...changes,
});
const send = (changes?: Record<string, unknown>) => service.post('/event', eventWith(changes));

/** The body that arrives for an event. */
const delivered = (eventId: string): Promise<Buffer> =>
  eventually(
    () => {
      const found = receiver.requests.find(({ headers }) => headers['x-event-id'] === eventId);
      if (!found) throw new Error(`Event ${eventId} has not arrived yet.`);
      return found.body;
    },
    { timeout: 10_000, interval: 5 },
  );

describe('an event', () => {
  it('is read the moment it is accepted', async () => {
    const metadata = { trace: 'x' };
    const { status, json } = await send({ metadata, payload: '{"a":1}' });
    expect(status).toBe(201);
    const path = `/events/${json.event_id}?application_id=${tenant.applicationId}`;
    expect((await service.get(path)).json).toEqual({
      application_id: tenant.applicationId,
      event_id: json.event_id,
      event_type_name: 'order.paid',
      payload_content_type: 'application/json',
      payload_bytes: 7,
      payload_sha256: '015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862',
      payload: Buffer.from('{"a":1}').toString('base64'),
      ip: '127.0.0.1',
      metadata,
      labels: { tenant: 'a' },
      occurred_at: '2026-01-02T03:04:05.678Z',
      received_at: json.received_at,
      deliveries: 1,
    });
    expect((await service.get(`/events/${json.event_id}`, tenant.secret)).status).toBe(200);
  });

  it('may say null for what it leaves out, as some clients do', async () => {
    const { status, json } = await send({
      payload: '{}',
      event_id: null,
      metadata: null,
      labels: null,
      occurred_at: null,
    });
    expect(status).toBe(201);
    const stored = await service.get(`/events/${json.event_id}?application_id=${tenant.applicationId}`);
    expect(stored.json).toMatchObject({ metadata: {}, labels: {}, occurred_at: json.received_at });
  });

  it('is found in the list by type, label and time', async () => {
    const label = randomUUID();
    const labels = { only: label, also: 'a:b' };
    const { json } = await send({ labels, payload: '1' });
    const list = (query: string) => service.get(`/events?application_id=${tenant.applicationId}&${query}`);
    const ids = async (query: string) => (await list(query)).json.map((event: { event_id: string }) => event.event_id);
    await eventually(async () => expect(await ids(`labels=only:${label}`)).toEqual([json.event_id]));
    const [instant] = [encodeURIComponent(json.received_at)];
    expect(await ids(`labels=only:${label}&labels=also:a:b&event_type=order.paid&from=${instant}`)).toEqual([
      json.event_id,
    ]);
    expect(await ids(`labels=only:${label}&to=${instant}`)).toEqual([]);
    expect(await ids(`labels=only:${label}&event_type=order.lost`)).toEqual([]);
    expect(await list(`from=${instant}&to=2020-01-01T00:00:00Z`)).toMatchObject({ json: { id: 'InvalidDateRange' } });
  });

  it.each([
    [{ event_type: 'order.lost' }, 400, 'EventTypeDoesNotExist'],
    [{ payload_content_type: 'text/html' }, 400, 'EventInvalidPayloadContentType'],
    [{ payload: '{' }, 400, 'EventInvalidJsonPayload'],
    [{ payload: `${'['.repeat(65)}${']'.repeat(65)}` }, 400, 'EventInvalidJsonPayload'],
    [{ payload: 'a===', payload_content_type: 'application/octet-stream+base64' }, 400, 'EventInvalidBase64Payload'],
    [{ payload: 1, payload_content_type: 'text/plain' }, 400, 'EventInvalidPayloadContentType'],
    [{ payload: undefined }, 422, 'Validation'],
    [{ payload: 'x'.repeat(524_289), payload_content_type: 'text/plain' }, 422, 'Validation'],
    [{ labels: { a: '' } }, 422, 'Validation'],
    [{ metadata: { '': 'a' } }, 422, 'Validation'],
    [{ occurred_at: 'yesterday' }, 422, 'Validation'],
    [{ event_id: 'nonsense' }, 422, 'Validation'],
    [{ application_id: '00000000-0000-4000-8000-000000000000' }, 404, 'NotFound'],
  ])('%j is refused', async (changes, status, id) => {
    expect(await send(changes)).toMatchObject({ status, json: { id, status } });
  });

  it('is refused in the application of somebody else', async () => {
    const other = await service.tenant('order.paid');
    const foreign = await service.post('/event', eventWith(), other.secret);
    const unknown = await service.post('/event', eventWith({ application_id: randomUUID() }), other.secret);
    expect([foreign.status, unknown.status]).toEqual([404, 404]);
    expect(foreign.json.detail.replace(tenant.applicationId, '')).toBe(
      unknown.json.detail.replace(/[0-9a-f-]{36}/, ''),
    );
  });
});

describe('a payload', () => {
  it.each([
    ['text/plain', 'ünï\r\n\ttext', 'ünï\r\n\ttext'],
    ['application/json', '{"a":1,"a":2, "b" : 1e400}', '{"a":1,"a":2, "b" : 1e400}'],
    ['application/json', '"\\u0000\\ud83d\\ude00"', '"\\u0000\\ud83d\\ude00"'],
    ['application/json', ' [1.0,  -0, 12345678901234567890] ', ' [1.0,  -0, 12345678901234567890] '],
  ])('%s %j arrives as it was sent', async (payload_content_type, payload, expected) => {
    const { json } = await send({ payload, payload_content_type });
    expect((await delivered(json.event_id)).toString()).toBe(expected);
  });

  it('of any bytes arrives as it was sent', async () => {
    const bytes = Buffer.concat([Buffer.from([0, 255, 254, 10, 13]), randomBytes(50_000)]);
    const payload_content_type = 'application/octet-stream+base64';
    const { json } = await send({ payload: bytes.toString('base64'), payload_content_type });
    expect((await delivered(json.event_id)).equals(bytes)).toBe(true);
  });

  it('that is a JSON value arrives as it is written in the request', async () => {
    const written = '{ "a" : 1e400, "a":\t[ 1.50 ,"\\u0041" ], "nested": {"payload": 0} }';
    const raw = `{"payload":"overruled","event_type":"order.paid", "payload" : ${written} ,"application_id":"${tenant.applicationId}"}`;
    const { status, json } = await service.post('/event', raw);
    expect(status).toBe(201);
    expect((await delivered(json.event_id)).toString()).toBe(written);
  });

  it('of the largest size is accepted', async () => {
    const payload = randomBytes(524_288).toString('base64');
    const { status } = await send({ payload, payload_content_type: 'application/octet-stream+base64' });
    expect(status).toBe(201);
  });
});

describe('JSON', () => {
  const BAD = [
    '',
    ' ',
    '{',
    '}',
    '[1',
    '[1,]',
    '[,1]',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    "{'a':1}",
    '{a:1}',
    '[1 2]',
    'nul',
    'True',
    'NaN',
    'Infinity',
    '01',
    '1.',
    '.5',
    '+1',
    '1e',
    '0x1',
    '"a',
    '"\t"',
    '"\\x41"',
    '"\\u12"',
    '"\\"',
    '[1]]',
    '// x\n1',
    '1/**/',
    '\u00a01',
    '\ufeff1',
    '"a" "b"',
    '[\n1\f]',
    '-',
    '--1',
    '1e1.5',
    '\u0000',
    '"\u0000"',
    '[1]\u0000',
  ];
  const GOOD = [
    'null',
    'true',
    'false',
    '0',
    '-0',
    '-1.5e-10',
    '1E400',
    '123456789012345678901234567890',
    '""',
    '"\\u0000"',
    '"\\ud83d\\ude00"',
    '"\u2028\u2029"',
    '"\u007f"',
    '[]',
    '{}',
    ' [ 1 , 2 ] \n',
    '{"":0}',
    '{"a":1,"a":2}',
    '"\\/\\b\\f"',
    '{"__proto__":1}',
    `${'['.repeat(64)}${']'.repeat(64)}`,
  ];

  it('that is none is refused as a payload and as a body', async () => {
    for (const text of BAD) {
      expect([text, (await send({ payload: text })).json.id]).toEqual([text, 'EventInvalidJsonPayload']);
      const body = await service.call('/event', { method: 'POST', body: text });
      expect([text, body.status, body.json.id]).toEqual([text, 400, 'JsonPayload']);
      const embedded = await service.post('/event', `{"event_type":"order.paid","payload":${text}}`, tenant.secret);
      expect([text, embedded.status]).toEqual([text, 400]);
    }
  });

  it('that is one arrives byte for byte, as text and as a value', async () => {
    const ids: [string, string][] = [];
    for (const text of GOOD) {
      const { status, json } = await send({ payload: text });
      expect([text, status]).toEqual([text, 201]);
      ids.push([json.event_id, text]);
      const value = `{"event_type":"order.paid","payload":${text.trim()}}`;
      const embedded = await service.post('/event', value, tenant.secret);
      // A string stands for the payload's text itself, and the body's own rules hold for what is written in it.
      if (text.startsWith('"') || text.startsWith('[[') || text.includes('__proto__')) continue;
      expect([text, embedded.status]).toEqual([text, 201]);
      ids.push([embedded.json.event_id, text.trim()]);
    }
    for (const [eventId, text] of ids) expect((await delivered(eventId)).toString()).toBe(text);
  });
});

describe('an event id', () => {
  it('makes one event of a hundred requests at once', async () => {
    const event_id = randomUUID();
    const answers = await Promise.all(Array.from({ length: 100 }, () => send({ event_id, payload: '{"once":true}' })));
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([...Array(99).fill(200), 201]);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    await delivered(event_id);
    const deliveries = await eventually(async () => {
      const found = await service.get(`/events/${event_id}/deliveries?application_id=${tenant.applicationId}`);
      expect(found.json).toMatchObject([{ status: 'succeeded', attempts: 1 }]);
      return found.json;
    });
    expect(deliveries).toHaveLength(1);
    expect(receiver.requests.filter(({ headers }) => headers['x-event-id'] === event_id)).toHaveLength(1);
  });

  it('gives the first answer again, with other spacing of the request and in upper case, too', async () => {
    const event_id = randomUUID();
    const first = await send({ event_id });
    const again = await service.post(
      '/event',
      JSON.stringify(eventWith({ event_id: event_id.toUpperCase() }), null, 2),
    );
    expect([first.status, again.status]).toEqual([201, 200]);
    expect(again.json).toEqual(first.json);
  });

  it.each([
    { payload: '{ }' },
    { labels: { tenant: 'b' } },
    { metadata: { a: 'b' } },
    { payload_content_type: 'text/plain' },
    { occurred_at: '2026-01-02T03:04:05.679Z' },
  ])('stands for one content only: not for %j', async (changes) => {
    const event_id = randomUUID();
    await send({ event_id });
    expect(await send({ event_id, ...changes })).toMatchObject({ status: 409, json: { id: 'EventAlreadyIngested' } });
  });

  it('is free in every other application', async () => {
    const other = await service.tenant('order.paid');
    const event_id = randomUUID();
    const answers = [
      await send({ event_id }),
      await send({ event_id, application_id: other.applicationId, payload: '2' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([201, 201]);
  });
});

describe('a batch', () => {
  it('answers each event by itself, in order', async () => {
    const event_id = randomUUID();
    const events = [
      { event_type: 'order.paid', payload: { a: 1 } },
      { event_type: 'order.lost', payload: '{}' },
      { event_type: 'order.paid' },
      { event_type: 'order.paid', payload: '{}', event_id },
      { event_type: 'order.paid', payload: '{}', event_id },
      { event_type: 'order.paid', payload: '[]', event_id },
      'nonsense',
      null,
    ];
    const { status, json } = await service.post('/events', { events }, tenant.secret);
    expect(status).toBe(200);
    expect(json.outcomes.map((outcome: { status: number }) => outcome.status).toSpliced(3, 2)).toEqual([
      201, 400, 422, 409, 422, 422,
    ]);
    expect(new Set([json.outcomes[3].status, json.outcomes[4].status])).toEqual(new Set([200, 201]));
    expect(json.outcomes[1]).toMatchObject({ problem: { id: 'EventTypeDoesNotExist' } });
    expect(json.outcomes[2]).toMatchObject({ problem: { id: 'Validation', validation: { payload: [{}] } } });
    expect((await delivered(json.outcomes[0].event.event_id)).toString()).toBe('{"a":1}');
  });

  it('cuts each payload out as it is written', async () => {
    const written = ['{ "a":1e400 }', '[ 1,\n2 ]', '"text"', '0.10'];
    const events = written.map((payload) => `{"event_type":"order.paid","payload":${payload}}`);
    const { json } = await service.post('/events', `{"events": [${events.join(' , ')}]}`, tenant.secret);
    const expected = ['{ "a":1e400 }', '[ 1,\n2 ]', undefined, '0.10'];
    for (const [index, text] of expected.entries()) {
      if (text === undefined) expect(json.outcomes[index].problem.id).toBe('EventInvalidJsonPayload');
      else expect((await delivered(json.outcomes[index].event.event_id)).toString()).toBe(text);
    }
  });

  it('has bounds, and may be a single event', async () => {
    const refuse = async (events: unknown) => (await service.post('/events', { events }, tenant.secret)).json;
    expect(await refuse([])).toMatchObject({ id: 'Validation', validation: { events: [{ code: 'too-small' }] } });
    expect(await refuse(Array(1_001).fill({}))).toMatchObject({ id: 'Validation' });
    expect(await refuse({})).toMatchObject({ id: 'Validation', validation: { events: [{ code: 'invalid-type' }] } });
    const single = await service.post('/events', eventWith());
    expect(single).toMatchObject({ status: 201, json: { application_id: tenant.applicationId } });
    const wrong = await service.post('/events', { event_type: 1, payload: '' }, tenant.secret);
    expect(Object.keys(wrong.json.validation)).toEqual(['event_type']);
  });
});
