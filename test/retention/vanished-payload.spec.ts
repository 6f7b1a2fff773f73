import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '#test/support/eventually.ts';
import { startTestService, type TestService } from '#test/support/service.ts';

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service.stop());

/** Somebody else waits for it while it goes: a replay that was asked for in the moment in which its day was dropped. */
it('ends a delivery whose payload has gone as a dead letter that says so', async () => {
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
  const path = `/events/${event.event_id}/deliveries`;
  const deliveryId = await eventually(async () => {
    const { json } = await service.get(path, secret);
    expect(json[0]).toMatchObject({ status: 'pending', attempts: 2 });
    return json[0].delivery_id;
  });
  const owner = new Client({ connectionString: service.databaseUrl });
  await owner.connect();
  await owner.query('DELETE FROM payload WHERE application_id = $1', [applicationId]);
  await owner.end();

  await service.post(`/deliveries/${deliveryId}/retry`, {}, secret);
  await eventually(async () =>
    expect((await service.get(`/deliveries/${deliveryId}`, secret)).json).toMatchObject({ status: 'dead_lettered' }),
  );
  const letters = await eventually(async () => {
    const { json } = await service.get(`/dead_letters?application_id=${applicationId}`, secret);
    expect(json).toHaveLength(1);
    return json;
  });
  expect(letters[0]).toMatchObject({ delivery_id: deliveryId, reason: 'payload_missing' });
  expect(await service.post(`/deliveries/${deliveryId}/replay`, {}, secret)).toMatchObject({
    status: 410,
    json: { id: 'PayloadGone' },
  });
});
