import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { ask, askData } from '../../support/graphql.ts';
import { answer, type Receiver, startReceiver } from '../../support/receivers/index.ts';
import { startTestService, type Tenant, type TestService } from '../../support/service.ts';

const HISTORY =
  'history(first: 20) { nodes { type summary at actor position { text } changes { path before after } } }';
const COUNT = 'totalCount { value isExact }';

/** Everything that the schema tells of an application, but for what is told of the present only. */
const EVERYTHING = `
  fragment S on Subscription {
    id description isEnabled disabledReason eventTypes labels target { method url headerNames } previousSecretValidUntil
    createdAt updatedAt deletedAt position { text }
  }
  fragment A on RequestAttempt {
    id attemptNumber retryCount status reason message httpStatus dueAt startedAt finishedAt timings { totalMs }
    response { headers body bodyBytes isTruncated } request { method url headers }
  }
  fragment D on Delivery { id status reason attemptCount dueAt updatedAt position { text } }
  query ($id: UUID!, $asOf: AsOf, $eventId: UUID!) {
    application(id: $id, asOf: $asOf) {
      id name createdAt asOf { instant text }
      organization { id name ${HISTORY} applications(first: 3) { nodes { id name } ${COUNT} } }
      counts {
        events pending waiting succeeded deadLettered cancelled attemptsSucceeded attemptsFailed subscriptions eventTypes
      }
      event(id: $eventId) {
        id payload ${HISTORY} causation { id causeId kind summary at actor outcome position { text } }
        routing { subscriptionId description targetUrl isMatch reason explanation delivery { ...D } }
      }
      events(first: 3) { nodes { id deliveryCount deliveries { ...D subscription { ...S } attempts { id status dueAt } } } ${COUNT} }
      pending: events(first: 3, filter: { status: PENDING }) { nodes { id } ${COUNT} }
      dead: events(first: 3, filter: { status: DEAD_LETTERED }) { nodes { id } ${COUNT} }
      deliveries(first: 4) { nodes { ...D event { id } subscription { ...S } ${HISTORY} } ${COUNT} }
      succeeded: deliveries(first: 4, filter: { status: SUCCEEDED }) { nodes { id } ${COUNT} }
      requestAttempts(first: 6) { nodes { ...A subscription { description } delivery { ...D } } ${COUNT} }
      failed: requestAttempts(first: 6, filter: { status: FAILED }) { nodes { id } ${COUNT} }
      waiting: requestAttempts(first: 6, filter: { status: WAITING }) { nodes { id } ${COUNT} }
      deadLetters(first: 3) { nodes { deliveryId reason attemptCount lastFailure delivery { ...D } } ${COUNT} }
      deadLetterGroups { subscriptionId reason lastFailure count oldestAt newestAt subscription { description } }
      subscriptions(first: 4) { nodes { ...S ${HISTORY} } ${COUNT} }
      off: subscriptions(first: 4, filter: { isEnabled: false }) { nodes { id } ${COUNT} }
      labelled: subscriptions(first: 4, filter: { labels: { shop: "a" } }) { nodes { id } ${COUNT} }
      eventTypes(first: 3) { nodes { name createdAt subscriptions { id } ${HISTORY} } ${COUNT} }
      secrets { id name createdAt }
      ${HISTORY}
      auditTrail(first: 30) { nodes { type summary position { text } } }
      preview: previewSubscription(eventTypes: ["order.*"], last: 3) { looked matched }
    }
    applications(first: 3, asOf: $asOf) { nodes { id name } ${COUNT} }
    organizations(first: 3, asOf: $asOf) { nodes { id name } ${COUNT} }
  }`;

let service: TestService;
let receiver: Receiver;
let tenant: Tenant;
let stranger: Tenant;
let status = 500;
let eventId: string;

// biome-ignore lint/suspicious/noExplicitAny: an answer is whatever the query asks for.
type Data = any;
type Kept = { readonly step: string; readonly instant: string; readonly position: string; readonly then: Data };
const kept: Kept[] = [];

const everything = (asOf?: string): Promise<Data> =>
  askData(service, EVERYTHING, { id: tenant.applicationId, eventId, asOf: asOf ?? null });
const rows = async (sql: string): Promise<Data[]> => (await service.service.node.core.queryPool.query(sql)).rows;

/** Waits until nothing is under way and all read models know of it, and keeps what is answered then. */
const keep = async (step: string): Promise<void> => {
  await eventually(async () => {
    const { instance, application } = await askData(
      service,
      'query ($id: UUID!) { instance { projections { lag } } application(id: $id) { counts { pending } } }',
      { id: tenant.applicationId },
    );
    expect(application.counts.pending).toBe(0);
    for (const { lag } of instance.projections) expect(lag).toBe(0);
  });
  const [last] = await rows(
    'SELECT partition_no, position FROM domain_event ORDER BY recorded_at DESC, position DESC LIMIT 1',
  );
  const at = Date.now();
  const then = await everything();
  await eventually(() => expect(Date.now()).toBeGreaterThan(at));
  kept.push({ step, instant: new Date(at).toISOString(), position: `${last.partition_no}:${last.position}`, then });
};

const body = (changes: Record<string, unknown> = {}) => ({
  application_id: tenant.applicationId,
  is_enabled: true,
  event_types: ['order.*'],
  description: 'first',
  labels: {},
  target: { type: 'http', method: 'POST', url: receiver.url, headers: { 'x-key': 'hush' } },
  ...changes,
});
const subscribe = async (changes: Record<string, unknown> = {}): Promise<string> =>
  (await service.post('/subscriptions', body(changes))).json.subscription_id;
const send = async (labels: Record<string, string> = {}): Promise<string> =>
  (
    await service.post('/event', {
      application_id: tenant.applicationId,
      event_type: 'order.paid',
      payload: '{"order":1}',
      labels,
    })
  ).json.event_id;

beforeAll(async () => {
  [service, receiver] = await Promise.all([
    startTestService({ POSTHORN_RETRY_SCHEDULE: '1h×1' }),
    startReceiver({ behaviour: (call) => answer(status, 'an answer')(call) }),
  ]);
  [tenant, stranger] = [await service.tenant('order.paid', 'order.sent'), await service.tenant('order.paid')];
  const first = await subscribe();
  const second = await subscribe({ description: 'second', labels: { shop: 'a' } });
  eventId = await send();
  await keep('an attempt failed and waits for its retry');
  const [waiting] = (await service.get(`/deliveries?application_id=${tenant.applicationId}`)).json;
  await service.put(`/applications/${tenant.applicationId}`, { name: 'Renamed' });
  await service.put(`/organizations/${tenant.organizationId}`, { name: 'Renamed Ltd' });
  await service.put(
    `/subscriptions/${first}`,
    body({ description: 'moved', target: { type: 'http', method: 'PUT', url: `${receiver.url}/moved`, headers: {} } }),
  );
  await keep('renamed and replaced');
  await service.post(`/deliveries/${waiting.delivery_id}/retry`);
  await keep('dead-lettered');
  status = 200;
  await send({ shop: 'a' });
  await service.call(`/subscriptions/${first}`, { method: 'PATCH', body: { is_enabled: false } });
  await keep('another event delivered, a subscription disabled');
  await service.call(`/subscriptions/${first}`, { method: 'PATCH', body: { is_enabled: true } });
  await service.post(`/deliveries/${waiting.delivery_id}/replay`);
  await service.post(`/subscriptions/${second}/secret/rotate`, { overlap_seconds: 3_600 });
  await keep('replayed, rotated');
  await service.delete(`/subscriptions/${second}`);
  await service.delete(`/event_types/order.sent?application_id=${tenant.applicationId}`);
  await service.post('/application_secrets', { application_id: tenant.applicationId, name: 'CI' });
  await service.delete(`/application_secrets/${tenant.secret}?application_id=${tenant.applicationId}`);
  await service.post(`/events/${eventId}/replay`, { application_id: tenant.applicationId });
  await subscribe({ description: 'third' });
  await keep('deleted, replayed as an event, more of everything');
  status = 410;
  await service.post(`/subscriptions/${first}/test`, { event_type: 'order.paid' });
  await keep('a test was answered 410');
  await service.tenant('order.paid');
  await service.delete(`/subscriptions/${first}`);
});
afterAll(async () => {
  await service.stop();
  await receiver.close();
});

/** What was asked for is told, and differs; all else must be equal. */
const withoutMoment = ({ application: { asOf: _, ...application }, ...others }: Data) => ({ ...others, application });

describe('the whole of an application', () => {
  it('as of each instant, and of each position, is what was answered live', async () => {
    expect(kept).toHaveLength(7);
    for (const { step, instant, position, then } of kept)
      for (const asOf of [instant, position]) {
        const now = await everything(asOf);
        expect(withoutMoment(now), `${step}, as of ${asOf}`).toEqual(withoutMoment(then));
        expect(now.application.asOf).toEqual({ instant: expect.any(String), text: asOf });
      }
  });

  it('was another each time: the comparison sees what was changed', () => {
    const answers = kept.map(({ then }) => JSON.stringify(withoutMoment(then)));
    expect(new Set(answers).size).toBe(kept.length);
    const [first, , dead, , replayed, , last] = kept.map(({ then }) => then.application);
    expect(first).toMatchObject({
      name: 'Shop',
      counts: { waiting: 1 },
      asOf: null,
      waiting: { totalCount: { value: 1 } },
    });
    expect(dead).toMatchObject({
      name: 'Renamed',
      deadLetterGroups: [{ count: 1 }],
      dead: { totalCount: { value: 1 } },
    });
    expect(replayed).toMatchObject({ deadLetters: { nodes: [] }, failed: { totalCount: { value: 2 } } });
    expect(last.off.nodes).toHaveLength(1);
    expect(last.event.routing.length).toBeGreaterThan(first.event.routing.length);
  });
});

describe('asOf', () => {
  const name =
    'query ($id: UUID!, $org: UUID!, $asOf: AsOf) { application(id: $id, asOf: $asOf) { name } organization(id: $org, asOf: $asOf) { name } }';
  const ids = () => ({ id: tenant.applicationId, org: tenant.organizationId });

  it('before its beginning is nothing', async () => {
    const data = await askData(service, name, { ...ids(), asOf: '2020-01-01T00:00:00Z' });
    expect(data).toEqual({ application: null, organization: null });
  });

  it('of a deleted application shows it as it was', async () => {
    const made = await service.tenant('order.paid');
    const variables = { id: made.applicationId, org: made.organizationId };
    const [last] = await rows(
      'SELECT partition_no, position FROM domain_event ORDER BY recorded_at DESC, position DESC LIMIT 1',
    );
    await service.delete(`/applications/${made.applicationId}`);
    expect(await askData(service, name, variables)).toMatchObject({ application: null });
    const asOf = `${last.partition_no}:${last.position}`;
    expect(await askData(service, name, { ...variables, asOf })).toMatchObject({ application: { name: 'Shop' } });
  });

  it('goes with each field of its own', async () => {
    const [first] = kept;
    const data = await askData(
      service,
      'query ($id: UUID!, $asOf: AsOf) { now: application(id: $id) { name } before: application(id: $id, asOf: $asOf) { name } }',
      { id: tenant.applicationId, asOf: first?.instant },
    );
    expect(data).toEqual({ now: { name: 'Renamed' }, before: { name: 'Shop' } });
  });

  it('shows nothing of what came later, nor by its id', async () => {
    const later = await askData(
      service,
      `query ($id: UUID!) { application(id: $id) {
        events(first: 1) { nodes { id deliveries { id attempts { id } } } } subscriptions(first: 100) { nodes { id } } } }`,
      { id: tenant.applicationId },
    );
    const { events, subscriptions } = later.application;
    const [event] = events.nodes;
    const data = await askData(
      service,
      `query ($id: UUID!, $asOf: AsOf, $event: UUID!, $delivery: UUID!, $attempt: UUID!, $subscription: UUID!) {
        application(id: $id, asOf: $asOf) {
          event(id: $event) { id } delivery(id: $delivery) { id } requestAttempt(id: $attempt) { id } subscription(id: $subscription) { id } } }`,
      {
        id: tenant.applicationId,
        asOf: kept[0]?.instant,
        event: event.id,
        delivery: event.deliveries[0].id,
        attempt: event.deliveries[0].attempts[0].id,
        subscription: subscriptions.nodes.at(-1).id,
      },
    );
    expect(data.application).toEqual({ event: null, delivery: null, requestAttempt: null, subscription: null });
  });

  it('keeps its pages in its cut', async () => {
    const [first, second] = kept;
    const page = (asOf: string | undefined, after: string | null) =>
      ask(
        service,
        `query ($id: UUID!, $asOf: AsOf, $after: String) { application(id: $id, asOf: $asOf) {
          subscriptions(first: 1, after: $after) { nodes { description } pageInfo { hasNextPage endCursor } } } }`,
        { id: tenant.applicationId, asOf, after },
      );
    const { nodes, pageInfo } = (await page(first?.instant, null)).data.application.subscriptions;
    expect([nodes, pageInfo.hasNextPage]).toEqual([[{ description: 'first' }], true]);
    const next = (await page(first?.instant, pageInfo.endCursor)).data.application.subscriptions;
    expect(next).toEqual({ nodes: [{ description: 'second' }], pageInfo: { hasNextPage: false, endCursor: null } });
    for (const other of [second?.instant, undefined])
      expect((await page(other, pageInfo.endCursor)).errors).toMatchObject([{ extensions: { id: 'InvalidCursor' } }]);
  });

  it.each(['2999-01-01T00:00:00Z', '99:1', '0:999999'])('is refused for %s', async (asOf) => {
    const { errors } = await ask(service, name, { ...ids(), asOf });
    expect(errors?.[0]).toMatchObject({ extensions: { id: 'InvalidAsOf', status: 400 } });
  });

  it('is refused where only the present counts', async () => {
    const { errors } = await ask(
      service,
      'query ($id: UUID!, $asOf: AsOf) { application(id: $id, asOf: $asOf) { previewReplay(filter: {}) { deliveries } } }',
      { id: tenant.applicationId, asOf: kept[0]?.instant },
    );
    expect(errors).toMatchObject([{ extensions: { id: 'InvalidAsOf' } }]);
  });

  it('goes by the clock of its moment', async () => {
    const id = await subscribe({ description: 'rotated' });
    await service.post(`/subscriptions/${id}/secret/rotate`, { overlap_seconds: 1 });
    const asOf = new Date().toISOString();
    const validUntil = async (moment: string | null): Promise<unknown> =>
      (
        await askData(
          service,
          'query ($id: UUID!, $asOf: AsOf, $subscription: UUID!) { application(id: $id, asOf: $asOf) { subscription(id: $subscription) { previousSecretValidUntil } } }',
          { id: tenant.applicationId, subscription: id, asOf: moment },
        )
      ).application.subscription.previousSecretValidUntil;
    await eventually(async () => expect(await validUntil(null)).toBeNull());
    expect(await validUntil(asOf)).not.toBeNull();
  });

  it('opens nothing of another tenant', async () => {
    const variables = { ...ids(), asOf: kept[0]?.instant };
    expect(await askData(service, name, variables, stranger.secret)).toEqual({ application: null, organization: null });
    const listed = await askData(
      service,
      'query ($asOf: AsOf) { applications(asOf: $asOf) { nodes { id } } organizations(asOf: $asOf) { nodes { id } } }',
      variables,
      stranger.secret,
    );
    expect(listed).toEqual({
      applications: { nodes: [{ id: stranger.applicationId }] },
      organizations: { nodes: [{ id: stranger.organizationId }] },
    });
  });

  it('counts filtered lists only so far, and says so', async () => {
    const counted = await askData(
      service,
      'query ($id: UUID!, $asOf: AsOf) { application(id: $id, asOf: $asOf) { deliveries(filter: { status: SUCCEEDED }) { totalCount(upTo: 1) { value isExact } } } }',
      { id: tenant.applicationId, asOf: kept.at(-1)?.instant },
    );
    expect(counted.application.deliveries.totalCount).toEqual({ value: 1, isExact: false });
  });
});
