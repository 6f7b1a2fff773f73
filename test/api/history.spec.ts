import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { ask } from '../support/graphql.ts';
import { answer, type Receiver, startReceiver } from '../support/receivers/index.ts';
import { startTestService, type Tenant, type TestService } from '../support/service.ts';

let service: TestService;
let receiver: Receiver;
let tenant: Tenant;
let other: Tenant;
let eventId: string;
let deliveryId: string;
const subscriptions: Record<string, string> = {};

const body = (changes: Record<string, unknown> = {}) => ({
  application_id: tenant.applicationId,
  is_enabled: true,
  event_types: ['order.paid'],
  labels: {},
  target: { type: 'http', method: 'POST', url: receiver.url, headers: { 'x-key': 'hush' } },
  ...changes,
});
const subscribe = async (name: string, changes: Record<string, unknown> = {}): Promise<void> => {
  const { json } = await service.post('/subscriptions', body({ description: name, ...changes }));
  subscriptions[name] = json.subscription_id;
};
const get = (path: string, token?: string) =>
  service.get(`${path}${path.includes('?') ? '&' : '?'}application_id=${tenant.applicationId}`, token);

beforeAll(async () => {
  [service, receiver] = await Promise.all([startTestService(), startReceiver({ behaviour: answer(200) })]);
  [tenant, other] = [await service.tenant('order.paid', 'order.sent'), await service.tenant('order.paid')];
  await subscribe('matched', { event_types: ['order.*'] });
  await subscribe('type', { event_types: ['order.sent'] });
  await subscribe('label', { labels: { region: 'us' } });
  await subscribe('disabled', { is_enabled: false });
  await subscribe('deleted');
  await service.delete(`/subscriptions/${subscriptions.deleted}`);
  const sent = {
    application_id: tenant.applicationId,
    event_type: 'order.paid',
    payload: '{}',
    labels: { region: 'eu' },
  };
  eventId = (await service.post('/event', sent)).json.event_id;
  // After the event: none of this may change what is told of its routing.
  await subscribe('later');
  await service.put(`/subscriptions/${subscriptions.label}`, body({ labels: { region: 'eu' } }));
  await eventually(async () => {
    const { json } = await get(`/deliveries?event_id=${eventId}`);
    expect(json).toMatchObject([{ status: 'succeeded' }]);
    deliveryId = json[0].delivery_id;
  });
  await service.post(`/events/${eventId}/replay`, { application_id: tenant.applicationId });
  await eventually(async () => {
    const { json } = await get(`/deliveries?event_id=${eventId}&status=succeeded`);
    expect(json).toHaveLength(3);
    expect((await service.get(`/deliveries/${deliveryId}`)).json).toMatchObject({ status: 'succeeded', attempts: 2 });
  });
});
afterAll(async () => {
  await service.stop();
  await receiver.close();
});

describe('history', () => {
  it('tells of each kind of object, newest first', async () => {
    const types = async (path: string) => (await get(path)).json.map(({ type }: { type: string }) => type);
    expect(await types(`/organizations/${tenant.organizationId}/history`)).toEqual(['OrganizationCreated']);
    expect(await types(`/applications/${tenant.applicationId}/history`)).toEqual(['ApplicationCreated']);
    const [secret] = (await service.get('/application_secrets', tenant.secret)).json;
    expect(await types(`/application_secrets/${secret.secret_id}/history`)).toEqual(['ApplicationSecretCreated']);
    expect(await types('/event_types/order.paid/history')).toEqual(['EventTypeCreated']);
    expect(await types(`/subscriptions/${subscriptions.label}/history`)).toEqual([
      'SubscriptionReplaced',
      'SubscriptionCreated',
    ]);
    expect(await types(`/events/${eventId}/history`)).toEqual(['EventReplayed', 'EventIngested']);
    expect(await types(`/deliveries/${deliveryId}/history`)).toEqual([
      'AttemptSucceeded',
      'AttemptScheduled',
      'AttemptSucceeded',
      'AttemptScheduled',
    ]);
  });

  it('says who and from where, and what changed, without a secret', async () => {
    const { json, text } = await get(`/subscriptions/${subscriptions.label}/history`);
    expect(json[0]).toMatchObject({
      type: 'SubscriptionReplaced',
      summary: 'Labels changed; description removed',
      actor: 'master',
      ip: '127.0.0.1',
      position: expect.stringMatching(/^\d+:\d+$/),
      changes: expect.arrayContaining([{ path: '/labels/region', before: 'us', after: 'eu' }]),
    });
    expect(text).not.toContain('hush');
    const asOf = await get(`/subscriptions/${subscriptions.label}?as_of=${json[1].position}`);
    expect(asOf.json.labels).toEqual({ region: 'us' });
  });

  it('stays readable of what was deleted', async () => {
    const { json } = await get(`/subscriptions/${subscriptions.deleted}/history`, tenant.secret);
    expect(json).toMatchObject([{ type: 'SubscriptionDeleted' }, { type: 'SubscriptionCreated' }]);
  });

  it('comes in pages', async () => {
    const first = await get(`/deliveries/${deliveryId}/history?limit=3`);
    expect(first.json).toHaveLength(3);
    const link = /<[^>]*\/api\/v1([^>]*)>; rel="next"/.exec(String(first.headers.link))?.[1] ?? '';
    const second = await service.get(link);
    expect(second.json).toMatchObject([
      { version: 1, changes: expect.arrayContaining([{ path: '/attempts', before: null, after: 1 }]) },
    ]);
    expect(second.headers.link).toBeUndefined();
  });
});

describe('the audit trail of an application', () => {
  it('lists what was changed, newest first, by type, actor and time', async () => {
    const path = `/applications/${tenant.applicationId}/audit`;
    const all = await service.get(path);
    expect(all.json).toHaveLength(12);
    expect(all.json[0]).toMatchObject({
      type: 'SubscriptionReplaced',
      object: 'subscription',
      object_id: subscriptions.label,
      changes: expect.arrayContaining([{ path: '/labels/region', before: 'us', after: 'eu' }]),
    });
    expect(all.json.at(-1)).toMatchObject({ type: 'ApplicationCreated', object: 'application' });
    const listed = async (query: string) => (await service.get(`${path}?${query}`)).json;
    expect(await listed('type=EventTypeCreated')).toMatchObject([
      { object_id: 'order.sent' },
      { object_id: 'order.paid' },
    ]);
    expect(await listed('actor=nobody')).toEqual([]);
    expect(await listed('actor=master&type=ApplicationCreated')).toHaveLength(1);
    expect(await listed(`to=${all.json.at(-1).at}`)).toEqual([]);
    expect(await listed(`from=${all.json[0].at}`)).toHaveLength(1);
    const first = await service.get(`${path}?limit=11`);
    const link = /<[^>]*\/api\/v1([^>]*)>; rel="next"/.exec(String(first.headers.link))?.[1] ?? '';
    expect((await service.get(link)).json).toMatchObject([{ type: 'ApplicationCreated' }]);
  });
});

describe('the routing of an event', () => {
  const outcomes = async (query = '') => {
    const { json } = await get(`/events/${eventId}/routing${query}`);
    return Object.fromEntries(
      Object.entries(subscriptions).map(([name, id]) => [
        name,
        json.find((verdict: { subscription_id: string }) => verdict.subscription_id === id),
      ]),
    );
  };

  it('says of every subscription why it got the event, or why not, as things were', async () => {
    expect(await outcomes()).toMatchObject({
      matched: { outcome: 'matched', pattern: 'order.*' },
      type: { outcome: 'event_type', event_types: ['order.sent'] },
      label: { outcome: 'label', label: { key: 'region', wanted: 'us', found: 'eu' } },
      disabled: { outcome: 'disabled' },
      deleted: { outcome: 'deleted' },
      later: { outcome: 'not_created' },
    });
  });

  it('says so of a replay, too', async () => {
    expect(await outcomes('?replay=1')).toMatchObject({
      matched: { outcome: 'matched' },
      label: { outcome: 'matched' },
      later: { outcome: 'matched' },
      disabled: { outcome: 'disabled' },
    });
    expect((await get(`/events/${eventId}/routing?replay=2`)).status).toBe(404);
  });
});

describe('the causation of an event', () => {
  it('goes from the request to each attempt', async () => {
    const { json } = await get(`/events/${eventId}/causation`);
    expect(json).toMatchObject({
      event_id: eventId,
      command: { actor: 'master', ip: '127.0.0.1', correlation_id: eventId },
      routing: { matched: 1, not_matched: 3 },
      replays: [{ command: { actor: 'master' }, routing: { matched: 3, not_matched: 2 } }],
      has_more_deliveries: false,
    });
    const delivery = json.deliveries.find((of: { delivery_id: string }) => of.delivery_id === deliveryId);
    expect(delivery).toMatchObject({
      status: 'succeeded',
      request_attempts: [
        {
          trigger: 'ingest',
          outcome: 'succeeded',
          http_status: 200,
          scheduled: { causation_id: json.command.causation_id },
        },
        { trigger: 'replay', outcome: 'succeeded', scheduled: { causation_id: json.replays[0].command.causation_id } },
      ],
    });
  });
});

it('of an organization tells of people, which the secret of an application does not open', async () => {
  const path = `/organizations/${tenant.organizationId}`;
  expect((await service.get(path, tenant.secret)).json).toMatchObject({ users: [] });
  const { status, json } = await service.get(`${path}/history`, tenant.secret);
  expect([status, json.id]).toEqual([403, 'Forbidden']);
  const query = `{ organization(id: "${tenant.organizationId}") { history { nodes { actor } } } }`;
  const { errors } = await ask(service, query, {}, tenant.secret);
  expect(errors).toMatchObject([{ extensions: { id: 'Forbidden' } }]);
});

it('opens nothing of another tenant, nor of what never was', async () => {
  const paths = [
    `/organizations/${tenant.organizationId}/history`,
    `/applications/${tenant.applicationId}/history`,
    `/applications/${tenant.applicationId}/audit`,
    `/subscriptions/${subscriptions.matched}/history`,
    `/subscriptions/${subscriptions.deleted}/history`,
    `/deliveries/${deliveryId}/history`,
    `/events/${eventId}/history`,
    `/events/${eventId}/causation`,
    `/events/${eventId}/routing`,
    '/event_types/order.paid/history',
  ];
  for (const path of paths) {
    expect((await get(path)).status, path).toBe(200);
    expect((await get(path, other.secret)).json, path).toMatchObject({ id: 'NotFound', status: 404 });
  }
  for (const path of ['/subscriptions/{}/history', '/events/{}/causation', '/applications/{}/audit'])
    expect((await get(path.replace('{}', tenant.organizationId))).status, path).toBe(404);
});
