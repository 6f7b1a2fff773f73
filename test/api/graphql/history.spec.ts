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
    expect(told(found)).toEqual(['API secret “Default” created', 'Created as “Shop”']);
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

it('opens nothing of another tenant', async () => {
  const query =
    'query ($id: UUID!) { application(id: $id) { history { nodes { type } } auditTrail { nodes { type } } } }';
  expect(await askData(service, query, { id: tenant.applicationId }, stranger.secret)).toEqual({ application: null });
});
