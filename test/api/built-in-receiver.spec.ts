import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { askData } from '../support/graphql.ts';
import { startTestService, type Tenant, type TestService } from '../support/service.ts';

let [on, off]: TestService[] = [];
beforeAll(async () => {
  [on, off] = await Promise.all([
    startTestService({ POSTHORN_ALLOW_HTTP_TARGETS: 'off' }),
    startTestService({ POSTHORN_BUILT_IN_RECEIVER: 'off' }),
  ]);
});
afterAll(async () => {
  await Promise.all([on?.stop(), off?.stop()]);
});

const URL_OF = 'http://receiver.posthorn.internal/ok';
const subscribe = (service: TestService, { applicationId }: Tenant, url: string) =>
  service.post('/subscriptions', {
    application_id: applicationId,
    is_enabled: true,
    event_types: ['order.paid'],
    labels: {},
    target: { type: 'http', method: 'POST', url, headers: {} },
  });
const urlOf = async (service: TestService): Promise<unknown> =>
  (await askData(service, '{ instance { builtInReceiverUrl } }')).instance.builtInReceiverUrl;

it('takes webhooks where no other plain HTTP is allowed', async () => {
  const service = on as TestService;
  expect(await urlOf(service)).toBe(URL_OF);
  const tenant = await service.tenant('order.paid');
  expect((await subscribe(service, tenant, 'http://example.com/')).status).toBe(422);
  expect((await subscribe(service, tenant, URL_OF)).status).toBe(201);
  const { applicationId } = tenant;
  await service.post('/event', { application_id: applicationId, event_type: 'order.paid', payload: '{}', labels: {} });
  const query = `query ($id: UUID!) { application(id: $id) { requestAttempts { nodes {
    status httpStatus response { body } timings { dnsMs connectMs totalMs } } } } }`;
  await eventually(async () => {
    const { application } = await askData(service, query, { id: applicationId });
    const [attempt] = application.requestAttempts.nodes;
    expect(attempt).toMatchObject({
      status: 'SUCCEEDED',
      httpStatus: 200,
      timings: { dnsMs: null, connectMs: expect.any(Number), totalMs: expect.any(Number) },
    });
    expect(JSON.parse(attempt.response.body)).toStrictEqual({
      method: 'POST',
      path: '/ok',
      bytes: 2,
      signatures: ['webhook-signature', 'x-hook0-signature'],
    });
  });
});

it('can be switched off', async () => {
  const service = off as TestService;
  expect(await urlOf(service)).toBeNull();
  expect(await subscribe(service, await service.tenant('order.paid'), URL_OF)).toMatchObject({
    status: 422,
    json: { id: 'Validation' },
  });
});
