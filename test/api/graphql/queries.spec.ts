import { readFileSync } from 'node:fs';
import { buildClientSchema, buildSchema, getIntrospectionQuery, lexicographicSortSchema, printSchema } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { ask, askData } from '../../support/graphql.ts';
import { answer, type Receiver, startReceiver } from '../../support/receivers/index.ts';
import { startTestService, type Tenant, type TestService } from '../../support/service.ts';

let service: TestService;
let receiver: Receiver;
let tenant: Tenant;
beforeAll(async () => {
  [service, receiver] = await Promise.all([
    startTestService({ POSTHORN_RETRY_SCHEDULE: '1h×2' }),
    startReceiver({ behaviour: answer(200, 'thanks', { 'X-Answer': 'yes' }), behaviours: { '/gone': answer(410) } }),
  ]);
  tenant = await service.tenant('order.paid', 'order.shipped');
});
afterAll(async () => {
  await service.stop();
  await receiver.close();
});

describe('the served schema', () => {
  it('is the one that is written down, but for what is watched', async () => {
    const introspection = await askData(service, getIntrospectionQuery());
    const sdl = readFileSync(new URL('../../../src/api/graphql/schema.graphql', import.meta.url), 'utf8');
    const served = buildSchema(
      sdl.replace(/"[^"]*"\ntype Subscriptions \{[\s\S]*?\n\}\n/, '').replace('  subscription: Subscriptions\n', ''),
    );
    const printed = (schema: Parameters<typeof printSchema>[0]) => printSchema(lexicographicSortSchema(schema));
    expect(printed(buildClientSchema(introspection))).toBe(printed(served));
  });
});

describe('a query', () => {
  it('sees an application and what became of its events', async () => {
    const { applicationId, organizationId } = tenant;
    const created = await service.post('/subscriptions', {
      application_id: applicationId,
      is_enabled: true,
      event_types: ['order.*'],
      labels: {},
      description: 'Warehouse',
      target: { type: 'http', method: 'POST', url: `${receiver.url}/`, headers: { 'X-Token': 'hidden' } },
    });
    const ingested = await service.post('/event', {
      application_id: applicationId,
      event_type: 'order.paid',
      payload: '{"order": 1}',
      labels: { region: 'eu' },
    });
    const eventId = ingested.json.event_id;
    const query = `query ($id: UUID!) { application(id: $id) {
      id name asOf { text } organization { id name applications { nodes { id } } }
      counts { events succeeded attemptsSucceeded subscriptions eventTypes }
      events(first: 2) { nodes {
        id eventType payload payloadBytes labels occurredAt receivedAt ip deliveryCount position { text }
        deliveries { id status attemptCount dueAt subscription { id description } event { id }
          attempts { attemptNumber status httpStatus timings { totalMs } response { headers body bodyBytes isTruncated }
            request { method url headers } delivery { id } } } }
        pageInfo { hasNextPage endCursor } totalCount { value isExact } }
      deliveries(first: 2, filter: { status: SUCCEEDED }) { nodes { id event { id payload } } totalCount { value } }
      requestAttempts { nodes { id status subscription { id } } }
      subscriptions { nodes { id target { method url headerNames } position { text } } totalCount { value isExact } }
      eventTypes { nodes { name subscriptions { id } } }
      secrets { id name }
    } }`;
    const application = await eventually(
      async () => {
        const data = await askData(service, query, { id: applicationId });
        expect(data.application.counts).toMatchObject({ succeeded: 1, attemptsSucceeded: 1, events: 1 });
        expect(data.application.events.nodes[0].deliveries).toHaveLength(1);
        expect(data.application.requestAttempts.nodes).toMatchObject([{ status: 'SUCCEEDED' }]);
        return data.application;
      },
      { timeout: 10_000, interval: 20 },
    );
    const subscriptionId = created.json.subscription_id;
    expect(application).toMatchObject({
      id: applicationId,
      name: 'Shop',
      asOf: null,
      organization: { id: organizationId, name: 'Acme', applications: { nodes: [{ id: applicationId }] } },
      counts: { subscriptions: 1, eventTypes: 2 },
      subscriptions: {
        nodes: [{ id: subscriptionId, target: { method: 'POST', url: `${receiver.url}/`, headerNames: ['X-Token'] } }],
        totalCount: { value: 1, isExact: true },
      },
      eventTypes: {
        nodes: [
          { name: 'order.paid', subscriptions: [{ id: subscriptionId }] },
          { name: 'order.shipped', subscriptions: [{ id: subscriptionId }] },
        ],
      },
      secrets: [{ name: 'Default' }],
      requestAttempts: { nodes: [{ status: 'SUCCEEDED', subscription: { id: subscriptionId } }] },
    });
    expect(application.events).toMatchObject({
      nodes: [
        {
          id: eventId,
          payload: Buffer.from('{"order": 1}').toString('base64'),
          labels: { region: 'eu' },
          deliveryCount: 1,
          deliveries: [
            {
              status: 'SUCCEEDED',
              attemptCount: 1,
              dueAt: null,
              subscription: { id: subscriptionId, description: 'Warehouse' },
              event: { id: eventId },
              attempts: [
                {
                  attemptNumber: 1,
                  status: 'SUCCEEDED',
                  httpStatus: 200,
                  response: { body: 'thanks', bodyBytes: 6, isTruncated: false },
                  request: {
                    method: 'POST',
                    url: `${receiver.url}/`,
                    headers: { 'X-Token': null, 'X-Event-Id': eventId },
                  },
                },
              ],
            },
          ],
        },
      ],
      pageInfo: { hasNextPage: false, endCursor: null },
      totalCount: { value: 1, isExact: true },
    });
    expect(JSON.stringify(application)).not.toContain('hidden');
  });

  it('is refused without a token, as in REST', async () => {
    const { answer: refused } = await ask(service, '{ viewer { kind } }', {}, null);
    expect(refused).toMatchObject({ status: 401, json: { id: 'AuthNoAuthorizationHeader' } });
  });
});
