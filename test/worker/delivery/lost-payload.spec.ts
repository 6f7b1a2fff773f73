import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '#test/support/eventually.ts';
import { startTestService, type TestService } from '#test/support/service.ts';

let service: TestService;
let owner: Client;
beforeAll(async () => {
  service = await startTestService();
  owner = new Client({ connectionString: service.databaseUrl });
  await owner.connect();
});
afterAll(async () => {
  await owner.end();
  await service.stop();
});

/** An event whose one delivery waits for its second attempt, which takes the payload from the database. */
const waiting = async () => {
  const { applicationId, secret } = await service.tenant('order.paid');
  await service.post(
    '/subscriptions',
    {
      is_enabled: true,
      event_types: ['order.paid'],
      labels: { all: 'yes' },
      retry_schedule: '1d',
      target: { type: 'http', method: 'POST', url: 'http://receiver.posthorn.internal/status/503', headers: {} },
    },
    secret,
  );
  const { json: event } = await service.post(
    '/event',
    { event_type: 'order.paid', payload: '{}', labels: { all: 'yes' } },
    secret,
  );
  const eventId = String(event.event_id);
  const deliveryId = await eventually(async () => {
    const { json } = await service.get(`/events/${eventId}/deliveries`, secret);
    expect(json[0]).toMatchObject({ status: 'pending', attempts: 2 });
    return String(json[0].delivery_id);
  });
  return { applicationId, secret, eventId, deliveryId };
};
type Waiting = Awaited<ReturnType<typeof waiting>>;

/** The dead letter that a delivery becomes when it is tried now. */
const letterOf = async ({ applicationId, secret, deliveryId }: Waiting) => {
  await service.post(`/deliveries/${deliveryId}/retry`, {}, secret);
  return eventually(async () => {
    expect((await service.get(`/deliveries/${deliveryId}`, secret)).json).toMatchObject({ status: 'dead_lettered' });
    const { json } = await service.get(`/dead_letters?application_id=${applicationId}`, secret);
    expect(json).toHaveLength(1);
    return json[0];
  });
};

/** Somebody else waits for it while it goes: a replay that was asked for in the moment in which its day was dropped. */
it('ends a delivery whose payload has gone as a dead letter that says so', async () => {
  const one = await waiting();
  await owner.query('DELETE FROM payload WHERE application_id = $1', [one.applicationId]);
  expect(await letterOf(one)).toMatchObject({ delivery_id: one.deliveryId, reason: 'payload_missing' });
  expect(await service.post(`/deliveries/${one.deliveryId}/replay`, {}, one.secret)).toMatchObject({
    status: 410,
    json: { id: 'PayloadGone' },
  });
});

it('sends nothing that was changed in the database, nor shows it; others go on', async () => {
  const [changed, other] = [await waiting(), await waiting()];
  await owner.query(
    'UPDATE payload SET body = (SELECT body FROM payload WHERE application_id = $2) WHERE application_id = $1',
    [changed.applicationId, other.applicationId],
  );
  expect(await letterOf(changed)).toMatchObject({ reason: 'payload_missing' });
  const attempts = await service.get(`/request_attempts?event_id=${changed.eventId}`, changed.secret);
  expect(JSON.stringify(attempts.json)).toContain('it was changed in the database');
  expect(await service.get(`/events/${changed.eventId}`, changed.secret)).toMatchObject({
    status: 500,
    json: { id: 'StoredBodyChanged' },
  });
  const { json } = await service.get(`/events/${other.eventId}`, other.secret);
  expect(Buffer.from(json.payload, 'base64').toString()).toBe('{}');
});

it('reads what was stored in clear before bodies were sealed', async () => {
  const { applicationId, eventId, secret } = await waiting();
  await owner.query(`UPDATE payload SET body = 'in clear', is_sealed = false WHERE application_id = $1`, [
    applicationId,
  ]);
  const { json } = await service.get(`/events/${eventId}`, secret);
  expect(Buffer.from(json.payload, 'base64').toString()).toBe('in clear');
});
