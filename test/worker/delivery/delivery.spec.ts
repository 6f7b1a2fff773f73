import { hash, verify } from 'node:crypto';
import { verifyWebhookSignatureWithCurrentTime } from 'hook0-client';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publicKeyOfWhpk, whsecOf } from '#src/domain/signature/keys.ts';
import { BodyChanged } from '#src/vault/vault.ts';
import { findResponse } from '#src/worklist/response.ts';
import {
  answer,
  type Behaviour,
  hang,
  hugeBody,
  type Received,
  type Receiver,
  redirect,
  retryAfter,
  sequence,
  startReceiver,
} from '../../support/receivers/index.ts';
import { type Cluster, type LoggedEvent, type Member, openCluster, type Tenant, until } from './support.ts';

/** The clock of the worker is that of the database give or take half a round trip. */
const CLOCK_MS = 50;
const TOLERANCE_SECONDS = 300;
const PAYLOAD = '{ "amount": 42, "note": "ä\\u0000\\n" }';

const behaviours: Record<string, Behaviour> = {};
let receiver: Receiver;
let cluster: Cluster;
let member: Member;
let tenant: Tenant;
beforeAll(async () => {
  receiver = await startReceiver({ behaviours });
  cluster = await openCluster({ POSTHORN_RETRY_SCHEDULE: '150ms,250ms', POSTHORN_ATTEMPT_TIMEOUT: '800ms' });
  member = await cluster.start();
  tenant = await cluster.tenant();
});
afterAll(async () => {
  await receiver.close(); // First, so that nothing hangs any more.
  await cluster.stop();
});

let paths = 0;
type Changes = Record<string, unknown> & { target?: Record<string, unknown> };
const subscribeTo = async (behaviour: Behaviour, { target, ...changes }: Changes = {}) => {
  paths += 1;
  const path = `/${paths}`;
  behaviours[path] = behaviour;
  const labels = { test: path };
  const url = `${receiver.url}${path}`;
  const subscription = await cluster.subscribe(tenant, url, {
    labels,
    ...changes,
    target: { type: 'http', method: 'POST', url, ...target },
  });
  return {
    subscription,
    requests: () => receiver.requests.filter((request) => request.path === path),
    ingest: () => cluster.ingest(tenant, { labels, payload: PAYLOAD }),
  };
};

/** What the log says of the one delivery of an event, once it ends as expected. */
const ended = async (eventId: string, ...types: string[]): Promise<LoggedEvent[]> =>
  until(async () => {
    const history = await cluster.history(eventId);
    expect(history.map(({ type }) => type)).toEqual(types);
    return history;
  });
const SUCCEEDED = ['AttemptScheduled', 'AttemptSucceeded'];
const RETRIED = ['AttemptScheduled', 'AttemptFailed', 'AttemptScheduled', 'AttemptSucceeded'];
const EXHAUSTED = [
  ...['AttemptScheduled', 'AttemptFailed'],
  ...['AttemptScheduled', 'AttemptFailed'],
  ...['AttemptScheduled', 'AttemptFailed', 'DeliveryDeadLettered'],
];
const ofType = (history: readonly LoggedEvent[], type: string) =>
  history.filter((event) => event.type === type).map(({ data }) => data);
const arrivedMs = ({ time }: Received): number => Date.now() - performance.now() + time;

/** Each attempt arrives when it is due or later. */
const expectNoneEarly = (history: readonly LoggedEvent[], requests: readonly Received[]): void => {
  const due = ofType(history, 'AttemptScheduled').map(({ dueAt }) => Date.parse(dueAt));
  expect(requests).toHaveLength(due.length);
  requests.forEach((request, index) => {
    expect(arrivedMs(request)).toBeGreaterThanOrEqual((due[index] ?? 0) - CLOCK_MS);
  });
};

const headersOf = ({ headers }: Received) => ({
  'webhook-id': headers['webhook-id'] ?? '',
  'webhook-timestamp': headers['webhook-timestamp'] ?? '',
  'webhook-signature': headers['webhook-signature'] ?? '',
});
const verifies = (request: Received, secret: string): boolean => {
  try {
    new Webhook(secret).verify(request.body.toString(), headersOf(request));
    return true;
  } catch {
    return false;
  }
};
const verifiesHook0 = (request: Received, secret: string): boolean => {
  try {
    const signature = request.headers['x-hook0-signature'] ?? '';
    const received = new Headers(request.headers);
    const { body } = request;
    const at = new Date();
    return verifyWebhookSignatureWithCurrentTime(signature, body, received, secret, TOLERANCE_SECONDS, at) === true;
  } catch {
    return false;
  }
};

describe('an answer', () => {
  it.each([200, 201, 204, 299])('of %i is a success', async (status) => {
    const { ingest, requests } = await subscribeTo(answer(status));
    const history = await ended(await ingest(), ...SUCCEEDED);
    expect(ofType(history, 'AttemptSucceeded')).toMatchObject([{ httpStatus: status, attemptNumber: 1 }]);
    expect(requests()).toHaveLength(1);
  });

  it.each([300, 301, 302, 303, 304, 307, 308])('of %i is a failure and not followed', async (status) => {
    behaviours['/followed'] = answer(200);
    const { ingest, requests } = await subscribeTo(redirect(status, `${receiver.url}/followed`), {
      retry_schedule: '1h',
    });
    const history = await ended(await ingest(), 'AttemptScheduled', 'AttemptFailed', 'AttemptScheduled');
    expect(ofType(history, 'AttemptFailed')).toMatchObject([{ httpStatus: status, reason: 'redirect' }]);
    expect(requests()).toHaveLength(1);
    expect(receiver.requests.filter(({ path }) => path === '/followed')).toHaveLength(0);
  });

  it('of 410 is for ever: a dead letter, and the subscription is disabled', async () => {
    const { ingest, requests, subscription } = await subscribeTo(answer(410));
    const eventId = await ingest();
    const history = await ended(eventId, 'AttemptScheduled', 'AttemptFailed', 'DeliveryDeadLettered');
    expect(ofType(history, 'DeliveryDeadLettered')).toMatchObject([{ reason: 'gone', attempts: 1 }]);
    const read = await cluster.call('GET', `/subscriptions/${subscription.subscription_id}`);
    expect(read).toMatchObject({ is_enabled: false, disabled_reason: 'gone' });
    expect(await cluster.history(await ingest())).toEqual([]);
    expect(requests()).toHaveLength(1);
  });

  it.each([400, 404, 418, 500, 502, 504])('of %i is tried again until it is a success', async (status) => {
    const { ingest, requests } = await subscribeTo(
      // It may wish what it likes: only 429 and 503 are listened to.
      sequence(answer(status, '', { 'Retry-After': '3600' }), answer(200)),
    );
    const history = await ended(await ingest(), ...RETRIED);
    expect(ofType(history, 'AttemptFailed')).toMatchObject([{ httpStatus: status, reason: 'status' }]);
    expectNoneEarly(history, requests());
  });

  it.each([
    [429, 'seconds', () => '1'],
    [503, 'a date', () => new Date(Date.now() + 2_000).toUTCString()],
  ])('of %i that asks for %s is not tried again before', async (status, _form, value) => {
    let askedFor = 0;
    const { ingest, requests } = await subscribeTo(
      sequence((call) => {
        const text = value();
        askedFor = /^\d+$/.test(text) ? Date.now() + Number(text) * 1_000 : Date.parse(text);
        retryAfter(status, text)(call);
      }, answer(200)),
    );
    const history = await ended(await ingest(), ...RETRIED);
    const [, second] = requests();
    expect(arrivedMs(second as Received)).toBeGreaterThanOrEqual(askedFor - CLOCK_MS);
    expectNoneEarly(history, requests());
  });

  it('that does not come in time is a timeout', async () => {
    const { ingest } = await subscribeTo(hang(), { retry_schedule: '1h' });
    const history = await ended(await ingest(), 'AttemptScheduled', 'AttemptFailed', 'AttemptScheduled');
    const [failed] = ofType(history, 'AttemptFailed');
    expect(failed).toMatchObject({ reason: 'timeout', httpStatus: null, response: null });
    expect(failed.timings.totalMs).toBeGreaterThanOrEqual(790);
  });

  it('is kept, as far as it is not too long', async () => {
    const { ingest } = await subscribeTo(
      sequence(answer(500, 'no\0t\xff today', { 'X-Reason': 'tired', 'Set-Cookie': 'a=b' }), hugeBody(200_000)),
    );
    const history = await ended(await ingest(), ...RETRIED);
    const [failed] = ofType(history, 'AttemptFailed');
    const [succeeded] = ofType(history, 'AttemptSucceeded');
    const stored = async (attemptId: string) => {
      const { rows } = await cluster.owner.query(
        'SELECT day::text AS day, partition_no AS partition FROM response WHERE attempt_id = $1',
        [attemptId],
      );
      const key = { ...rows[0], applicationId: tenant.applicationId, organizationId: tenant.organizationId, attemptId };
      const found = await findResponse(cluster.owner, member.node.core.vault, key);
      if (found instanceof BodyChanged) throw found;
      return found;
    };
    const body = Buffer.from('no\0t\xff today');
    expect(await stored(failed.attemptId)).toMatchObject({ headers: { 'x-reason': 'tired' }, body });
    expect(failed.response).toEqual({
      bodySha256: hash('sha256', body, 'hex'),
      bodyBytes: body.length,
      truncated: false,
    });
    expect((await stored(succeeded.attemptId))?.body).toEqual(Buffer.alloc(65_536, 'a'));
    expect(succeeded.response).toMatchObject({ bodyBytes: 65_536, truncated: true });
    expect(succeeded.timings).toMatchObject({ firstByteMs: expect.any(Number), totalMs: expect.any(Number) });
    expect(Date.parse(succeeded.finishedAt)).toBeGreaterThanOrEqual(Date.parse(succeeded.startedAt));
  });
});

describe('retries', () => {
  it('follow the schedule to its end, one delivery all the way, and a replay begins it afresh', async () => {
    const { ingest, requests, subscription } = await subscribeTo(
      sequence(...Array.from({ length: 4 }, () => answer(500)), answer(200)),
    );
    const eventId = await ingest();
    const history = await ended(eventId, ...EXHAUSTED);
    expectNoneEarly(history, requests());
    const [dead] = ofType(history, 'DeliveryDeadLettered');
    expect(dead).toMatchObject({ reason: 'retries_exhausted', attempts: 3 });
    const delays = ofType(history, 'AttemptScheduled').map(
      ({ dueAt, scheduledAt }) => Date.parse(dueAt) - Date.parse(scheduledAt),
    );
    expect(delays[0]).toBe(0);
    expect(delays[1]).toBeGreaterThanOrEqual(150);
    expect(delays[2]).toBeGreaterThanOrEqual(250);

    await cluster.call('POST', `/deliveries/${dead.deliveryId}/replay`);
    const whole = await ended(eventId, ...EXHAUSTED, ...RETRIED);
    expectNoneEarly(whole, requests());
    expect(ofType(whole, 'AttemptScheduled')).toMatchObject([
      { trigger: 'ingest', retryCount: 0 },
      { trigger: 'retry', retryCount: 1 },
      { trigger: 'retry', retryCount: 2 },
      { trigger: 'replay', retryCount: 0 },
      { trigger: 'retry', retryCount: 1 },
    ]);
    expect(requests().map(({ headers }) => headers['x-posthorn-attempt'])).toEqual(['1', '2', '3', '4', '5']);
    expect(new Set(requests().map(({ headers }) => headers['webhook-id']))).toEqual(new Set([dead.deliveryId]));
    for (const request of requests()) {
      expect(verifies(request, subscription.signing_secret)).toBe(true);
      expect(verifiesHook0(request, subscription.secret)).toBe(true);
      expect(Math.abs(Number(request.headers['webhook-timestamp']) * 1_000 - arrivedMs(request))).toBeLessThan(2_000);
    }
  });

  it('follow the schedule of the subscription where it has one', async () => {
    const { ingest, requests } = await subscribeTo(answer(500), { retry_schedule: '50ms' });
    const history = await ended(await ingest(), ...EXHAUSTED.slice(0, 3), ...EXHAUSTED.slice(-2));
    expect(ofType(history, 'DeliveryDeadLettered')).toMatchObject([{ reason: 'retries_exhausted', attempts: 2 }]);
    expectNoneEarly(history, requests());
  });
});

describe('a request', () => {
  it('carries the exact bytes, what they are, and both signatures', async () => {
    const { ingest, requests, subscription } = await subscribeTo(answer(200));
    const eventId = await ingest();
    const history = await ended(eventId, ...SUCCEEDED);
    const [request] = requests() as [Received];
    expect(request.method).toBe('POST');
    expect(request.body.toString()).toBe(PAYLOAD);
    expect(request.headers).toMatchObject({
      'content-type': 'application/json',
      'x-event-id': eventId,
      'x-event-type': 'order.paid',
      'webhook-id': history[0]?.data.deliveryId,
      'x-posthorn-attempt': '1',
      'user-agent': 'posthorn/0.0.0-test',
    });
    expect(verifies(request, subscription.signing_secret)).toBe(true);
    expect(verifiesHook0(request, subscription.secret)).toBe(true);
    expect(whsecOf(subscription.secret)).toBe(subscription.signing_secret);
    expect(verifiesHook0({ ...request, body: Buffer.from('{}') }, subscription.secret)).toBe(false);
  });

  it('carries custom headers, which are signed too', async () => {
    const headers = { Authorization: 'Bearer of news', 'X-Tenant': 'acme' };
    const { ingest, requests, subscription } = await subscribeTo(answer(200), { target: { headers } });
    const eventId = await ingest();
    await ended(eventId, ...SUCCEEDED);
    const [request] = requests() as [Received];
    expect(request.headers).toMatchObject({ authorization: 'Bearer of news', 'x-tenant': 'acme' });
    expect(verifiesHook0(request, subscription.secret)).toBe(true);
    const tampered = { ...request, headers: { ...request.headers, 'x-tenant': 'emca' } };
    expect(verifiesHook0(tampered, subscription.secret)).toBe(false);
    // Neither values nor secrets are in the log.
    const { rows } = await cluster.owner.query('SELECT data::text FROM domain_event');
    const log = rows.map(({ data }) => data).join('\n');
    expect(log).not.toContain('Bearer of news');
    expect(log).not.toContain(subscription.secret);
  });

  it.each(['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'])('may be a %s', async (method) => {
    const { ingest, requests, subscription } = await subscribeTo(answer(204), { target: { method } });
    await ended(await ingest(), ...SUCCEEDED);
    const [request] = requests() as [Received];
    expect(request.method).toBe(method);
    expect(request.body.toString()).toBe(PAYLOAD);
    expect(verifiesHook0(request, subscription.secret)).toBe(true);
  });

  it('verifies with both secrets while a rotation overlaps, and with the new one alone after', async () => {
    const { ingest, requests, subscription } = await subscribeTo(answer(200));
    const rotate = (overlap_seconds: number) =>
      cluster.call('POST', `/subscriptions/${subscription.subscription_id}/secret/rotate`, { overlap_seconds });
    const second = await rotate(3_600);
    await ended(await ingest(), ...SUCCEEDED);
    const [overlapping] = requests() as [Received];
    expect(overlapping.headers['webhook-signature']?.split(' ')).toHaveLength(2);
    expect(verifies(overlapping, second.signing_secret)).toBe(true);
    expect(verifies(overlapping, subscription.signing_secret)).toBe(true);
    expect(verifiesHook0(overlapping, second.secret)).toBe(true);
    expect(verifiesHook0(overlapping, subscription.secret)).toBe(false);

    const third = await rotate(0);
    await ended(await ingest(), ...SUCCEEDED);
    const after = requests()[1] as Received;
    expect(verifies(after, third.signing_secret)).toBe(true);
    expect(verifies(after, second.signing_secret)).toBe(false);
    expect(after.headers['webhook-signature']?.split(' ')).toHaveLength(1);
  });

  it('carries a v1a signature for those who ask, verified with the public key', async () => {
    const { ingest, requests, subscription } = await subscribeTo(answer(200), { sign_ed25519: true });
    await ended(await ingest(), ...SUCCEEDED);
    const [request] = requests() as [Received];
    const [v1, v1a = ''] = (request.headers['webhook-signature'] ?? '').split(' ');
    expect(v1).toMatch(/^v1,/);
    expect(v1a).toMatch(/^v1a,/);
    const { 'webhook-id': id, 'webhook-timestamp': timestamp } = headersOf(request);
    const message = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), request.body]);
    const signature = Buffer.from(v1a.slice('v1a,'.length), 'base64');
    expect(verify(null, message, publicKeyOfWhpk(subscription.public_key), signature)).toBe(true);
    expect(verifies(request, subscription.signing_secret)).toBe(true);
  });
});
