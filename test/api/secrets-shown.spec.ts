import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { attenuate } from '#src/tokens/attenuate.ts';
import { ask } from '#test/support/graphql.ts';
import { PASSWORD, type PeopleService, type Person, startPeopleService } from '#test/support/people.ts';

let service: PeopleService;
let owner: Person;
let applicationId: string;
let subscriptionId: string;
let tokenId: string;
beforeAll(async () => {
  service = await startPeopleService();
  owner = await service.person('Olga');
  const application = await service.post(
    '/applications',
    { organization_id: owner.organizationId, name: 'Shop' },
    owner.token,
  );
  applicationId = application.json.application_id;
  await service.post('/event_types', { application_id: applicationId, name: 'order.paid' }, owner.token);
  const subscription = await service.post('/subscriptions', body('kept'), owner.token);
  subscriptionId = subscription.json.subscription_id;
  const token = await service.post(
    '/service_token',
    { organization_id: owner.organizationId, name: 'ci' },
    owner.token,
  );
  tokenId = token.json.token_id;
});
afterAll(() => service.stop());

const body = (header: string | null) => ({
  application_id: applicationId,
  is_enabled: true,
  event_types: ['order.paid'],
  labels: {},
  target: { type: 'http', method: 'POST', url: 'http://127.0.0.9:9/', headers: { 'x-api-key': header } },
});

/** A session of a person whose password was given eleven minutes ago. */
const later = async (person: Person): Promise<string> => {
  const { refreshToken } = await service.login(person.email);
  const client = new Client({ connectionString: service.databaseUrl });
  await client.connect();
  await client.query(
    `UPDATE user_session SET authenticated_at = authenticated_at - interval '11 minutes' WHERE user_id = $1`,
    [person.userId],
  );
  await client.end();
  return String((await service.post('/auth/refresh', undefined, refreshToken)).json.access_token);
};

const seen = async (token: string) => {
  const [subscription, secrets, serviceToken] = await Promise.all([
    service.get(`/subscriptions/${subscriptionId}`, token),
    service.get(`/application_secrets?application_id=${applicationId}`, token),
    service.get(`/service_token/${tokenId}`, token),
  ]);
  return {
    secret: subscription.json.secret,
    signing: subscription.json.signing_secret,
    header: subscription.json.target?.headers['x-api-key'],
    application: Array.isArray(secrets.json) ? secrets.json[0].token : secrets.json.id,
    biscuit: serviceToken.json.biscuit === undefined ? serviceToken.json.id : serviceToken.json.biscuit,
  };
};
const HIDDEN = { secret: null, signing: null, header: null, application: null, biscuit: null };
const REVEAL = 'mutation ($id: UUID!) { revealSubscription(id: $id) { secret } }';

it('secrets are shown for ten minutes after the password, and again once it is confirmed', async () => {
  expect(await seen(owner.token)).toEqual({
    secret: expect.any(String),
    signing: expect.stringMatching(/^whsec_/),
    header: 'kept',
    application: expect.any(String),
    biscuit: expect.any(String),
  });

  const token = await later(owner);
  expect(await seen(token)).toEqual(HIDDEN);
  const list = await service.get(`/subscriptions?application_id=${applicationId}`, token);
  expect(list.json[0]).toMatchObject({ secret: null, target: { headers: { 'x-api-key': null } } });
  const refused = [
    await service.post('/service_token', { organization_id: owner.organizationId, name: 'another' }, token),
    await service.post('/application_secrets', { application_id: applicationId }, token),
    await service.post(`/subscriptions/${subscriptionId}/secret/rotate`, {}, token),
    await service.post(`/service_token/${tokenId}/attenuate`, { actions: ['event:ingest'] }, token),
    await service.post('/auth/password', { new_password: 'a wholly different sentence' }, token),
    await service.delete('/auth/account', token),
  ];
  for (const { status, json } of refused) expect([status, json.id]).toEqual([403, 'ReauthenticationNeeded']);
  const revealed = await ask(service, REVEAL, { id: subscriptionId }, token);
  expect(revealed.errors?.[0].extensions?.id).toBe('ReauthenticationNeeded');

  expect((await service.post('/auth/confirm', { password: 'not the one' }, token)).json.id).toBe('AuthFailedLogin');
  expect((await service.post('/auth/confirm', { password: PASSWORD }, token)).status).toBe(204);
  expect(await seen(token)).toMatchObject({ header: 'kept', biscuit: expect.any(String) });
});

it('what was not shown is kept when it is sent back, and goes to no other receiver', async () => {
  const token = await later(owner);
  const { json } = await service.get(`/subscriptions/${subscriptionId}`, token);
  const replaced = await service.put(
    `/subscriptions/${subscriptionId}`,
    { ...body(null), description: 'changed' },
    token,
  );
  expect([replaced.status, replaced.json.description, replaced.json.secret]).toEqual([200, 'changed', null]);
  expect(json.description).toBeNull();
  expect((await service.get(`/subscriptions/${subscriptionId}`)).json.target.headers).toEqual({ 'x-api-key': 'kept' });

  const path = `/subscriptions/${subscriptionId}`;
  const at = (url: string) => ({ ...body(null), target: { ...body(null).target, url } });
  const moved = await service.put(path, at('http://127.0.0.9:10/'), token);
  expect([moved.status, moved.json.id]).toEqual([403, 'ReauthenticationNeeded']);
  expect((await service.get(path)).json.target.url).toBe('http://127.0.0.9:9/');
  expect((await service.put(path, at('http://127.0.0.9:9/other'), token)).status).toBe(200);
  expect((await service.put(path, at('http://127.0.0.9:10/'))).status).toBe(200);
});

it('viewers never see any, however fresh their password', async () => {
  const viewer = await service.person('Vera');
  await service.post(
    `/organizations/${owner.organizationId}/invite`,
    { email: viewer.email, role: 'viewer' },
    owner.token,
  );
  expect(await seen(viewer.token)).toEqual({ ...HIDDEN, application: 'Forbidden', biscuit: 'Forbidden' });
  const revealed = await ask(service, REVEAL, { id: subscriptionId }, viewer.token);
  expect(revealed.errors?.[0].extensions?.id).toBe('Forbidden');
});

it('nor does a token that was restricted to what viewers may', async () => {
  const { biscuit } = (await service.get(`/service_token/${tokenId}`)).json;
  const [path, list] = [`/subscriptions/${subscriptionId}`, `/subscriptions?application_id=${applicationId}`];
  const shown = async (token: string) => [
    (await service.get(path, token)).json,
    (await service.get(list, token)).json[0],
  ];
  const readonly = attenuate(biscuit, { datalog: 'check if allowed_role("viewer")' });
  for (const subscription of await shown(readonly))
    expect(subscription).toMatchObject({
      secret: null,
      signing_secret: null,
      target: { headers: { 'x-api-key': null } },
    });
  const reader = attenuate(biscuit, { actions: ['subscription:get', 'subscription:list'] });
  for (const subscription of await shown(reader))
    expect(subscription).toMatchObject({ secret: expect.any(String), target: { headers: { 'x-api-key': 'kept' } } });
});
