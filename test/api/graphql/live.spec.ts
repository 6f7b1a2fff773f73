import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '#test/support/eventually.ts';
import { openSocket, watch } from '#test/support/live.ts';
import { startReceiver } from '#test/support/receivers/receiver.ts';
import { startTestService, type Tenant, type TestService } from '#test/support/service.ts';

const ATTEMPTS = `subscription ($after: String, $filter: LiveFilter) {
  requestAttempts(after: $after, filter: $filter) {
    position leftOut isCaughtUp
    items { id deliveryId eventId eventType subscriptionId attemptNumber status httpStatus durationMs at position { text } }
  }
}`;
const EVENTS = `subscription ($after: String, $filter: LiveFilter) {
  events(after: $after, filter: $filter) { position leftOut isCaughtUp items { id eventType labels deliveryCount position { text } } }
}`;

let service: TestService;
let tenant: Tenant;
let target: string;
let close: () => Promise<void>;
beforeAll(async () => {
  service = await startTestService();
  tenant = await service.tenant('order.paid', 'order.lost');
  const receiver = await startReceiver();
  target = receiver.url;
  close = receiver.close;
  await service.post('/subscriptions', {
    application_id: tenant.applicationId,
    is_enabled: true,
    event_types: ['order.*'],
    labels: {},
    target: { type: 'http', method: 'POST', url: target, headers: {} },
  });
});
afterAll(async () => {
  await service.stop();
  await close();
});

const send = async (eventType = 'order.paid', labels: Record<string, string> = {}): Promise<string> => {
  const answer = await service.post('/event', {
    application_id: tenant.applicationId,
    event_type: eventType,
    payload: '{}',
    labels,
  });
  expect(answer.status).toBe(201);
  return answer.json.event_id;
};
const caughtUp = (seen: ReturnType<typeof watch>): Promise<void> =>
  eventually(() => expect(seen.batches.at(-1)?.isCaughtUp).toBe(true));

describe('live subscriptions', () => {
  it('show request attempts as they are made', async () => {
    const seen = watch(service.address, tenant.secret, ATTEMPTS);
    await caughtUp(seen);
    const eventId = await send();
    await eventually(() =>
      expect(seen.items().filter((item) => item.eventId === eventId)).toMatchObject([
        { status: 'PENDING', attemptNumber: 1, eventType: 'order.paid', httpStatus: null },
        { status: 'SUCCEEDED', attemptNumber: 1, eventType: 'order.paid', httpStatus: 200 },
      ]),
    );
    await seen.stop();
  });

  it('are filtered by the server', async () => {
    const byLabel = watch(service.address, tenant.secret, EVENTS, { filter: { labels: { shop: 'a' } } });
    const byStatus = watch(service.address, tenant.secret, ATTEMPTS, {
      filter: { attemptStatuses: ['SUCCEEDED'], eventTypes: ['order.lost'] },
    });
    await Promise.all([caughtUp(byLabel), caughtUp(byStatus)]);
    await send('order.paid', { shop: 'b' });
    const wanted = await send('order.paid', { shop: 'a', more: 'x' });
    const lost = await send('order.lost');
    await eventually(() => expect(byStatus.items().map(({ eventId }) => eventId)).toEqual([lost]));
    await eventually(() => expect(byLabel.items().map(({ id }) => id)).toEqual([wanted]));
    await Promise.all([byLabel.stop(), byStatus.stop()]);
  });

  it('go on after a position without gap or duplicate', async () => {
    const first = watch(service.address, tenant.secret, EVENTS);
    await caughtUp(first);
    const ids = [await send()];
    await eventually(() => expect(first.items()).toHaveLength(1));
    await first.stop();
    for (let n = 0; n < 5; n += 1) ids.push(await send());
    const second = watch(service.address, tenant.secret, EVENTS, { after: first.batches.at(-1).position });
    ids.push(await send());
    await eventually(() => expect([...first.items(), ...second.items()].map(({ id }) => id)).toEqual(ids));
    await second.stop();
  });

  it('carry traffic figures, dead letters, deliveries and domain events', async () => {
    const kinds = {
      deliveries: watch(
        service.address,
        tenant.secret,
        'subscription { deliveries { isCaughtUp items { status attemptCount } } }',
      ),
      deadLetters: watch(
        service.address,
        tenant.secret,
        'subscription { deadLetters { isCaughtUp items { reason } } }',
      ),
      domainEvents: watch(
        service.address,
        tenant.secret,
        'subscription { domainEvents(types: ["EventIngested"]) { isCaughtUp items { type streamId data metadata } } }',
      ),
    };
    const traffic = watch(service.address, tenant.secret, 'subscription { traffic { at events succeeded } }');
    await Promise.all(Object.values(kinds).map(caughtUp));
    const eventId = await send();
    await eventually(() =>
      expect(kinds.deliveries.items()).toEqual([
        { status: 'PENDING', attemptCount: 1 },
        { status: 'SUCCEEDED', attemptCount: 1 },
      ]),
    );
    expect(kinds.domainEvents.items()).toMatchObject([{ type: 'EventIngested', data: { eventId }, metadata: {} }]);
    expect(kinds.deadLetters.items()).toEqual([]);
    await eventually(async () => {
      await send();
      expect(traffic.batches[0]?.events).toBeGreaterThan(0);
    });
    await Promise.all([...Object.values(kinds), traffic].map((seen) => seen.stop()));
  });

  it('refuse what does not make sense, and leave the socket open', async () => {
    const { socket, messages, send: say } = await openSocket(service.address);
    say({ type: 'connection_init', payload: { authorization: `Bearer ${tenant.secret}` } });
    await eventually(() => expect(messages[0]).toEqual({ type: 'connection_ack' }));
    const refused = async (query: string, variables = {}): Promise<Record<string, unknown>> => {
      const id = randomUUID();
      say({ id, type: 'subscribe', payload: { query, variables } });
      await eventually(() => expect(messages.find((message) => message.id === id)?.type).toBe('error'));
      return messages.find((message) => message.id === id).payload[0];
    };
    expect(await refused('{ viewer { kind } }')).toMatchObject({ message: expect.stringContaining('POST /graphql') });
    expect(await refused('subscription { nothing { x } }')).toMatchObject({ extensions: { id: 'GraphqlValidation' } });
    expect(await refused(EVENTS, { filter: { subscriptionId: randomUUID() } })).toMatchObject({
      message: expect.stringContaining('subscriptionId'),
    });
    expect(await refused(EVENTS, { after: 'yesterday' })).toMatchObject({ extensions: { id: 'GraphqlValidation' } });
    expect(await refused(EVENTS, { after: '0.99999999' })).toMatchObject({
      message: expect.stringContaining('not a place in this log'),
    });
    expect(await refused(`subscription { events(applicationId: "${randomUUID()}") { position } }`)).toMatchObject({
      extensions: { id: 'NotFound', status: 404 },
    });
    expect(await refused(`subscription { events { ${'position '.repeat(600)} } }`)).toMatchObject({
      message: expect.stringContaining('500'),
    });
    say({ type: 'ping', payload: { n: 1 } });
    await eventually(() => expect(messages.at(-1)).toEqual({ type: 'pong', payload: { n: 1 } }));
    socket.close();
  });

  it('keep to the protocol: whoever does not is closed out with its code', async () => {
    const subscribe = { id: '1', type: 'subscribe', payload: { query: EVENTS } };
    const init = { type: 'connection_init', payload: { authorization: `Bearer ${tenant.secret}` } };
    const cases: [number, readonly unknown[]][] = [
      [4400, ['nonsense']],
      [4400, [{ type: 'connection_init', payload: 5 }]],
      [4401, [subscribe]],
      [4403, [{ type: 'connection_init', payload: { authorization: 'Bearer wrong' } }]],
      [4403, [{ type: 'connection_init' }]],
      [4429, [init, init]],
    ];
    for (const [code, sent] of cases) {
      const { closed, send: say } = await openSocket(service.address);
      for (const message of sent) say(message);
      expect((await closed).code).toBe(code);
    }
    const twice = await openSocket(service.address);
    twice.send(init);
    await eventually(() => expect(twice.messages).toHaveLength(1));
    twice.send(subscribe);
    twice.send(subscribe);
    expect((await twice.closed).code).toBe(4409);
    const other = await openSocket(service.address, 'graphql-ws').catch((error: Error) => error);
    expect(other).toBeInstanceOf(Error);
  });

  it('end with the token that opened them, saying why', async () => {
    const made = await service.post('/application_secrets', {
      application_id: tenant.applicationId,
      name: 'short-lived',
    });
    const { closed, messages, send: say } = await openSocket(service.address);
    say({ type: 'connection_init', payload: { authorization: `Bearer ${made.json.token}` } });
    await eventually(() => expect(messages[0]?.type).toBe('connection_ack'));
    say({ id: '1', type: 'subscribe', payload: { query: EVENTS } });
    await eventually(() => expect(messages[1]?.type).toBe('next'));
    await service.delete(`/application_secrets/${made.json.token}?application_id=${tenant.applicationId}`);
    expect(await closed).toMatchObject({ code: 4403, reason: expect.stringContaining('secret') });
  });
});
