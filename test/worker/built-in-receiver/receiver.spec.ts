import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { behaviourOf } from '#src/worker/built-in-receiver/behaviours.ts';
import { createBuiltInReceiver } from '#src/worker/built-in-receiver/receiver.ts';
import { createSender, type SendOutcome } from '#src/worker/send/send.ts';
import { eventually } from '#test/support/eventually.ts';
import { addresses, answer, startDnsServer, startReceiver } from '#test/support/receivers/index.ts';

const URL_OF = 'http://receiver.posthorn.internal';
const outside = await startReceiver({ behaviour: answer(302, '', { Location: `${URL_OF}/ok` }) });
const dns = await startDnsServer({ 'receiver.posthorn.internal': addresses([outside.host]) });
const builtIn = createBuiltInReceiver({ signatureHeader: 'X-Hook0-Signature' });
const opened: ReturnType<typeof builtIn.open>[] = [];
const receiver: typeof builtIn = {
  open: () => {
    const connection = builtIn.open();
    opened.push(connection);
    return connection;
  },
};
const settings = { dnsServers: [dns.server], allowCidrs: [outside.host] };
const sender = createSender({ ...settings, builtInReceiver: receiver });
const without = createSender({ ...settings, allowHttp: true });
afterAll(async () => {
  await Promise.all([sender.close(), without.close(), outside.close(), dns.close()]);
});

const send = (path: string, { by = sender, headers = {}, body = '{}', origin = URL_OF, timeoutMs = 5_000 } = {}) =>
  by.send({ url: `${origin}${path}`, method: 'POST', headers, body: Buffer.from(body), timeoutMs });
const statusOf = (outcome: SendOutcome): number | string =>
  outcome.kind === 'response' ? outcome.status : outcome.reason;

describe('the built-in receiver', () => {
  it('tells what arrived, and is timed like any other', async () => {
    const outcome = await send('/ok?a=1', {
      headers: { 'webhook-signature': 'v1,x', 'X-Hook0-Signature': 't=1' },
      body: 'x'.repeat(300_000),
    });
    expect(outcome).toMatchObject({
      kind: 'response',
      status: 200,
      headers: { 'content-type': 'application/json' },
      timings: { dnsMs: null, connectMs: expect.any(Number), tlsMs: null, firstByteMs: expect.any(Number) },
    });
    expect(outcome.timings.totalMs).toBeGreaterThan(0);
    expect(outcome.kind === 'response' && JSON.parse(String(outcome.body))).toStrictEqual({
      method: 'POST',
      path: '/ok',
      bytes: 300_000,
      signatures: ['webhook-signature', 'x-hook0-signature'],
    });
  });

  it.each([
    ['/', 200],
    ['/status/204', 204],
    ['/status/503', 503],
    ['/gone', 410],
    ['/slow/1', 200],
    ['/flaky/0', 200],
    ['/flaky/100', 503],
    ['/nowhere', 404],
    ['/status/101', 404],
    ['/status/600', 404],
    ['/slow/60001', 404],
    ['/flaky/101', 404],
    ['/ok/', 404],
    ['/constructor', 404],
  ])('answers %s with %s', async (path, status) => expect(statusOf(await send(path))).toBe(status));

  it('serves many at once, over connections that are used again', async () => {
    const before = opened.length;
    const outcomes = await Promise.all(Array.from({ length: 200 }, () => send('/slow/5')));
    expect(new Set(outcomes.map(statusOf))).toEqual(new Set([200]));
    expect(opened.length - before).toBeLessThanOrEqual(64);
  });

  it('ends with the request when that is given up', async () => {
    expect(statusOf(await send('/slow/60000', { timeoutMs: 50 }))).toBe('timeout');
    await eventually(() => expect(opened.some(({ destroyed }) => destroyed)).toBe(true));
  });

  it('is flaky by delivery and attempt: the same again, and about as often as it is told', () => {
    const key = fc.record({ deliveryId: fc.uuid(), attempt: fc.nat(20).map(String) });
    fc.assert(
      fc.property(key, fc.nat(100), (of, percent) => {
        const found = behaviourOf(`/flaky/${percent}`, of);
        expect(behaviourOf(`/flaky/${percent}`, of)).toStrictEqual(found);
        if (found?.status === 503) expect(behaviourOf('/flaky/100', of)?.status).toBe(503);
      }),
    );
    const failures = Array.from({ length: 2_000 }, (_, index) =>
      behaviourOf('/flaky/30', { deliveryId: 'delivery', attempt: String(index) }),
    ).filter((found) => found?.status === 503);
    expect(failures.length).toBeGreaterThan(500);
    expect(failures.length).toBeLessThan(700);
  });
});

describe('no way around the egress guard', () => {
  it('leads over its name: nobody is asked for it', async () => {
    await send('/ok');
    expect(dns.queries).toStrictEqual([]);
    expect(outside.connections().accepted).toBe(0);
  });

  it.each([
    'http://receiver.posthorn.internal.',
    'http://receiver.posthorn.internal:8080',
    'https://receiver.posthorn.internal',
    'http://x.receiver.posthorn.internal',
    'http://posthorn.internal',
    'http://127.0.0.1',
  ])('leads over %s', async (origin) => {
    const before = opened.length;
    expect(statusOf(await send('/ok', { origin }))).toBe('blocked_target');
    expect([dns.queries, opened.length]).toStrictEqual([[], before]);
  });

  it('is there when it is switched off', async () => {
    expect(statusOf(await send('/ok', { by: without }))).toBe('blocked_target');
    expect(dns.queries).toStrictEqual([]);
  });

  it('is opened by a redirect to it', async () => {
    const before = opened.length;
    expect(statusOf(await send('/', { origin: outside.url.replace(/\/$/, '') }))).toBe(302);
    expect(opened.length).toBe(before);
  });
});
