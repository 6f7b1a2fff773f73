import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { ask, askData } from '../../support/graphql.ts';
import { answer, type Receiver, startReceiver } from '../../support/receivers/index.ts';
import { startTestService, type Tenant, type TestService } from '../../support/service.ts';
import { statementsOf } from '../../support/statements.ts';

const OTHERS = 11;

let service: TestService;
let receiver: Receiver;
let tenant: Tenant;
let stranger: Tenant;
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
const inApplication = async (fields: string, variables: Record<string, unknown> = {}) => {
  const query = `query ($id: UUID!${Object.keys(variables).map((name) => `, $${name}: ${name === 'first' ? 'Int' : 'String'}`)}) {
    application(id: $id) { ${fields} } }`;
  return (await askData(service, query, { id: tenant.applicationId, ...variables })).application;
};

beforeAll(async () => {
  [service, receiver] = await Promise.all([startTestService(), startReceiver({ behaviour: answer(200) })]);
  [tenant, stranger] = [await service.tenant('order.paid', 'order.sent'), await service.tenant('order.paid')];
  await subscribe('matched', { event_types: ['order.*'] });
  await subscribe('type', { event_types: ['order.sent'] });
  await subscribe('label', { labels: { region: 'us' } });
  await subscribe('disabled', { is_enabled: false });
  await subscribe('deleted');
  await service.delete(`/subscriptions/${subscriptions.deleted}`);
  const sent = await service.post('/event', {
    application_id: tenant.applicationId,
    event_type: 'order.paid',
    payload: '{}',
    labels: { region: 'eu' },
  });
  eventId = sent.json.event_id;
  // After the event: none of this may change what is told of its routing.
  for (let index = 0; index < OTHERS; index += 1) await subscribe(`later ${index}`);
  await service.put(
    `/subscriptions/${subscriptions.label}`,
    body({
      description: 'moved',
      labels: { region_code: 'eu' },
      target: { type: 'http', method: 'POST', url: `${receiver.url}/moved`, headers: {} },
    }),
  );
  await eventually(async () => {
    const { deliveries } = await inApplication('deliveries { nodes { id status } }');
    expect(deliveries.nodes).toMatchObject([{ status: 'SUCCEEDED' }]);
    deliveryId = deliveries.nodes[0].id;
  });
});
afterAll(async () => {
  await service.stop();
  await receiver.close();
});

const HISTORY = 'history { nodes { type summary version streamId } }';

describe('the history of an object', () => {
  it('is told of each kind, newest first, in a few words', async () => {
    const found = await inApplication(
      `${HISTORY} organization { ${HISTORY} } event(id: "${eventId}") { ${HISTORY} } delivery(id: "${deliveryId}") { ${HISTORY} }
       subscription(id: "${subscriptions.label}") { ${HISTORY} } eventType(name: "order.paid") { ${HISTORY} }`,
    );
    const told = ({ history }: { history: { nodes: { summary: string }[] } }) =>
      history.nodes.map(({ summary }) => summary);
    expect(told(found)).toEqual(['Created as “Shop”']);
    expect(told(found.organization)).toEqual(['Created as “Acme”']);
    expect(told(found.event)).toEqual(['Event order.paid ingested, matched 1 subscription']);
    expect(told(found.delivery)).toEqual(['Attempt 1 succeeded: 200', 'Attempt 1 scheduled']);
    expect(told(found.eventType)).toEqual(['Event type order.paid created']);
    expect(told(found.subscription)).toEqual([
      `Target changed to ${receiver.url}/moved; headers changed; labels changed; description changed to “moved”`,
      `Subscription to ${receiver.url}/ created`,
    ]);
    expect(found.subscription.history.nodes[0]).toMatchObject({
      type: 'SubscriptionReplaced',
      version: 2,
      streamId: `subscription:${subscriptions.label}`,
    });
  });

  it('says who, from where and what changed as this schema names it, without a secret', async () => {
    const entry = 'position { text } at actor ip causationId correlationId changes { path before after }';
    const { subscription } = await inApplication(
      `subscription(id: "${subscriptions.label}") { history(first: 1) { nodes { ${entry} } } }`,
    );
    expect(subscription.history.nodes).toEqual([
      {
        position: { text: expect.stringMatching(/^\d+:\d+$/) },
        at: expect.any(String),
        actor: 'master',
        ip: '127.0.0.1',
        causationId: expect.any(String),
        correlationId: expect.any(String),
        changes: [
          { path: 'description', before: 'label', after: 'moved' },
          { path: 'labels.region', before: 'us', after: null },
          { path: 'labels.region_code', before: null, after: 'eu' },
          { path: 'target.headerNames', before: ['x-key'], after: [] },
          { path: 'target.headerValuesVersion', before: 1, after: 2 },
          { path: 'target.url', before: `${receiver.url}/`, after: `${receiver.url}/moved` },
        ],
      },
    ]);
  });

  it('comes in pages', async () => {
    const page = (after?: string) =>
      inApplication(
        `delivery(id: "${deliveryId}") { history(first: 1, after: $after) { nodes { version } pageInfo { hasNextPage endCursor } } }`,
        { after: after ?? null },
      );
    const { history: first } = (await page()).delivery;
    expect(first).toMatchObject({ nodes: [{ version: 2 }], pageInfo: { hasNextPage: true } });
    const { history: last } = (await page(first.pageInfo.endCursor)).delivery;
    expect(last).toEqual({ nodes: [{ version: 1 }], pageInfo: { hasNextPage: false, endCursor: null } });
    const { errors } = await ask(
      service,
      `{ application { history(after: "${first.pageInfo.endCursor}") { nodes { version } } } }`,
      {},
      tenant.secret,
    );
    expect(errors).toMatchObject([{ extensions: { id: 'InvalidCursor' } }]);
  });

  it('costs the same number of statements, however long the list', async () => {
    const counts: number[] = [];
    for (const first of [2, 10])
      counts.push(
        await statementsOf(service, () =>
          inApplication('subscriptions(first: $first) { nodes { id history(first: 5) { nodes { summary } } } }', {
            first,
          }),
        ).then((seen) => seen.length),
      );
    expect(counts).toEqual([3, 3]);
  });
});

describe('the audit trail', () => {
  it('has every change of the configuration, newest first, narrowed down and page by page', async () => {
    const trail = async (args: string) =>
      (await inApplication(`auditTrail${args} { nodes { type streamId summary at } pageInfo { endCursor } }`))
        .auditTrail;
    const all = await trail('');
    expect(all.nodes).toHaveLength(11 + OTHERS);
    expect(all.nodes[0]).toMatchObject({
      type: 'SubscriptionReplaced',
      streamId: `subscription:${subscriptions.label}`,
    });
    expect(all.nodes.at(-1)).toMatchObject({ type: 'ApplicationCreated', summary: 'Created as “Shop”' });
    expect((await trail('(filter: { type: "EventTypeCreated" })')).nodes).toHaveLength(2);
    expect((await trail('(filter: { actor: "nobody" })')).nodes).toEqual([]);
    expect((await trail(`(filter: { to: "${all.nodes.at(-1).at}" })`)).nodes).toEqual([]);
    const first = await trail(`(first: ${10 + OTHERS})`);
    expect((await trail(`(after: "${first.pageInfo.endCursor}")`)).nodes).toMatchObject([
      { type: 'ApplicationCreated' },
    ]);
    const { errors } = await ask(
      service,
      `{ application { auditTrail(filter: { type: "EventIngested" }) { nodes { type } } } }`,
      {},
      tenant.secret,
    );
    expect(errors).toMatchObject([{ extensions: { id: 'Validation' } }]);
  });
});

const ROUTING = 'routing { subscriptionId description targetUrl isMatch reason explanation delivery { id status } }';

describe('the routing of an event', () => {
  const byName = (routing: { subscriptionId: string }[]) =>
    Object.fromEntries(
      Object.entries(subscriptions).map(([name, id]) => [
        name,
        routing.find(({ subscriptionId }) => subscriptionId === id),
      ]),
    );

  it('says of every subscription why it got the event or why not, as things were then', async () => {
    const { event } = await inApplication(`event(id: "${eventId}") { ${ROUTING} }`);
    expect(event.routing).toHaveLength(5 + OTHERS);
    const targetUrl = `${receiver.url}/`;
    const missed = { isMatch: false, delivery: null, targetUrl };
    expect(byName(event.routing)).toMatchObject({
      matched: {
        description: 'matched',
        targetUrl,
        isMatch: true,
        reason: 'matched',
        explanation: 'Its pattern order.* matched order.paid, and its labels were met.',
        delivery: { id: deliveryId, status: 'SUCCEEDED' },
      },
      type: { ...missed, reason: 'event_type', explanation: 'It listened to order.sent, not to order.paid.' },
      label: {
        ...missed,
        description: 'label',
        reason: 'labels',
        explanation: "It wanted the label region to be us, and the event's was eu.",
      },
      disabled: { ...missed, reason: 'disabled' },
      deleted: { ...missed, description: 'deleted', reason: 'deleted' },
      'later 0': { ...missed, description: null, targetUrl: null, reason: 'not_yet_created' },
    });
  });

  it('of a test says that it was one, in both APIs', async () => {
    const sent = await service.post(`/subscriptions/${subscriptions.type}/test`, { event_type: 'order.paid' });
    const tested = sent.json.event_id;
    const query = `?application_id=${tenant.applicationId}`;
    const { event } = await inApplication(
      `event(id: "${tested}") { deliveryCount ${ROUTING} causation { id summary } }`,
    );
    expect(event).toMatchObject({
      deliveryCount: 1,
      causation: expect.arrayContaining([{ id: 'routing', summary: 'A test of one subscription' }]),
    });
    expect(event.routing.filter(({ isMatch }: { isMatch: boolean }) => isMatch)).toMatchObject([
      { subscriptionId: subscriptions.type, reason: 'test', delivery: { id: expect.any(String) } },
    ]);
    expect(byName(event.routing)).toMatchObject({
      matched: { reason: 'test_of_another', delivery: null },
      disabled: { reason: 'disabled' },
      deleted: { reason: 'deleted' },
    });
    const { json: verdicts } = await service.get(`/events/${tested}/routing${query}`);
    const outcomes = byName(
      verdicts.map((verdict: { subscription_id: string }) => ({ ...verdict, subscriptionId: verdict.subscription_id })),
    );
    expect(outcomes).toMatchObject({
      type: { outcome: 'test', explanation: expect.stringContaining('a test of it') },
      matched: { outcome: 'test_of_another' },
      disabled: { outcome: 'disabled' },
    });
    const { json: causation } = await service.get(`/events/${tested}/causation${query}`);
    expect(causation.routing).toMatchObject({ matched: 1, not_matched: 3 + OTHERS });
  });
});

describe('the causation of an event', () => {
  it('goes from the command to each attempt, and from each replay to its own', async () => {
    const nodes = () =>
      inApplication(
        `event(id: "${eventId}") { causation { id causeId kind summary at actor outcome position { text } } }`,
      ).then(({ event }) => event.causation);
    const before = await nodes();
    expect(before).toMatchObject([
      {
        id: 'command',
        causeId: null,
        kind: 'command',
        summary: 'Event order.paid sent',
        actor: 'master',
        position: null,
      },
      { id: 'routing', causeId: 'command', kind: 'routing', summary: 'Matched 1 subscription', actor: null },
      { id: `delivery:${deliveryId}`, causeId: 'routing', kind: 'delivery', outcome: 'succeeded' },
      { causeId: `delivery:${deliveryId}`, kind: 'attempt', summary: 'Attempt 1 succeeded: 200', outcome: 'succeeded' },
    ]);
    await service.post(`/deliveries/${deliveryId}/replay`);
    await service.post(`/events/${eventId}/replay`, { application_id: tenant.applicationId });
    const after = await eventually(async () => {
      const found = await nodes();
      const replayed = ({ causeId, kind }: { causeId: string; kind: string }) =>
        causeId === 'replay:1' && kind === 'delivery';
      expect(found.filter(replayed)).toHaveLength(OTHERS);
      expect(found.filter(({ outcome }: { outcome: string }) => outcome === 'succeeded').length).toBeGreaterThan(10);
      return found;
    });
    expect(after.slice(0, 2)).toEqual(before.slice(0, 2));
    const one = after.find(({ summary }: { summary: string }) => summary === 'Delivery replayed');
    const all = after.find(({ id }: { id: string }) => id === 'replay:1');
    expect(one).toMatchObject({ kind: 'replay', causeId: `delivery:${deliveryId}`, actor: 'master' });
    expect(all).toMatchObject({ kind: 'replay', causeId: 'command', position: { text: expect.any(String) } });
    const causedBy = (id: string) => after.filter(({ causeId }: { causeId: string }) => causeId === id);
    expect(causedBy(one.id)).toMatchObject([{ kind: 'attempt', summary: expect.stringContaining('Attempt 2') }]);
    const caused = causedBy('replay:1');
    expect(caused.filter(({ kind }: { kind: string }) => kind === 'delivery')).toHaveLength(OTHERS);
    const ids = after.map(({ id }: { id: string }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const { id, causeId } of after)
      if (causeId !== null) expect(ids.indexOf(causeId), id).toBeGreaterThanOrEqual(0);
    for (const [index, { causeId }] of after.entries()) expect(ids.indexOf(causeId)).toBeLessThan(index);
  });

  it('costs the same number of statements, however long the list, as does the routing', async () => {
    for (let index = 0; index < 4; index += 1)
      await service.post('/event', {
        application_id: tenant.applicationId,
        event_type: 'order.sent',
        payload: '{}',
        labels: {},
      });
    await eventually(async () => {
      const { events } = await inApplication('events { nodes { deliveries { status } } }');
      expect(events.nodes).toHaveLength(6);
      for (const { deliveries } of events.nodes) {
        expect(deliveries.length).toBeGreaterThan(0);
        for (const { status } of deliveries) expect(status).toBe('SUCCEEDED');
      }
    });
    const counts: number[] = [];
    for (const first of [1, 6])
      counts.push(
        (
          await statementsOf(service, () =>
            inApplication(`events(first: $first) { nodes { ${ROUTING} causation { id } } }`, { first }),
          )
        ).length,
      );
    // The application and the events; rows of subscriptions; streams of events; deliveries, and their streams, for both fields.
    // The longer list has an event from before subscriptions were changed, whose streams are read, too.
    expect(counts).toEqual([7, 8]);
  });
});

it('opens nothing of another tenant', async () => {
  const query =
    'query ($id: UUID!) { application(id: $id) { history { nodes { type } } auditTrail { nodes { type } } } }';
  expect(await askData(service, query, { id: tenant.applicationId }, stranger.secret)).toEqual({ application: null });
});
