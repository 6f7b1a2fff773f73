import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { answer, type Receiver, startReceiver } from '../support/receivers/index.ts';
import { type Answer, startTestService, type Tenant, type TestService } from '../support/service.ts';

let service: TestService;
let receiver: Receiver;
let tenant: Tenant;
let other: Tenant;
let subscriptionId: string;
let eventId: string;
let deliveryId: string;
/** Instants: with a subscription and nothing else; with a dead letter; after all of it. */
let [before, during] = ['', ''];
let status = 500;

/** The database's clock is that of this machine; the next millisecond is another instant. */
const mark = async (): Promise<string> => {
  const at = Date.now();
  await eventually(() => expect(Date.now()).toBeGreaterThan(at));
  return new Date(at).toISOString();
};
const get = (path: string, asOf?: string, token?: string): Promise<Answer> => {
  const query = new URLSearchParams({ application_id: tenant.applicationId, ...(asOf && { as_of: asOf }) });
  return service.get(`${path}${path.includes('?') ? '&' : '?'}${query}`, token);
};

beforeAll(async () => {
  [service, receiver] = await Promise.all([
    startTestService({ POSTHORN_RETRY_SCHEDULE: '1h×1' }),
    startReceiver({ behaviour: (call) => answer(status)(call) }),
  ]);
  [tenant, other] = [await service.tenant('order.paid'), await service.tenant('order.paid')];
  const created = await service.post('/subscriptions', {
    application_id: tenant.applicationId,
    is_enabled: true,
    event_types: ['order.paid'],
    description: 'first',
    labels: {},
    target: { type: 'http', method: 'POST', url: receiver.url, headers: { 'x-key': 'hush' } },
  });
  subscriptionId = created.json.subscription_id;
  before = await mark();
  status = 410; // Gives up at once, and disables.
  const sent = { application_id: tenant.applicationId, event_type: 'order.paid', payload: '{}', labels: {} };
  eventId = (await service.post('/event', sent)).json.event_id;
  deliveryId = await eventually(async () => {
    const { json } = await get(`/deliveries?event_id=${eventId}`);
    expect(json).toMatchObject([{ status: 'dead_lettered' }]);
    expect((await get(`/subscriptions/${subscriptionId}`)).json.is_enabled).toBe(false);
    return json[0].delivery_id as string;
  });
  during = await mark();
  status = 200;
  await service.put(`/subscriptions/${subscriptionId}`, {
    application_id: tenant.applicationId,
    is_enabled: true,
    event_types: ['order.paid'],
    description: 'second',
    labels: {},
    target: { type: 'http', method: 'POST', url: receiver.url, headers: {} },
  });
  await service.post(`/deliveries/${deliveryId}/replay`);
  await eventually(async () =>
    expect((await get('/counts')).json.deliveries).toMatchObject({ succeeded: 1, dead_lettered: 0 }),
  );
});
afterAll(async () => {
  await service.stop();
  await receiver.close();
});

describe('as_of', () => {
  it('shows each list as it was', async () => {
    const at = async (path: string, asOf?: string) => (await get(path, asOf)).json;
    for (const path of [
      '/events',
      '/deliveries',
      '/request_attempts',
      '/dead_letters',
      `/events/${eventId}/deliveries`,
    ])
      expect(await at(path, before), path).toEqual(
        path.startsWith('/events/') ? expect.objectContaining({ id: 'NotFound' }) : [],
      );
    expect(await at('/dead_letters', during)).toMatchObject([{ delivery_id: deliveryId, reason: 'gone' }]);
    expect(await at('/dead_letters')).toEqual([]);
    expect(await at('/deliveries?status=dead_lettered', during)).toMatchObject([
      { delivery_id: deliveryId, attempts: 1 },
    ]);
    expect(await at('/deliveries', during)).toMatchObject([{ status: 'dead_lettered', attempts: 1 }]);
    expect(await at(`/deliveries/${deliveryId}`, during)).toMatchObject({
      status: 'dead_lettered',
      request_attempts: [{ state: 'failed', subscription: { description: 'first' } }],
    });
    expect(await at('/request_attempts', during)).toMatchObject([{ subscription: { description: 'first' } }]);
    expect(await at('/request_attempts')).toHaveLength(2);
    expect(await at('/events?delivery_status=dead_lettered', during)).toMatchObject([{ event_id: eventId }]);
    expect(await at('/events?delivery_status=dead_lettered')).toEqual([]);
    expect(await at('/subscriptions', before)).toMatchObject([{ description: 'first', is_enabled: true }]);
    expect(await at('/subscriptions', during)).toMatchObject([{ is_enabled: false, disabled_reason: 'gone' }]);
    expect(await at('/event_types', before)).toMatchObject([{ event_type_name: 'order.paid' }]);
    expect((await get('/event_types/order.paid', '2020-01-01T00:00:00Z')).status).toBe(404);
    expect(await at(`/applications/${tenant.applicationId}`, during)).toMatchObject({
      consumption: { events_per_day: 1 },
      onboarding_steps: { event: 'Done' },
    });
    expect(await at('/counts', during)).toEqual({
      events: 1,
      deliveries: { pending: 0, waiting: 0, succeeded: 0, dead_lettered: 1, cancelled: 0 },
      request_attempts: { pending: 0, waiting: 0, succeeded: 0, failed: 1, timeout: 0, cancelled: 0 },
      dead_letters: 1,
      subscriptions: 1,
      event_types: 1,
    });
  });

  it('shows organizations, members and secrets as they were', async () => {
    const owner = await service.post('/organizations', { name: 'First name' });
    const id = String(owner.json.organization_id);
    const made = await service.post('/applications', { organization_id: id, name: 'Shop' });
    const applicationId = String(made.json.application_id);
    const of = `application_id=${applicationId}`;
    await service.post('/event_types', { application_id: applicationId, name: 'order.paid' });
    const then = await mark();
    await service.put(`/organizations/${id}`, { name: 'Second name' });
    const [secret] = (await service.get(`/application_secrets?${of}`)).json;
    await service.post('/application_secrets', { application_id: applicationId, name: 'Later' });
    await service.delete(`/application_secrets/${secret.secret_id}?${of}`);
    await service.post('/event', {
      application_id: applicationId,
      event_type: 'order.paid',
      payload: '{}',
      labels: {},
    });
    const full = await mark();
    await service.delete(`/applications/${applicationId}`);
    await service.delete(`/organizations/${id}`);

    const listed = async (asOf: string) =>
      (await service.get(`/organizations?as_of=${asOf}`)).json.find(
        (found: { organization_id: string }) => found.organization_id === id,
      );
    expect(await listed(before)).toBeUndefined();
    expect(await listed(then)).toMatchObject({ name: 'First name', role: 'master' });
    expect(await listed(full)).toMatchObject({ name: 'Second name' });
    expect((await service.get(`/organizations/${id}`)).status).toBe(404);
    expect((await service.get(`/organizations/${id}?as_of=${before}`)).status).toBe(404);
    expect((await service.get(`/organizations/${id}?as_of=${then}`)).json).toMatchObject({
      name: 'First name',
      consumption: { members: 0, applications: 1, events_per_day: 0 },
      onboarding_steps: { application: 'Done', event_type: 'Done', subscription: 'ToDo', event: 'ToDo' },
    });
    expect((await service.get(`/organizations/${id}?as_of=${full}`)).json).toMatchObject({
      name: 'Second name',
      consumption: { applications: 1, events_per_day: 1 },
      onboarding_steps: { event: 'Done' },
    });
    const secrets = async (asOf: string) =>
      (await service.get(`/application_secrets?${of}&as_of=${asOf}`)).json.map(
        ({ name, token }: { name: string; token: string | null }) => [name, token],
      );
    expect(await secrets(then)).toEqual([['Default', null]]);
    expect(await secrets(full)).toEqual([['Later', null]]);
    const byDay = async (asOf: string, whose: string) =>
      (await service.get(`/events_per_day/${whose}&as_of=${asOf}`)).json.map(
        ({ amount }: { amount: number }) => amount,
      );
    for (const whose of [`application?${of}`, `organization?organization_id=${id}`]) {
      expect(await byDay(then, whose), whose).toEqual([]);
      expect(await byDay(full, whose), whose).toEqual([1]);
    }
  });

  it('shows what was answered, once it had been', async () => {
    const [attempt] = (await get('/request_attempts', during)).json;
    const path = `/responses/${attempt.response_id}`;
    expect((await get(path, during)).json).toEqual((await get(path)).json);
    expect((await get(path, during)).json).toMatchObject({ http_code: 410 });
    expect((await get(path, before)).status).toBe(404);
  });

  it('shows no secret of the past', async () => {
    const { json } = await get(`/subscriptions/${subscriptionId}`, before);
    expect(json).toMatchObject({ secret: '', signing_secret: '', target: { headers: { 'x-key': '' } } });
  });

  it('stays in its cut from page to page', async () => {
    for (let index = 0; index < 3; index += 1)
      await service.post('/event', {
        application_id: tenant.applicationId,
        event_type: 'order.paid',
        payload: '{}',
        labels: {},
      });
    const first = await get('/events?limit=1', await mark());
    const link = /<[^>]*\/api\/v1([^>]*)>; rel="next"/.exec(String(first.headers.link))?.[1] ?? '';
    expect(link).toContain('as_of=');
    expect((await service.get(link)).json).toHaveLength(1);
    expect((await service.get(link.replace(/as_of=[^&]*&?/, ''))).json).toMatchObject({ id: 'InvalidCursor' });
  });

  it.each([['2999-01-01T00:00:00Z'], ['now'], ['99:1']])('refuses %s', async (asOf) => {
    const refused = await get('/events', asOf);
    expect(refused).toMatchObject({ status: 400, json: { id: 'InvalidAsOf' } });
  });

  it('is refused where nothing can be asked of the past', async () => {
    const asOf = `as_of=${before}`;
    for (const refused of [
      await service.post(`/deliveries/${deliveryId}/replay?${asOf}`),
      await service.delete(`/subscriptions/${subscriptionId}?${asOf}`),
      await service.get(`/service_token?organization_id=${tenant.organizationId}&${asOf}`),
    ])
      expect(refused).toMatchObject({ status: 400, json: { id: 'InvalidAsOf' } });
    expect((await get(`/subscriptions/${subscriptionId}`)).status).toBe(200);
  });

  it('opens nothing of another tenant', async () => {
    for (const path of [
      '/events',
      '/counts',
      `/subscriptions/${subscriptionId}`,
      `/deliveries/${deliveryId}`,
      `/applications/${tenant.applicationId}`,
    ])
      expect((await get(path, during, other.secret)).status, path).toBe(404);
  });
});
