import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { buildSchema } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { ask, askData } from '../../support/graphql.ts';
import { answer, type Receiver, startReceiver } from '../../support/receivers/index.ts';
import {
  type Answer,
  type CallOptions,
  startTestService,
  type Tenant,
  type TestService,
} from '../../support/service.ts';

let service: TestService;
let receiver: Receiver;
let tenant: Tenant;
let status = 200;
beforeAll(async () => {
  [service, receiver] = await Promise.all([
    startTestService({ POSTHORN_RETRY_SCHEDULE: '1h×2' }),
    startReceiver({ behaviour: (call) => answer(status)(call), behaviours: { '/gone': answer(410) } }),
  ]);
  tenant = await service.tenant('order.paid');
});
afterAll(async () => {
  await service.stop();
  await receiver.close();
});

type Json = Record<string, unknown>;
const NOBODY = '00000000-0000-4000-8000-000000000000';
const patient = { timeout: 10_000, interval: 20 };

const mutate = async (mutation: string, variables: Json = {}, token?: string): Promise<Json> =>
  Object.values(await askData(service, mutation, variables, token))[0] as Json;

const createSubscription = `mutation ($input: SubscriptionInput!) { createSubscription(input: $input) {
  subscription { id isEnabled } secret headers } }`;
const inputOf = (changes: Json = {}, target: Json = {}) => ({
  applicationId: tenant.applicationId,
  eventTypes: ['order.paid'],
  labels: { only: randomUUID() },
  target: { url: receiver.url, ...target },
  ...changes,
});
const subscribe = async (changes?: Json, target?: Json) => {
  const input = inputOf(changes, target);
  const made = await mutate(createSubscription, { input });
  return { input, labels: input.labels, id: (made.subscription as { id: string }).id, made };
};
const send = async (labels: Json, changes: Json = {}): Promise<string> => {
  const input = { applicationId: tenant.applicationId, eventType: 'order.paid', payload: '{}', labels, ...changes };
  return (await mutate('mutation ($input: SendEventInput!) { sendEvent(input: $input) { id } }', { input }))
    .id as string;
};
/** The one delivery of an event, once it stands so. */
const deliveryOf = (eventId: string, expected: Json): Promise<{ id: string }> =>
  eventually(async () => {
    const data = await askData(
      service,
      `query ($id: UUID!, $app: UUID!) { application(id: $app) { event(id: $id) { deliveries { id attempts { status } } } } }`,
      { id: eventId, app: tenant.applicationId },
    );
    const { id } = data.application.event.deliveries[0];
    const single = await askData(
      service,
      'query ($id: UUID!, $app: UUID!) { application(id: $app) { delivery(id: $id) { id status attemptCount reason } } }',
      { id, app: tenant.applicationId },
    );
    expect(single.application.delivery).toMatchObject(expected);
    return single.application.delivery;
  }, patient);
const waiting = async () => {
  status = 500;
  const { labels, id } = await subscribe();
  const eventId = await send(labels);
  const delivery = await deliveryOf(eventId, { status: 'PENDING', attemptCount: 2 });
  status = 200;
  return { subscriptionId: id, eventId, delivery };
};

describe('mutations that succeed', () => {
  it('create, rename and delete organizations and applications', async () => {
    const organization = await mutate('mutation { createOrganization(input: { name: "Initech" }) { id name } }');
    expect(organization).toEqual({ id: expect.any(String), name: 'Initech' });
    const { id } = organization;
    expect(
      await mutate('mutation ($id: UUID!) { editOrganization(id: $id, name: "Initrode") { name } }', { id }),
    ).toEqual({ name: 'Initrode' });
    const application = await mutate(
      'mutation ($id: UUID!) { createApplication(input: { organizationId: $id, name: "TPS" }) { id name organization { id } } }',
      { id },
    );
    expect(application).toMatchObject({ name: 'TPS', organization: { id } });
    const ofApplication = { id: application.id };
    expect(
      await mutate('mutation ($id: UUID!) { editApplication(id: $id, name: "Reports") { name } }', ofApplication),
    ).toEqual({ name: 'Reports' });
    expect(await mutate('mutation ($id: UUID!) { deleteApplication(id: $id) { id } }', ofApplication)).toEqual(
      ofApplication,
    );
    expect(await mutate('mutation ($id: UUID!) { deleteOrganization(id: $id) { id } }', { id })).toEqual({ id });
  });

  it('make secrets that open the API, rename and revoke them by their ids', async () => {
    const { applicationId } = tenant;
    const made = await mutate(
      'mutation ($id: UUID!) { createApplicationSecret(applicationId: $id, name: "CI") { token secret { id name createdAt } } }',
      { id: applicationId },
    );
    const token = String(made.token);
    const { id } = made.secret as { id: string };
    expect(await askData(service, '{ viewer { kind actor application { id } } }', {}, token)).toEqual({
      viewer: { kind: 'application_secret', actor: `application_secret:${id}`, application: { id: applicationId } },
    });
    const renamed = await mutate(
      'mutation ($id: UUID!) { editApplicationSecret(id: $id, name: "Pipeline") { id name } }',
      { id },
      token,
    );
    expect(renamed).toEqual({ id, name: 'Pipeline' });
    expect(
      await mutate(
        'mutation ($id: UUID!, $app: UUID) { deleteApplicationSecret(id: $id, applicationId: $app) { id } }',
        {
          id,
          app: applicationId,
        },
      ),
    ).toEqual({ id });
    const { answer: refused } = await ask(service, '{ viewer { kind } }', {}, token);
    expect(refused).toMatchObject({ status: 403, json: { id: 'AuthInvalidApplicationSecret' } });
  });

  it('create and deactivate event types', async () => {
    const variables = { app: tenant.applicationId, name: 'order.refunded' };
    expect(
      await mutate(
        'mutation ($app: UUID, $name: String!) { createEventType(applicationId: $app, name: $name) { name applicationId } }',
        variables,
      ),
    ).toEqual({ name: 'order.refunded', applicationId: tenant.applicationId });
    expect(
      await mutate(
        'mutation ($app: UUID, $name: String!) { deactivateEventType(applicationId: $app, name: $name) { id } }',
        variables,
      ),
    ).toEqual({ id: 'order.refunded' });
  });

  it('create, replace, switch, rotate, reveal and delete subscriptions', async () => {
    const { id, made } = await subscribe({}, { headers: { 'X-Token': 'one', 'X-Other': 'two' } });
    expect(made).toEqual({
      subscription: { id, isEnabled: true },
      secret: expect.any(String),
      headers: { 'X-Token': 'one', 'X-Other': 'two' },
    });
    const replaced = await mutate(
      `mutation ($id: UUID!, $input: SubscriptionInput!) { replaceSubscription(id: $id, input: $input) {
        description target { headerNames } } }`,
      { id, input: inputOf({ description: 'New' }, { headers: { 'X-Token': null, 'X-Third': 'three' } }) },
    );
    expect(replaced).toEqual({ description: 'New', target: { headerNames: ['X-Token', 'X-Third'] } });
    const reveal = 'mutation ($id: UUID!) { revealSubscription(id: $id) { secret signingSecret headers publicKey } }';
    expect(await mutate(reveal, { id })).toEqual({
      secret: made.secret,
      signingSecret: expect.stringMatching(/^whsec_/),
      headers: { 'X-Token': 'one', 'X-Third': 'three' },
      publicKey: null,
    });
    const rotated = await mutate(
      'mutation ($id: UUID!) { rotateSubscriptionSecret(id: $id, overlapSeconds: 60) { secret subscription { previousSecretValidUntil } } }',
      { id },
    );
    expect(rotated.secret).not.toBe(made.secret);
    expect(rotated.subscription).toEqual({ previousSecretValidUntil: expect.any(String) });
    const twice = await askData(
      service,
      `mutation ($id: UUID!) {
        off: setSubscriptionEnabled(id: $id, isEnabled: false) { isEnabled disabledReason }
        on: setSubscriptionEnabled(id: $id, isEnabled: true) { isEnabled disabledReason } }`,
      { id },
    );
    expect(twice).toEqual({
      off: { isEnabled: false, disabledReason: 'request' },
      on: { isEnabled: true, disabledReason: null },
    });
    expect(await mutate('mutation ($id: UUID!) { deleteSubscription(id: $id) { id } }', { id })).toEqual({ id });
  });

  it('send events once under one id', async () => {
    const { labels } = await subscribe();
    const changes = { eventId: randomUUID(), payload: 'plain', payloadContentType: 'text/plain' };
    expect(await send(labels, changes)).toBe(changes.eventId);
    expect(await send(labels, changes)).toBe(changes.eventId);
    await deliveryOf(changes.eventId, { status: 'SUCCEEDED' });
  });

  it('send a test to one subscription alone, though it would not match, and mark it', async () => {
    const [tested, other] = [await subscribe(), await subscribe({ labels: {} })];
    const made = await mutate(
      `mutation ($id: UUID!) { sendTestEvent(subscriptionId: $id) { id subscriptionId event { id deliveryCount metadata } } }`,
      { id: tested.id },
    );
    expect(made).toMatchObject({
      subscriptionId: tested.id,
      event: { deliveryCount: 1, metadata: { posthorn_test: tested.id } },
    });
    const { id } = made.event as { id: string };
    await deliveryOf(id, { status: 'SUCCEEDED' });
    const replay =
      'mutation ($id: UUID!, $app: UUID) { replayEvent(id: $id, applicationId: $app) { replayed skipped hasMore } }';
    expect(await mutate(replay, { id, app: tenant.applicationId })).toEqual({
      replayed: 1,
      skipped: 0,
      hasMore: false,
    });
    await deliveryOf(id, { status: 'SUCCEEDED', attemptCount: 2 });
    expect(receiver.requests.filter(({ headers }) => headers['x-event-id'] === id)).toHaveLength(2);
    await mutate('mutation ($id: UUID!) { deleteSubscription(id: $id) { id } }', { id: other.id });
  });

  it('retry, cancel and replay deliveries', async () => {
    const { delivery } = await waiting();
    const of = (verb: string) =>
      mutate(`mutation ($id: UUID!) { ${verb}Delivery(id: $id) { id status reason attemptCount } }`, {
        id: delivery.id,
      });
    expect(await of('cancel')).toMatchObject({ id: delivery.id, status: 'CANCELLED', reason: 'request' });
    // It may have arrived by the time it is read.
    expect(await of('replay')).toMatchObject({
      status: expect.stringMatching(/^(PENDING|SUCCEEDED)$/),
      attemptCount: 3,
    });
    const { delivery: second } = await waiting();
    expect(
      await mutate('mutation ($id: UUID!) { retryDelivery(id: $id) { status } }', { id: second.id }),
    ).toMatchObject({ status: expect.stringMatching(/^(PENDING|SUCCEEDED)$/) });
  });

  it('replay the events that were previewed, and none when others match by now', async () => {
    const { labels, id } = await subscribe();
    const sent = [await send(labels), await send(labels)];
    for (const eventId of sent) await deliveryOf(eventId, { status: 'SUCCEEDED', attemptCount: 1 });
    const preview = await askData(
      service,
      `query ($app: UUID!, $labels: StringMap) { application(id: $app) { previewReplay(filter: { labels: $labels }) {
        events { value isExact } deliveries bySubscription { deliveries subscription { id } } } } }`,
      { app: tenant.applicationId, labels },
    );
    expect(preview.application.previewReplay).toEqual({
      events: { value: 2, isExact: true },
      deliveries: 2,
      bySubscription: [{ deliveries: 2, subscription: { id } }],
    });
    const replay = `mutation ($app: UUID, $labels: StringMap, $expected: Int!) {
      replayEvents(applicationId: $app, filter: { labels: $labels }, expected: $expected) { replayed skipped hasMore } }`;
    const variables = { app: tenant.applicationId, labels };
    expect(await ask(service, replay, { ...variables, expected: 1 })).toMatchObject({
      errors: [{ extensions: { id: 'ReplayCountDiffers', status: 409 } }],
    });
    expect(await mutate(replay, { ...variables, expected: 2 })).toEqual({ replayed: 2, skipped: 0, hasMore: false });
    for (const eventId of sent) await deliveryOf(eventId, { status: 'SUCCEEDED', attemptCount: 2 });
  });

  it('replay dead letters', async () => {
    const { labels, id } = await subscribe({}, { url: `${receiver.url}/gone` });
    const eventId = await send(labels);
    await deliveryOf(eventId, { status: 'DEAD_LETTERED' });
    await mutate('mutation ($id: UUID!) { setSubscriptionEnabled(id: $id, isEnabled: true) { id } }', { id });
    const list = `query ($app: UUID!, $id: UUID!) { application(id: $app) {
      deadLetters(filter: { subscriptionId: $id }) { nodes { eventId reason subscription { id } delivery { status } } totalCount { value } }
      deadLetterGroups(filter: { subscriptionId: $id }) { count reason lastFailure subscription { id } } } }`;
    const { application } = await eventually(async () => {
      const data = await askData(service, list, { app: tenant.applicationId, id });
      expect(data.application.deadLetters.nodes).toHaveLength(1);
      return data;
    }, patient);
    expect(application).toEqual({
      deadLetters: {
        nodes: [{ eventId, reason: 'gone', subscription: { id }, delivery: { status: 'DEAD_LETTERED' } }],
        totalCount: { value: 1 },
      },
      deadLetterGroups: [{ count: 1, reason: 'gone', lastFailure: 'gone', subscription: { id } }],
    });
    expect(
      await mutate(
        'mutation ($app: UUID, $id: UUID!) { replayDeadLetters(applicationId: $app, filter: { subscriptionId: $id }) { replayed skipped hasMore } }',
        { app: tenant.applicationId, id },
      ),
    ).toEqual({ replayed: 1, skipped: 0, hasMore: false });
  });
});

/** A mutation that is refused, and the REST request that is refused alike. */
type Refusal = readonly [mutation: string, path: string, options: CallOptions];

describe('mutations that are refused', () => {
  const refusals = (): readonly Refusal[] => {
    const { applicationId: app } = tenant;
    const bad = { type: 'http', method: 'POST', url: 'ftp://example.org' };
    const nobodys = {
      event_types: ['order.paid'],
      is_enabled: true,
      labels: {},
      target: { ...bad, url: receiver.url },
    };
    const input = `{ eventTypes: ["order.paid"], target: { url: "${receiver.url}" } }`;
    return [
      [
        'inviteMember(organizationId: $no, email: "a@example.com", role: "viewer") { id }',
        `/organizations/${NOBODY}/invite`,
        { method: 'POST', body: { email: 'a@example.com', role: 'viewer' } },
      ],
      [
        'revokeInvitation(organizationId: $no, id: $no) { id }',
        `/organizations/${NOBODY}/invitations/${NOBODY}`,
        { method: 'DELETE' },
      ],
      [
        'changeMemberRole(organizationId: $no, userId: $no, role: "viewer") { id }',
        `/organizations/${NOBODY}/invite`,
        { method: 'PUT', body: { user_id: NOBODY, role: 'viewer' } },
      ],
      [
        'removeMember(organizationId: $no, userId: $no) { id }',
        `/organizations/${NOBODY}/invite`,
        { method: 'DELETE', body: { user_id: NOBODY } },
      ],
      [
        'createServiceToken(organizationId: $no, name: "ci") { token }',
        '/service_token',
        { method: 'POST', body: { organization_id: NOBODY, name: 'ci' } },
      ],
      [
        'renameServiceToken(id: $no, name: "ci") { id }',
        `/service_token/${NOBODY}`,
        { method: 'PUT', body: { name: 'ci' } },
      ],
      ['revokeServiceToken(id: $no) { id }', `/service_token/${NOBODY}`, { method: 'DELETE' }],
      ['revealServiceToken(id: $no) { token }', `/service_token/${NOBODY}`, {}],
      ['createOrganization(input: { name: "x" }) { id }', '/organizations', { method: 'POST', body: { name: 'x' } }],
      [
        'editOrganization(id: $no, name: "Acme") { id }',
        `/organizations/${NOBODY}`,
        { method: 'PUT', body: { name: 'Acme' } },
      ],
      [
        `deleteOrganization(id: "${tenant.organizationId}") { id }`,
        `/organizations/${tenant.organizationId}`,
        { method: 'DELETE' },
      ],
      [
        'createApplication(input: { organizationId: $no, name: "Shop" }) { id }',
        '/applications',
        { method: 'POST', body: { organization_id: NOBODY, name: 'Shop' } },
      ],
      [
        'editApplication(id: $no, name: "Shop") { id }',
        `/applications/${NOBODY}`,
        { method: 'PUT', body: { name: 'Shop' } },
      ],
      ['deleteApplication(id: $no) { id }', `/applications/${NOBODY}`, { method: 'DELETE' }],
      [
        'createApplicationSecret(applicationId: $no, name: "CI") { token }',
        '/application_secrets',
        { method: 'POST', body: { application_id: NOBODY, name: 'CI' } },
      ],
      [
        `editApplicationSecret(id: $no, applicationId: "${app}", name: "CI") { id }`,
        `/application_secrets/${NOBODY}`,
        { method: 'PUT', body: { application_id: app, name: 'CI' } },
      ],
      [
        `deleteApplicationSecret(id: $no, applicationId: "${app}") { id }`,
        `/application_secrets/${NOBODY}?application_id=${app}`,
        { method: 'DELETE' },
      ],
      [
        `createEventType(applicationId: "${app}", name: "single") { name }`,
        '/event_types',
        { method: 'POST', body: { application_id: app, name: 'single' } },
      ],
      [
        `deactivateEventType(applicationId: "${app}", name: "no.such") { id }`,
        `/event_types/no.such?application_id=${app}`,
        { method: 'DELETE' },
      ],
      [
        `addEventTypeSchema(applicationId: "${app}", name: "order.paid", schema: { type: "none" }) { version }`,
        '/event_types/order.paid/schemas',
        { method: 'POST', body: { application_id: app, schema: { type: 'none' } } },
      ],
      [
        `activateEventTypeSchema(applicationId: "${app}", name: "order.paid", version: 99) { name }`,
        '/event_types/order.paid/schemas/99/activate',
        { method: 'POST', body: { application_id: app } },
      ],
      [
        `deactivateEventTypeSchema(applicationId: "${app}", name: "no.such") { name }`,
        '/event_types/no.such/schemas/deactivate',
        { method: 'POST', body: { application_id: app } },
      ],
      [
        `createSubscription(input: { applicationId: "${app}", eventTypes: ["order.paid"], target: { url: "ftp://example.org" } }) { secret }`,
        '/subscriptions',
        { method: 'POST', body: { ...nobodys, application_id: app, target: bad } },
      ],
      [
        `replaceSubscription(id: $no, input: ${input}) { id }`,
        `/subscriptions/${NOBODY}`,
        { method: 'PUT', body: nobodys },
      ],
      [
        'setSubscriptionEnabled(id: $no, isEnabled: true) { id }',
        `/subscriptions/${NOBODY}`,
        { method: 'PATCH', body: { is_enabled: true } },
      ],
      ['deleteSubscription(id: $no) { id }', `/subscriptions/${NOBODY}`, { method: 'DELETE' }],
      [
        'rotateSubscriptionSecret(id: $no) { secret }',
        `/subscriptions/${NOBODY}/secret/rotate`,
        { method: 'POST', body: {} },
      ],
      ['revealSubscription(id: $no) { secret }', `/subscriptions/${NOBODY}`, {}],
      [
        `sendEvent(input: { applicationId: "${app}", eventType: "no.such", payload: "{}" }) { id }`,
        '/event',
        { method: 'POST', body: { application_id: app, event_type: 'no.such', payload: '{}' } },
      ],
      ['sendTestEvent(subscriptionId: $no) { id }', `/subscriptions/${NOBODY}/test`, { method: 'POST', body: {} }],
      [
        `replayEvent(id: $no, applicationId: "${app}") { replayed }`,
        `/events/${NOBODY}/replay`,
        { method: 'POST', body: { application_id: app } },
      ],
      [
        `replayEvents(applicationId: "${app}", filter: { eventType: "no.such" }, expected: 7) { replayed }`,
        '/event_replays',
        { method: 'POST', body: { application_id: app, filter: { event_type: 'no.such' }, expected: 7 } },
      ],
      ...(['retry', 'cancel', 'replay'] as const).map(
        (verb): Refusal => [
          `${verb}Delivery(id: $no) { id }`,
          `/deliveries/${NOBODY}/${verb}`,
          { method: 'POST', body: {} },
        ],
      ),
      [
        `replayDeadLetters(applicationId: "${app}", filter: { reason: "bored" }) { replayed }`,
        '/dead_letters/replay',
        { method: 'POST', body: { application_id: app, filter: { reason: 'bored' } } },
      ],
    ];
  };
  const withoutRequest = ({ json: { request_id: _, ...problem } }: Answer): Json => problem;
  const refused = async (mutation: string, token?: string): Promise<Json> => {
    const uses = mutation.includes('$no') ? '($no: UUID!)' : '';
    const { errors } = await ask(service, `mutation ${uses} { ${mutation} }`, { no: NOBODY }, token);
    const { request_id: requestId, ...problem } = errors?.[0].extensions ?? {};
    expect(requestId).toEqual(expect.any(String));
    return problem;
  };

  it('answer the problem that REST answers', async () => {
    for (const [mutation, path, options] of refusals())
      expect([mutation, await refused(mutation)]).toEqual([
        mutation,
        withoutRequest(await service.call(path, options)),
      ]);
  });

  it('answer it to those who may not, too', async () => {
    const { secret } = await service.tenant('order.paid');
    for (const [mutation, path, options] of refusals())
      expect([mutation, await refused(mutation, secret)]).toEqual([
        mutation,
        withoutRequest(await service.call(path, { ...options, token: secret })),
      ]);
  });

  it('are all of them covered here', () => {
    const sdl = readFileSync(new URL('../../../src/api/graphql/schema.graphql', import.meta.url), 'utf8');
    const all = Object.keys(buildSchema(sdl).getMutationType()?.getFields() ?? {});
    expect(refusals().map(([mutation]) => mutation.split('(')[0])).toEqual(all);
  });
});

it('records who asked and from where, whatever the headers claim', async () => {
  const claimed = randomUUID();
  const made = await service.call('//graphql', {
    method: 'POST',
    headers: { 'x-forwarded-for': '203.0.113.9', 'x-request-id': claimed, 'request-id': claimed },
    body: {
      query: `mutation {
        first: createOrganization(input: { name: "Spoofed" }) { id }
        second: createOrganization(input: { name: "Spoofed" }) { id } }`,
    },
  });
  const { reader } = service.service.node.core;
  const [first, second] = await Promise.all(
    [made.json.data.first, made.json.data.second].map(
      async ({ id }) => (await reader.readStream(`organization:${id}`))[0]?.metadata,
    ),
  );
  // Both are of the one request, and have its id.
  expect(second).toEqual(first);
  expect(first).toEqual({
    actor: 'master',
    causationId: expect.not.stringContaining(claimed),
    correlationId: expect.not.stringContaining(claimed),
    ip: expect.stringMatching(/^(::ffff:)?127\.0\.0\.1$/),
  });
});
