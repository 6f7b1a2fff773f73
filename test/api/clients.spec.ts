import { verify } from 'node:crypto';
import { Event, Hook0Client, verifyWebhookSignature } from 'hook0-client';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publicKeyOfWhpk } from '#src/domain/signature/keys.ts';
import { type Received, type Receiver, startReceiver } from '../support/receivers/index.ts';
import { startTestService, type Tenant, type TestService } from '../support/service.ts';

let service: TestService;
let receiver: Receiver;
let tenant: Tenant;
let subscription: { secret: string; signing_secret: string; public_key: string };
let client: Hook0Client;
const EVENT_TYPE = 'shop.order.paid';

beforeAll(async () => {
  [service, receiver] = await Promise.all([startTestService(), startReceiver()]);
  tenant = await service.tenant();
  client = new Hook0Client(`${service.address}/api/v1/`, tenant.applicationId, tenant.secret);
  await client.upsertEventTypes([EVENT_TYPE, 'shop.order.sent']);
  subscription = (
    await service.post('/subscriptions', {
      application_id: tenant.applicationId,
      is_enabled: true,
      event_types: [EVENT_TYPE],
      labels: { tenant: 'a' },
      target: { type: 'http', method: 'POST', url: receiver.url, headers: { 'X-Custom': 'some value' } },
      sign_ed25519: true,
    })
  ).json;
});
afterAll(async () => {
  await service.stop();
  await receiver.close();
});

const occurredAt = new Date();
const payload = JSON.stringify({ total: 12.5, text: 'ünï' });
const send = (eventId?: string) =>
  client.sendEvent(
    new Event(EVENT_TYPE, payload, 'application/json', { tenant: 'a' }, { trace: 'x' }, occurredAt, eventId),
  );
const arrived = async (): Promise<Received> => {
  const count = receiver.requests.length + 1;
  await send();
  const request = (await receiver.waitFor(count)).at(-1);
  if (!request) throw new Error('Nothing has arrived.');
  return request;
};

describe('the client of Hook0, as it is published', () => {
  it('makes event types, those missing only', async () => {
    expect(await client.upsertEventTypes([EVENT_TYPE, 'shop.order.lost'])).toEqual(['shop.order.lost']);
    expect(await client.upsertEventTypes([EVENT_TYPE, 'shop.order.lost'])).toEqual([]);
  });

  it('sends an event, and again without harm', async () => {
    const eventId = await send();
    expect(await send(eventId.toUpperCase())).toBe(eventId);
  });

  it('is told why an event is refused', async () => {
    const wrong = new Event('shop.order.unknown', '{}', 'application/json', { tenant: 'a' });
    await expect(client.sendEvent(wrong)).rejects.toThrow(/EventTypeDoesNotExist/);
  });

  it('verifies what arrives, and nothing else', async () => {
    const { headers, body } = await arrived();
    const signature = headers['x-hook0-signature'] ?? '';
    const check = (bytes: Buffer, secret = subscription.secret) =>
      verifyWebhookSignature(signature, bytes, new Headers(headers), secret, 300);
    expect(body.toString()).toBe(payload);
    expect(signature).toMatch(/^t=\d+,h=content-type x-custom x-event-id x-event-type,v1=[0-9a-f]{64}$/);
    expect(check(body)).toBe(true);
    expect(() => check(Buffer.concat([body, Buffer.from(' ')]))).toThrow();
    expect(() => check(body, tenant.secret)).toThrow();
  });
});

describe('Standard Webhooks', () => {
  it('is verified by its own library and by that of Svix', async () => {
    const { headers, body } = await arrived();
    for (const verifier of [
      new StandardWebhook(subscription.signing_secret),
      new SvixWebhook(subscription.signing_secret),
    ]) {
      expect(() => verifier.verify(body.toString(), { ...headers })).not.toThrow();
      expect(() => verifier.verify(`${body} `, { ...headers })).toThrow();
    }
  });

  it('is verified with the published public key', async () => {
    const { headers, body } = await arrived();
    const { keys } = (await service.get('//.well-known/posthorn-keys.json', null)).json;
    expect(keys).toEqual([
      { key_id: 'test', algorithm: 'ed25519', public_key: subscription.public_key, is_signing: true },
    ]);
    const [, signature] = /v1a,(\S+)/.exec(headers['webhook-signature'] ?? '') ?? [];
    const signed = Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`);
    const isValid = (bytes: Buffer) =>
      verify(null, bytes, publicKeyOfWhpk(keys[0].public_key), Buffer.from(signature ?? '', 'base64'));
    expect([isValid(signed), isValid(Buffer.concat([signed, Buffer.from(' ')]))]).toEqual([true, false]);
  });
});
