import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { answer, type Receiver, slow, startReceiver } from '../support/receivers/index.ts';
import { startTestService, type Tenant, type TestService } from '../support/service.ts';

let service: TestService;
let receiver: Receiver;
let tenant: Tenant;
/** What `/` answers at the moment. */
let status = 200;
beforeAll(async () => {
  [service, receiver] = await Promise.all([
    startTestService({ POSTHORN_RETRY_SCHEDULE: '1h×2' }),
    startReceiver({
      // A moment later, so that an attempt and the one after it never fall into the same millisecond.
      behaviour: (call) => slow(5, answer(status, `answered ${status}\xff\0`, { 'X-Answer': 'yes' }))(call),
      behaviours: { '/gone': answer(410) },
    }),
  ]);
  tenant = await service.tenant('order.paid');
});
afterAll(async () => {
  await service.stop();
  await receiver.close();
});

type Json = Record<string, unknown>;

const subscribe = async (changes: Json = {}, path = '/'): Promise<{ subscription_id: string; labels: Json }> => {
  const created = await service.post('/subscriptions', {
    application_id: tenant.applicationId,
    is_enabled: true,
    event_types: ['order.paid'],
    labels: { only: randomUUID() },
    target: { type: 'http', method: 'POST', url: `${receiver.url}${path}` },
    ...changes,
  });
  return created.json;
};

const ingest = async (labels: Json, changes: Json = {}): Promise<string> => {
  const sent = { application_id: tenant.applicationId, event_type: 'order.paid', payload: '{}', labels, ...changes };
  return (await service.post('/event', sent)).json.event_id;
};

const list = async (path: string, query: string): Promise<Json[]> =>
  (await service.get(`${path}?application_id=${tenant.applicationId}&${query}`)).json;

/** The one delivery of an event, once it is as expected. */
const deliveryOf = (eventId: string, expected: Json): Promise<Json & { delivery_id: string }> =>
  eventually(
    async () => {
      const [found] = await list('/deliveries', `event_id=${eventId}`);
      const read = await service.get(`/deliveries/${found?.delivery_id}`);
      expect(read.json).toMatchObject(expected);
      return read.json;
    },
    { timeout: 10_000, interval: 20 },
  );

/** An event that failed once and waits an hour for its next attempt. */
const waiting = async () => {
  status = 500;
  const { subscription_id, labels } = await subscribe();
  const eventId = await ingest(labels);
  const delivery = await deliveryOf(eventId, { status: 'pending', attempts: 2 });
  status = 200;
  return { subscription_id, labels, eventId, delivery, path: `/deliveries/${delivery.delivery_id}` };
};

const arrivals = (eventId: string) => receiver.requests.filter(({ headers }) => headers['x-event-id'] === eventId);

describe('a delivery', () => {
  it('tells its attempts', async () => {
    const { delivery, eventId, subscription_id } = await waiting();
    expect(delivery).toMatchObject({
      application_id: tenant.applicationId,
      event_id: eventId,
      subscription_id,
      event_type_name: 'order.paid',
      reason: null,
      due_at: expect.any(String),
      request_attempts: [
        {
          attempt_number: 1,
          retry_count: 0,
          state: 'failed',
          failure_reason: 'status',
          http_response_status: 500,
          status: { type: 'failed', full_processing_ms: expect.any(Number) },
          event: { event_id: eventId, event_type_name: 'order.paid' },
          subscription: { subscription_id, description: null },
        },
        { attempt_number: 2, retry_count: 1, state: 'waiting', response_id: null, status: { type: 'waiting' } },
      ],
    });
  });

  it('is sent at once when somebody asks for it', async () => {
    const { path, eventId } = await waiting();
    const retried = await service.post(`${path}/retry`);
    expect(retried).toMatchObject({ status: 200, json: { status: 'pending' } });
    await deliveryOf(eventId, { status: 'succeeded', attempts: 2 });
    expect(arrivals(eventId)).toHaveLength(2);
    expect(await service.post(`${path}/retry`)).toMatchObject({ status: 409, json: { id: 'DeliveryIsOver' } });
  });

  it('is moved once however many ask at the same time', async () => {
    const { path, eventId } = await waiting();
    const answers = await Promise.all(Array.from({ length: 20 }, () => service.post(`${path}/retry`)));
    for (const answered of answers) expect([200, 409]).toContain(answered.status);
    await deliveryOf(eventId, { status: 'succeeded', attempts: 2 });
    expect(arrivals(eventId)).toHaveLength(2);
  });

  it('is cancelled, stays cancelled, and can be replayed', async () => {
    const { path, eventId } = await waiting();
    const answers = await Promise.all([1, 2, 3].map(() => service.post(`${path}/cancel`)));
    for (const answered of answers)
      expect(answered).toMatchObject({ status: 200, json: { status: 'cancelled', reason: 'request', due_at: null } });
    expect(answers[0]?.json.request_attempts[1]).toMatchObject({ state: 'cancelled', status: { type: 'failed' } });
    expect(arrivals(eventId)).toHaveLength(1);
    expect(await service.post(`${path}/replay`)).toMatchObject({
      status: 200,
      json: { status: 'pending', attempts: 3 },
    });
    await deliveryOf(eventId, { status: 'succeeded', attempts: 3 });
    const [first, last] = [arrivals(eventId)[0], arrivals(eventId).at(-1)];
    expect(last?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
  });

  it('comes to one end, whether it is cancelled or retried first', async () => {
    const { path, eventId } = await waiting();
    await Promise.all([service.post(`${path}/cancel`), service.post(`${path}/retry`), service.post(`${path}/replay`)]);
    await eventually(async () => expect(['succeeded', 'cancelled']).toContain((await service.get(path)).json.status));
    expect(service.errors).toEqual([]);
    expect(arrivals(eventId).length).toBeLessThanOrEqual(3);
  });

  it('is not replayed to a subscription that is disabled', async () => {
    const { path, subscription_id } = await waiting();
    const { json } = await service.get(`/subscriptions/${subscription_id}`);
    await service.put(`/subscriptions/${subscription_id}`, { ...json, is_enabled: false });
    await eventually(async () => expect((await service.get(path)).json.status).toBe('cancelled'));
    expect(await service.post(`${path}/replay`)).toMatchObject({ status: 409, json: { id: 'SubscriptionInactive' } });
  });

  it('belongs to its application', async () => {
    const { path, delivery } = await waiting();
    const other = await service.tenant();
    const answers = [
      await service.get(path, other.secret),
      ...(await Promise.all(
        ['retry', 'cancel', 'replay'].map((verb) => service.post(`${path}/${verb}`, {}, other.secret)),
      )),
    ];
    const unknown = await service.get(`/deliveries/${randomUUID()}`, other.secret);
    for (const { status: code, json } of answers) {
      expect(code).toBe(404);
      expect(json.detail.replace(delivery.delivery_id, '')).toBe(unknown.json.detail.replace(/[0-9a-f-]{36}/, ''));
    }
    expect((await service.get(path)).json.status).toBe('pending');
  });
});

describe('replaying an event', () => {
  it('sends it to every subscription that matches now, new ones included', async () => {
    const { labels } = await subscribe();
    const eventId = await ingest(labels);
    await deliveryOf(eventId, { status: 'succeeded' });
    const fresh = await subscribe({ labels: {} });
    const disabled = await subscribe({ labels, is_enabled: false });
    const path = `/events/${eventId}/replay`;
    expect((await service.post(path, { application_id: tenant.applicationId })).status).toBe(204);
    await eventually(async () => {
      const deliveries = await list('/deliveries', `event_id=${eventId}`);
      expect(deliveries.map((delivery) => [delivery.status, delivery.attempts]).sort()).toEqual([
        ['succeeded', 1],
        ['succeeded', 2],
      ]);
      expect(deliveries.some((delivery) => delivery.subscription_id === disabled.subscription_id)).toBe(false);
    });
    expect(arrivals(eventId)).toHaveLength(3);
    await service.delete(`/subscriptions/${fresh.subscription_id}`);
    const unknown = await service.post(`/events/${randomUUID()}/replay`, { application_id: tenant.applicationId });
    expect(unknown).toMatchObject({ status: 404, json: { id: 'NotFound' } });
  });

  it('makes a waiting attempt due', async () => {
    const { eventId } = await waiting();
    expect((await service.post(`/events/${eventId}/replay`, {}, tenant.secret)).status).toBe(204);
    await eventually(() => expect(arrivals(eventId).length).toBeGreaterThanOrEqual(2));
  });

  it('says so when the payload is gone', async () => {
    const { labels } = await subscribe();
    const eventId = await ingest(labels);
    const { delivery_id } = await deliveryOf(eventId, { status: 'succeeded' });
    const { Client } = await import('pg');
    const owner = new Client({ connectionString: service.databaseUrl });
    await owner.connect();
    await owner.query('DELETE FROM payload WHERE event_id = $1', [eventId]);
    await owner.end();
    for (const path of [`/events/${eventId}/replay`, `/deliveries/${delivery_id}/replay`])
      expect(await service.post(path, {}, tenant.secret)).toMatchObject({ status: 410, json: { id: 'PayloadGone' } });
    expect((await service.get(`/events/${eventId}`, tenant.secret)).json.payload).toBeNull();
  });
});

describe('dead letters', () => {
  it('are listed, filtered and replayed', async () => {
    status = 503;
    const labels = { only: randomUUID() };
    const { subscription_id } = await subscribe({ labels, retry_schedule: '1ms' });
    const other = await subscribe({ labels, retry_schedule: '1ms' });
    const events = [await ingest(labels), await ingest(labels)];
    const query = `subscription_id=${subscription_id}`;
    const letters = await eventually(
      async () => {
        const found = await list('/dead_letters', query);
        expect(found).toHaveLength(2);
        expect(await list('/dead_letters', `subscription_id=${other.subscription_id}`)).toHaveLength(2);
        return found;
      },
      { timeout: 10_000, interval: 20 },
    );
    expect(letters.map(({ event_id }) => event_id).sort()).toEqual(events.sort());
    expect(letters[0]).toMatchObject({
      subscription_id,
      reason: 'retries_exhausted',
      attempts: 2,
      last_failure: 'status',
      last_http_status: 503,
    });
    expect(await list('/dead_letters', `${query}&reason=gone`)).toEqual([]);
    expect(await list('/dead_letters', `${query}&last_failure=status&event_type=order.paid`)).toHaveLength(2);

    status = 200;
    const { organizationId: _, ...ids } = tenant;
    const replayed = await service.post('/dead_letters/replay', {
      application_id: ids.applicationId,
      filter: { subscription_id },
    });
    expect(replayed).toMatchObject({ status: 200, json: { replayed: 2, skipped: 0, has_more: false } });
    await eventually(async () => expect(await list('/dead_letters', query)).toEqual([]), { timeout: 5_000 });
    await eventually(async () =>
      expect(await list('/deliveries', query)).toMatchObject([{ status: 'succeeded' }, { status: 'succeeded' }]),
    );
    expect(await list('/dead_letters', `subscription_id=${other.subscription_id}`)).toHaveLength(2);
  });

  it('of a receiver that is gone are skipped', async () => {
    const { subscription_id, labels } = await subscribe({}, '/gone');
    await ingest(labels);
    await eventually(async () =>
      expect(await list('/dead_letters', `subscription_id=${subscription_id}`)).toMatchObject([{ reason: 'gone' }]),
    );
    const { json } = await service.get(`/subscriptions/${subscription_id}`);
    expect(json).toMatchObject({ is_enabled: false, disabled_reason: 'gone' });
    const replayed = await service.post('/dead_letters/replay', { filter: { subscription_id } }, tenant.secret);
    expect(replayed.json).toEqual({ replayed: 0, skipped: 1, has_more: false });
  });
});

describe('request attempts', () => {
  it('are listed newest first, by event, subscription, type, time and state', async () => {
    const { eventId, subscription_id, delivery } = await waiting();
    const attempts = await eventually(async () => {
      const found = await list('/request_attempts', `event_id=${eventId}`);
      expect(found).toMatchObject([{ state: 'waiting' }, { state: 'failed' }]);
      return found;
    });
    expect(attempts.toReversed()).toEqual(delivery.request_attempts);
    const [, failed] = attempts;
    const read = await service.get(`/request_attempts/${failed?.request_attempt_id}`, tenant.secret);
    expect(read.json).toEqual(failed);
    const at = encodeURIComponent(String(failed?.created_at));
    for (const query of [
      `subscription_id=${subscription_id}&state=failed`,
      `event_id=${eventId}&max_created_at=${at}`,
      `event_id=${eventId}&state=failed&event.event_type_names=a.b,order.paid`,
    ])
      expect(await list('/request_attempts', query)).toEqual([failed]);
    expect(await list('/request_attempts', `event_id=${eventId}&event.event_type_names=a.b`)).toEqual([]);
    const other = await service.tenant();
    expect((await service.get(`/request_attempts/${failed?.request_attempt_id}`, other.secret)).status).toBe(404);
  });

  it('tell what the receiver answered', async () => {
    const { delivery } = await waiting();
    const [failed] = delivery.request_attempts as Json[];
    const read = () => service.get(`/responses/${failed?.response_id}`, tenant.secret);
    const response = await eventually(async () => {
      const found = await read();
      expect(found.status).toBe(200);
      return found.json;
    });
    expect(response).toEqual({
      response_id: failed?.request_attempt_id,
      response_error_name: 'E_HTTP',
      http_code: 500,
      headers: expect.objectContaining({ 'x-answer': 'yes' }),
      body: 'answered 500ÿ\0',
      body_truncated: false,
      elapsed_time_ms: expect.any(Number),
    });
    expect((await service.get(`/responses/${randomUUID()}`, tenant.secret)).json.id).toBe('NotFound');
  });

  it('tell why nobody answered', async () => {
    const labels = { only: randomUUID() };
    const closed = await startReceiver();
    await closed.close();
    await subscribe({ labels, target: { type: 'http', method: 'POST', url: closed.url } });
    const eventId = await ingest(labels);
    const { request_attempts } = await deliveryOf(eventId, { status: 'pending', attempts: 2 });
    const [failed] = request_attempts as Json[];
    await eventually(async () => {
      const { json } = await service.get(`/responses/${failed?.response_id}`, tenant.secret);
      expect(json).toMatchObject({ response_error_name: 'E_CONNECTION', http_code: null, headers: null });
      expect(json.body).toBe(failed?.error_message);
    });
  });
});

describe('events per day', () => {
  it('are counted for an application and for an organization', async () => {
    const own = await service.tenant('order.paid');
    for (const payload of ['1', '2'])
      await service.post('/event', { event_type: 'order.paid', payload, application_id: own.applicationId });
    const today = new Date().toISOString().slice(0, 10);
    const expected = [
      { application_id: own.applicationId, application_name: 'Shop', date: today, amount: 2, is_provisional: true },
    ];
    await eventually(async () =>
      expect((await service.get('/events_per_day/application', own.secret)).json).toEqual(expected),
    );
    const whole = await service.get(`/events_per_day/organization?organization_id=${own.organizationId}`);
    expect(whole.json).toEqual(expected);
    const refused = await service.get(`/events_per_day/application?from=${today}&to=2020-01-01`, own.secret);
    expect(refused).toMatchObject({ status: 400, json: { id: 'InvalidDateRange' } });
  });
});
