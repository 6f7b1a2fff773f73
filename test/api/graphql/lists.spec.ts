import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { onStatement } from '#test/support/statements.ts';
import { eventually } from '../../support/eventually.ts';
import { ask, askData } from '../../support/graphql.ts';
import { answer, type Receiver, startReceiver } from '../../support/receivers/index.ts';
import { startTestService, type Tenant, type TestService } from '../../support/service.ts';
import { statementsOf } from '../../support/statements.ts';

const EVENTS = 12;

let service: TestService;
let receiver: Receiver;
let tenant: Tenant;
let stranger: Tenant;
/** When all events had been sent. */
let busy: string;
beforeAll(async () => {
  [service, receiver] = await Promise.all([
    startTestService({ POSTHORN_RETRY_SCHEDULE: '1h×2' }),
    startReceiver({ behaviour: answer(200, 'thanks'), behaviours: { '/gone': answer(410) } }),
  ]);
  tenant = await service.tenant('order.paid', 'order.shipped');
  stranger = await service.tenant('order.paid');
  const subscribe = (url: string, labels: object) =>
    service.post('/subscriptions', {
      application_id: tenant.applicationId,
      is_enabled: true,
      event_types: ['order.*'],
      labels,
      target: { type: 'http', method: 'POST', url },
    });
  for (const path of ['/', '/other']) await subscribe(`${receiver.url}${path}`, {});
  for (let index = 0; index < EVENTS; index += 1) {
    // One for each, since an answer of 410 disables the subscription.
    await subscribe(`${receiver.url}/gone`, { index: String(index) });
    await service.post('/event', {
      application_id: tenant.applicationId,
      event_type: index % 2 === 0 ? 'order.paid' : 'order.shipped',
      payload: '{}',
      labels: { index: String(index) },
    });
  }
  busy = new Date().toISOString();
  await eventually(
    async () => {
      const data = await inApplication('counts { succeeded deadLettered attemptsSucceeded attemptsFailed events }');
      expect(data.counts).toEqual({
        succeeded: 2 * EVENTS,
        deadLettered: EVENTS,
        attemptsSucceeded: 2 * EVENTS,
        attemptsFailed: EVENTS,
        events: EVENTS,
      });
      expect((await inApplication('deadLetters { totalCount { value } }')).deadLetters.totalCount.value).toBe(EVENTS);
    },
    { timeout: 15_000, interval: 20 },
  );
});
afterAll(async () => {
  await service.stop();
  await receiver.close();
});

const TYPES: Readonly<Record<string, string>> = { after: 'String', asOf: 'AsOf' };
const inApplication = async (fields: string, variables: Record<string, unknown> = {}, token?: string) => {
  const query = `query ($id: UUID!${Object.keys(variables).map((name) => `, $${name}: ${TYPES[name] ?? 'Int'}`)}) {
    application(id: $id${'asOf' in variables ? ', asOf: $asOf' : ''}) { ${fields} } }`;
  return (await askData(service, query, { id: tenant.applicationId, ...variables }, token)).application;
};

describe('nested lists cost the same number of statements, however long they are', () => {
  it.each<[name: string, fields: string, most: number]>([
    [
      'events with deliveries, attempts and subscriptions',
      'events(first: $first) { nodes { id deliveries { id subscription { id } attempts { id } } } }',
      5,
    ],
    [
      'deliveries with their events, payloads and subscriptions',
      'deliveries(first: $first) { nodes { id event { payload } subscription { id } } }',
      5,
    ],
    [
      'dead letters with deliveries and subscriptions',
      'deadLetters(first: $first) { nodes { deliveryId subscription { id } delivery { id attempts { id } } } }',
      4,
    ],
    [
      'request attempts with responses, requests and deliveries',
      'requestAttempts(first: $first) { nodes { id response { body } request { url } delivery { id } } }',
      8,
    ],
    ['event types with subscriptions', 'eventTypes(first: $first) { nodes { name subscriptions { id } } }', 3],
  ])('%s', async (_name, fields, most) => {
    const counts: number[] = [];
    for (const first of [2, 10])
      counts.push((await statementsOf(service, () => inApplication(fields, { first }))).length);
    expect(counts[0]).toBe(counts[1]);
    expect(counts[0]).toBeLessThanOrEqual(most);
    // As of a moment at which some rows stood otherwise there is one more for each kind of them, which reads their streams.
    const past: number[] = [];
    for (const first of [2, 10])
      past.push((await statementsOf(service, () => inApplication(fields, { first, asOf: busy }))).length);
    const [few = 0, many = 0] = past;
    expect(many).toBeLessThanOrEqual(few + 3);
    expect(many).toBeLessThanOrEqual(2 * most);
  });

  it('and nothing is counted that nobody asked for', async () => {
    const lists = await statementsOf(service, () =>
      inApplication('deliveries { nodes { id } pageInfo { endCursor } }'),
    );
    expect(lists.some((text) => /count\(/.test(text))).toBe(false);
  });
});

describe('a list', () => {
  it.each([
    ['events', 'id', EVENTS],
    ['deliveries', 'id', 3 * EVENTS],
    ['requestAttempts', 'id', 3 * EVENTS],
    ['deadLetters', 'deliveryId', EVENTS],
    ['subscriptions', 'id', EVENTS + 2],
    ['eventTypes', 'name', 2],
  ])('of %s is read page by page, each once, and counted', async (list, key, all) => {
    const seen: string[] = [];
    let after: string | null = null;
    do {
      const page: { nodes: Record<string, string>[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } } = (
        await inApplication(
          `${list}(first: 5, after: $after) { nodes { ${key} } pageInfo { hasNextPage endCursor } }`,
          {
            after,
          },
        )
      )[list];
      seen.push(...page.nodes.map((node) => String(node[key])));
      expect(page.pageInfo.hasNextPage).toBe(page.pageInfo.endCursor !== null);
      after = page.pageInfo.endCursor;
    } while (after !== null);
    expect(new Set(seen).size).toBe(all);
    expect(seen).toHaveLength(all);
    const counted = await inApplication(
      `${list} { all: totalCount { value isExact } some: totalCount(upTo: 1) { value isExact } }`,
    );
    expect(counted[list]).toEqual({
      all: { value: all, isExact: true },
      some: { value: 1, isExact: false },
    });
  });

  it('is ordered as the schema says', async () => {
    const { subscriptions, events } = await inApplication(
      'subscriptions { nodes { createdAt } } events { nodes { receivedAt } }',
    );
    const oldestFirst = subscriptions.nodes.map(({ createdAt }: { createdAt: string }) => createdAt);
    expect(oldestFirst).toEqual(oldestFirst.toSorted());
    const newestFirst = events.nodes.map(({ receivedAt }: { receivedAt: string }) => receivedAt);
    expect(newestFirst).toEqual(newestFirst.toSorted().reverse());
  });

  it('is narrowed down, and counted alike', async () => {
    const found = await inApplication(`
      paid: events(filter: { eventType: "order.paid" }) { nodes { eventType } totalCount { value isExact } }
      one: events(filter: { labels: { index: "3" } }) { nodes { labels } totalCount { value } }
      dead: events(filter: { status: DEAD_LETTERED }) { totalCount { value } }
      future: events(filter: { from: "2100-01-01T00:00:00Z" }) { nodes { id } totalCount { value isExact } }
      failed: requestAttempts(filter: { status: FAILED, eventTypes: ["order.paid"] }) { totalCount { value } }
      gone: deadLetters(filter: { reason: "gone", eventType: "order.shipped" }) { totalCount { value } }
      off: subscriptions(filter: { isEnabled: false, labels: { index: "1" } }) { nodes { disabledReason } totalCount { value } }
      preview: previewSubscription(eventTypes: ["order.paid"], labels: { index: "2" }) { looked matched events { reason } }`);
    expect(found).toMatchObject({
      paid: { totalCount: { value: EVENTS / 2, isExact: true } },
      one: { nodes: [{ labels: { index: '3' } }], totalCount: { value: 1 } },
      dead: { totalCount: { value: EVENTS } },
      future: { nodes: [], totalCount: { value: 0, isExact: true } },
      failed: { totalCount: { value: EVENTS / 2 } },
      gone: { totalCount: { value: EVENTS / 2 } },
      off: { nodes: [{ disabledReason: 'gone' }], totalCount: { value: 1 } },
      preview: { looked: EVENTS, matched: 1 },
    });
    expect(new Set(found.preview.events.map(({ reason }: { reason: string }) => reason))).toEqual(
      new Set(['matched', 'labels', 'event_type']),
    );
  });

  it.each([
    ['events(first: 0) { nodes { id } }', 'Validation', 422],
    ['deliveries(first: 101) { nodes { id } }', 'Validation', 422],
    ['events { totalCount(upTo: 0) { value } }', 'Validation', 422],
    ['events { totalCount(upTo: 100001) { value } }', 'Validation', 422],
    ['events(after: "x") { nodes { id } }', 'InvalidCursor', 400],
    ['events(filter: { eventType: "a\\u0000" }) { nodes { id } }', 'Validation', 422],
    ['events(filter: { labels: { a: "\\u0000" } }) { nodes { id } }', 'Validation', 422],
    [
      'events(filter: { from: "2026-01-02T00:00:00Z", to: "2026-01-01T00:00:00Z" }) { nodes { id } }',
      'InvalidDateRange',
      400,
    ],
    ['deadLetters(filter: { reason: "bored" }) { nodes { eventId } }', 'Validation', 422],
    [`deliveries(filter: { eventId: "${randomUUID()}" }) { nodes { id } }`, 'NotFound', 404],
    ['previewSubscription(eventTypes: []) { looked }', 'Validation', 422],
    ['previewSubscription(eventTypes: ["*"], last: 101) { looked }', 'Validation', 422],
  ])('is refused as %s', async (fields, id, status) => {
    const { errors } = await ask(service, `{ application(id: "${tenant.applicationId}") { ${fields} } }`);
    expect(errors).toMatchObject([{ extensions: { id, status }, path: expect.arrayContaining(['application']) }]);
  });
});

describe('somebody else', () => {
  it('sees neither an application nor what belongs to it', async () => {
    const { events, deliveries, subscriptions } = await inApplication(
      'events(first: 1) { nodes { id } } deliveries(first: 1) { nodes { id } } subscriptions(first: 1) { nodes { id } }',
    );
    const query = `query ($app: UUID!, $org: UUID!, $event: UUID!, $delivery: UUID!, $subscription: UUID!) {
      application(id: $app) { id } organization(id: $org) { id }
      applications { nodes { id } } organizations { nodes { id } }
      own: application { event(id: $event) { id } delivery(id: $delivery) { id } subscription(id: $subscription) { id } } }`;
    const variables = {
      app: tenant.applicationId,
      org: tenant.organizationId,
      event: events.nodes[0].id,
      delivery: deliveries.nodes[0].id,
      subscription: subscriptions.nodes[0].id,
    };
    expect(await askData(service, query, variables, stranger.secret)).toEqual({
      application: null,
      organization: null,
      applications: { nodes: [{ id: stranger.applicationId }] },
      organizations: { nodes: [{ id: stranger.organizationId }] },
      own: { event: null, delivery: null, subscription: null },
    });
    expect(
      await ask(
        service,
        'query ($org: UUID!) { applications(organizationId: $org) { nodes { id } } }',
        variables,
        stranger.secret,
      ),
    ).toMatchObject({ errors: [{ extensions: { id: 'NotFound', status: 404 } }] });
  });
});

describe('what cannot be answered', () => {
  it('for a reason of ours is logged, and gives nothing away', async () => {
    const { restore } = onStatement(service, (text) => {
      if (text.includes('FROM dead_letter')) throw new Error('secret internals');
    });
    const {
      data,
      errors,
      answer: http,
    } = await ask(service, '{ application { id deadLetters { nodes { eventId } } } }', {}, tenant.secret);
    restore();
    expect(http.status).toBe(200);
    expect(data).toEqual({ application: null });
    expect(errors).toMatchObject([
      {
        path: ['application', 'deadLetters'],
        extensions: { id: 'InternalServerError', status: 500, request_id: expect.any(String) },
      },
    ]);
    expect(http.text).not.toContain('secret internals');
    expect(service.errors.join()).toContain('secret internals');
  });
});

it('the instance tells about itself', async () => {
  const data = await askData(
    service,
    '{ viewer { kind actor application { id } } instance { id version partitions now allowedTargetCidrs retrySchedule publicKeys { id key } projections { name lag error } } }',
  );
  expect(data).toEqual({
    viewer: { kind: 'master', actor: 'master', application: null },
    instance: {
      id: expect.any(String),
      version: '0.0.0-test',
      partitions: 4,
      now: expect.any(String),
      allowedTargetCidrs: ['127.0.0.9/32'],
      retrySchedule: '1h×2',
      publicKeys: [{ id: 'test', key: expect.stringMatching(/^whpk_/) }],
      projections: expect.arrayContaining([{ name: 'event', lag: expect.any(Number), error: null }]),
    },
  });
});

it('why a read model has stopped is told to whoever runs the instance', async () => {
  const client = new Client({ connectionString: service.databaseUrl });
  await client.connect();
  onTestFinished(() => client.end());
  onTestFinished(async () => void (await client.query('UPDATE processor_checkpoint SET error = NULL')));
  const { secret } = await service.tenant();
  const errors = async (token?: string) =>
    JSON.stringify((await askData(service, '{ instance { projections { error } } }', {}, token)).instance);
  await eventually(async () => {
    // Again and again: a read model that still has something to apply goes on, and has no error then.
    await client.query(`UPDATE processor_checkpoint SET error = 'somebody else''s label'`);
    expect(await errors()).toContain("somebody else's label");
    const told = await errors(secret);
    expect(told).toContain('It has stopped.');
    expect(told).not.toContain('label');
  });
});
