import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attenuate } from '#src/tokens/attenuate.ts';
import { eventually } from '#test/support/eventually.ts';
import { ask, askData } from '#test/support/graphql.ts';
import { type PeopleService, startPeopleService } from '#test/support/people.ts';
import { answer, type Receiver, startReceiver } from '#test/support/receivers/index.ts';

let service: PeopleService;
let receiver: Receiver;
let applicationId: string;
let token: string;
beforeAll(async () => {
  receiver = await startReceiver({ behaviour: answer(200, 'told'), behaviours: { '/gone': answer(410, 'told') } });
  service = await startPeopleService();
  const { token: bearer, organizationId } = await service.person('Rosa');
  const post = async (path: string, body: object) => (await service.post(path, body, bearer)).json;
  applicationId = (await post('/applications', { organization_id: organizationId, name: 'Shop' })).application_id;
  await post('/event_types', { application_id: applicationId, name: 'order.paid' });
  for (const path of ['/gone', '/ok'])
    await post('/subscriptions', {
      application_id: applicationId,
      is_enabled: true,
      event_types: ['order.paid'],
      labels: {},
      target: { type: 'http', method: 'POST', url: `${receiver.url}${path}` },
    });
  token = (await post('/service_token', { organization_id: organizationId, name: 'ci' })).biscuit;
  await post('/event', { application_id: applicationId, event_type: 'order.paid', payload: {} });
  await eventually(async () => {
    const { deadLetters, traffic, requestAttempts } = await seen(
      `deadLetters { nodes { reason } } requestAttempts { nodes { status } } ${TRAFFIC}`,
      token,
    );
    expect([deadLetters.nodes, requestAttempts.nodes, traffic.subscriptions]).toMatchObject([
      [{ reason: 'gone' }],
      [{ status: expect.stringMatching(/ED$/) }, { status: expect.stringMatching(/ED$/) }],
      [{}, {}],
    ]);
  });
});
afterAll(async () => {
  await service.stop();
  await receiver.close();
});

const [FROM, TO] = [-3_600_000, 60_000].map((ms) => new Date(Date.now() + ms).toISOString());
const TRAFFIC = `traffic(from: "${FROM}", to: "${TO}") { subscriptions { subscription { target { url } } } }`;
const queryOf = (fields: string) => `{ application(id: "${applicationId}") { ${fields} } }`;
const seen = async (fields: string, bearer: string) =>
  (await askData(service, queryOf(fields), {}, bearer)).application;

describe('below a field a token sees what it may see beside it', () => {
  it.each([
    ['organization:get', 'organization { quotas { isEnforced } }', 'isEnforced'],
    ['event:get', 'events(first: 1) { nodes { payload } }', 'e30='],
    ['delivery:list', 'events { nodes { deliveries { status } } }', 'SUCCEEDED'],
    ['delivery:get', 'events { nodes { routing { delivery { status } } } }', 'SUCCEEDED'],
    ['subscription:get', 'events { nodes { routing { targetUrl } } }', '/ok'],
    ['subscription:get', 'deliveries { nodes { subscription { target { url } } } }', '/ok'],
    ['event:get', 'deliveries { nodes { event { eventType } } }', 'order.paid'],
    ['delivery:get', 'deliveries { nodes { attempts { status } } }', 'SUCCEEDED'],
    ['response:get', 'requestAttempts { nodes { response { body } } }', 'told'],
    ['subscription:get', 'requestAttempts { nodes { request { url } } }', '/ok'],
    ['subscription:get', 'requestAttempts { nodes { subscription { target { url } } } }', '/ok'],
    ['delivery:get', 'requestAttempts { nodes { delivery { status } } }', 'SUCCEEDED'],
    ['subscription:get', 'deadLetters { nodes { subscription { target { url } } } }', '/gone'],
    ['delivery:get', 'deadLetters { nodes { delivery { status } } }', 'DEAD_LETTERED'],
    ['subscription:get', 'deadLetterGroups { subscription { target { url } } }', '/gone'],
    ['subscription:get', TRAFFIC, '/ok'],
    ['subscription:get', 'previewReplay(filter: {}) { bySubscription { subscription { target { url } } } }', '/ok'],
  ])('%s for %s', async (action, fields, shown) => {
    expect(JSON.stringify(await seen(fields, token))).toContain(shown);
    const less = attenuate(token, { datalog: `check if action($action), $action != "${action}"` });
    const { data, errors } = await ask(service, queryOf(fields), {}, less);
    expect(JSON.stringify(data)).not.toContain(shown);
    for (const { extensions } of errors ?? [])
      expect(extensions).toMatchObject({ id: 'Forbidden', detail: expect.stringContaining(action) });
    expect(errors?.length).toBeGreaterThan(0);
  });

  it('of what a command answers, too', async () => {
    const ingesting = attenuate(token, { actions: ['event:ingest'] });
    const send = (fields: string) =>
      ask(
        service,
        `mutation { sendEvent(input: {applicationId: "${applicationId}", eventType: "order.paid", payload: "{}"}) { ${fields} } }`,
        {},
        ingesting,
      );
    expect((await send('eventType')).data).toEqual({ sendEvent: { eventType: 'order.paid' } });
    for (const fields of ['payload', 'deliveries { subscription { target { url } } }', 'routing { targetUrl }']) {
      const { errors } = await send(fields);
      expect(errors, fields).toMatchObject([{ extensions: { id: 'Forbidden' } }]);
    }
  });
});
