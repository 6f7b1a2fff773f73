import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { createSender, type SendOutcome, type SendRequest } from '#src/worker/send/send.ts';
import {
  answer,
  closeAfter,
  gate,
  halfClose,
  hang,
  MALFORMED,
  raw,
  redirect,
  reset,
  retryAfter,
  sequence,
  slow,
  startReceiver,
} from '#test/support/receivers/index.ts';

const sender = createSender({ allowCidrs: ['127.0.0.9'], timeoutMs: 5_000, userAgent: 'Posthorn/test' });
const receiver = await startReceiver({
  behaviours: {
    '/ok': answer(200, 'thanks', { 'X-Receiver': 'yes' }),
    '/empty': answer(204),
    '/404': answer(404, 'no such thing'),
    '/410': answer(410),
    '/429': retryAfter(429, '120'),
    '/503-twice': raw('HTTP/1.1 503 No\r\nRetry-After: 1\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n'),
    '/reset': reset(),
    '/reset-in-head': reset('HTTP/1.1 200 OK\r\nX-'),
    '/reset-in-body': reset('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'),
    '/half-close': halfClose(),
    '/line-ends': raw('\r\n\r\n\r\n', { end: true }),
    '/odd-reason': raw('HTTP/1.1 200 \0\xff\r\nContent-Length: 0\r\n\r\n'),
    '/until-close': raw('HTTP/1.1 200 OK\r\n\r\nall of it', { end: true }),
    '/hints': raw('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok'),
    '/204-with-body': raw('HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n'),
    '/204-with-length': raw('HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\nnot empty'),
    '/prototype': raw('HTTP/1.1 200 OK\r\n__proto__: a\r\n__proto__: b\r\nconstructor: c\r\nContent-Length: 0\r\n\r\n'),
    '/slow': slow(30),
  },
});
afterAll(async () => {
  await sender.close();
  await receiver.close();
});

const to = (path: string, more: Partial<SendRequest> = {}): SendRequest => ({
  url: path.startsWith('http') ? path : receiver.url + path,
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: Buffer.from('{"a":1}'),
  ...more,
});
const brief = (outcome: SendOutcome): string | number =>
  outcome.kind === 'response' ? outcome.status : outcome.reason;

describe('a request', () => {
  it('carries method, path, headers and the exact bytes', async () => {
    const headers = ['content-type', 'text/plain; charset=utf-8', 'X-Custom', 'a, b', 'x-latin', 'é'];
    const body = Buffer.from([0, 255, 10, 13]);
    await sender.send(to('/ok?q=%20&r', { method: 'PUT', headers, body }));
    expect(receiver.requests.at(-1)).toMatchObject({
      method: 'PUT',
      path: '/ok?q=%20&r',
      body,
      headers: {
        'content-type': 'text/plain; charset=utf-8',
        'x-custom': 'a, b',
        'content-length': '4',
        'user-agent': 'Posthorn/test',
        accept: '*/*',
        host: `127.0.0.9:${receiver.port}`,
        connection: 'keep-alive',
      },
    });
  });

  it('may bring its own user agent, and an empty body', async () => {
    await sender.send(to('/ok', { headers: { 'User-Agent': 'mine' }, body: Buffer.alloc(0) }));
    expect(receiver.requests.at(-1)?.headers).toMatchObject({ 'user-agent': 'mine', 'content-length': '0' });
  });

  it.each([
    'Host',
    'Connection',
    'Transfer-Encoding',
    'Content-Length',
    'Expect',
    'Upgrade',
    'TE',
    'Proxy-Authorization',
  ])('is not made with the header %s', async (name) => {
    const before = receiver.requests.length;
    expect(brief(await sender.send(to('/ok', { headers: { [name]: 'close' } })))).toBe('invalid_target');
    expect(receiver.requests.length).toBe(before);
  });

  it.each([
    ['X-A', 'a\r\nX-B: b'],
    ['X-A', 'a\0'],
    ['X-A', 'snow ☃'],
    ['X A', 'a'],
    ['X\r\nY', 'a'],
    ['', 'a'],
  ])('is not made with the header %j: %j', async (name, value) => {
    expect(brief(await sender.send(to('/ok', { headers: [name, value] })))).toBe('invalid_target');
  });
});

describe('an answer', () => {
  it('is told with status, headers, body and times', async () => {
    const outcome = await sender.send(to('/ok'));
    expect(outcome).toMatchObject({ kind: 'response', status: 200, truncated: false, body: Buffer.from('thanks') });
    expect(outcome).toHaveProperty('headers.x-receiver', 'yes');
    expect(outcome).not.toHaveProperty('retryAfter');
  });

  it.each([
    ['/empty', 204],
    ['/404', 404],
    ['/410', 410],
    ['/429', 429],
    ['/hints', 201],
    ['/odd-reason', 200],
  ])('%s has its status', async (path, status) => expect(brief(await sender.send(to(path)))).toBe(status));

  it('may say when to come again', async () => {
    expect(await sender.send(to('/429'))).toHaveProperty('retryAfter', '120');
    expect(await sender.send(to('/503-twice'))).toHaveProperty('retryAfter', '1');
  });

  it('may end with the connection', async () => {
    expect(await sender.send(to('/until-close'))).toMatchObject({ truncated: false, body: Buffer.from('all of it') });
  });

  it('counts by its status when the body breaks off', async () => {
    expect(await sender.send(to('/reset-in-body'))).toMatchObject({ status: 200, truncated: true });
  });

  it.each(['/204-with-body', '/204-with-length'])('%s is no answer to the next request', async (path) => {
    expect(brief(await sender.send(to(path)))).toBe(204);
    expect(brief(await sender.send(to('/ok')))).toBe(200);
  });

  it('cannot touch a prototype by the names of its headers', async () => {
    expect(brief(await sender.send(to('/prototype')))).toBe(200);
    expect(Object.keys({}.constructor.prototype)).toEqual([]);
  });
});

describe('a connection that breaks', () => {
  it.each([
    ['/reset', 'connection_reset'],
    ['/half-close', 'connection_reset'],
    ['/reset-in-head', 'connection_reset'],
    ['/line-ends', 'connection_reset'],
  ])('%s is %s, after exactly one request', async (path, reason) => {
    const before = receiver.requests.length;
    expect(brief(await sender.send(to(path)))).toBe(reason);
    expect(receiver.requests.length - before).toBe(1);
  });

  it('is not sent again when the other side had closed an idle one', async () => {
    await using closing = await startReceiver({ behaviour: sequence(answer(200), reset(), closeAfter(200)) });
    const outcomes: (string | number)[] = [];
    for (let index = 0; index < 4; index += 1) outcomes.push(brief(await sender.send(to(closing.url))));
    expect(outcomes.slice(0, 2)).toEqual([200, 'connection_reset']);
    expect(closing.requests.length).toBe(4 - outcomes.slice(2).filter((each) => each === 'connection_reset').length);
  });

  it('refused or without route is class connect', async () => {
    const closed = await startReceiver();
    await closed.close();
    expect(brief(await sender.send(to(closed.url)))).toBe('connect');
    const anywhere = createSender({ allowCidrs: ['240.0.0.0/4', '127.0.0.9'], connectTimeoutMs: 300 });
    expect(brief(await anywhere.send(to('http://255.255.255.255:8080/')))).toBe('connect');
    expect(brief(await anywhere.send(to('http://127.0.0.9:0/')))).toBe('invalid_target');
    await anywhere.close();
  });
});

describe('a redirect', () => {
  const locations = ['http://169.254.169.254/', '//127.0.0.1/', 'file:///etc/passwd', '/self', ''];

  it.each([301, 302, 303, 307, 308, 300, 304])(
    'by %i is an answer like any other, and never followed',
    async (status) => {
      await using self = await startReceiver({
        behaviour: (call) => redirect(status, locations[call.nth - 1] ?? '')(call),
      });
      for (const _ of locations) expect(brief(await sender.send(to(`${self.url}/self`)))).toBe(status);
      expect(self.requests.length).toBe(locations.length);
    },
  );

  it('by Refresh or Alt-Svc is none', async () => {
    const hints = { Refresh: '0; url=http://127.0.0.1/', 'Alt-Svc': 'h2="127.0.0.1:443"' };
    await using hinting = await startReceiver({ behaviour: answer(200, '', hints) });
    await sender.send(to(hinting.url));
    await sender.send(to(hinting.url));
    expect(hinting.requests.length).toBe(2);
  });
});

describe('an answer that is no HTTP/1.1', () => {
  it.each(Object.entries(MALFORMED))(
    '%s: one request, one class, and the socket is not used again',
    async (_, behaviour) => {
      await using bad = await startReceiver({ behaviours: { '/bad': behaviour } });
      const outcome = await sender.send(to(`${bad.url}/bad`, { timeoutMs: 1_000 }));
      expect(brief(outcome)).toBe('invalid_response');
      expect(bad.requests.length).toBe(1);
      expect(brief(await sender.send(to(bad.url)))).toBe(200);
      expect(bad.requests.map(({ connection }) => connection)).toEqual([1, 2]);
    },
  );
});

describe('any bytes at all', () => {
  const piece = fc.oneof(
    fc.constantFrom('HTTP/1.1 ', '200', ' OK', '\r\n', '\r\n\r\n', '\n', ': ', '1xx', '101', '103', '204', '000', '\0'),
    fc.constantFrom('Content-Length', 'Transfer-Encoding', 'chunked', 'Connection', 'Keep-Alive', 'close', 'timeout=1'),
    fc.constantFrom('5', '-1', '0\r\n\r\n', 'ffffffffffffffff\r\n', '1;a=b\r\nx\r\n', '__proto__', 'Upgrade'),
    fc.string({ unit: 'binary-ascii', maxLength: 4 }),
  );
  const reply = fc.record({ parts: fc.array(piece, { maxLength: 12 }), end: fc.boolean(), isHttp: fc.boolean() });

  it('end as an answer or as a known failure', async () => {
    const replies = fc.sample(reply, 400).map(({ parts, end, isHttp }) => {
      const bytes = (isHttp ? 'HTTP/1.1 200 OK\r\n' : '') + parts.join('');
      return [JSON.stringify(bytes), raw(bytes, { end })] as const;
    });
    await using odd = await startReceiver({
      behaviour: ({ nth, ...call }) => replies[Number(call.request.body)]?.[1]({ nth, ...call }),
    });
    const outcomes = await Promise.all(
      replies.map((_, index) => sender.send(to(odd.url, { body: Buffer.from(`${index}`), timeoutMs: 600 }))),
    );
    const asked = odd.requests.map(({ body }) => Number(body));
    expect(asked).toHaveLength(new Set(asked).size); // None is sent twice.
    const isAsked = new Set(asked);
    for (const [index, outcome] of outcomes.entries()) {
      const told = outcome.kind === 'response' ? 'response' : outcome.reason;
      expect(['response', 'invalid_response', 'connection_reset', 'timeout'], replies[index]?.[0]).toContain(told);
      // On a busy machine the time may be over before the request is read.
      if (told !== 'timeout') expect(isAsked, replies[index]?.[0]).toContain(index);
    }
  });
});

describe('connections', () => {
  it('are kept and used again', async () => {
    await using kept = await startReceiver();
    for (let index = 0; index < 20; index += 1) await sender.send(to(kept.url));
    // Two, because a socket is free again only a turn of the event loop after its answer.
    expect(kept.connections().accepted).toBeLessThanOrEqual(2);
  });

  it('are at most so many per origin; the rest waits', async () => {
    const { behaviour, release } = gate();
    await using held = await startReceiver({ behaviour });
    const few = createSender({ allowCidrs: ['127.0.0.9'], connectionsPerOrigin: 3 });
    const outcomes = Promise.all(Array.from({ length: 10 }, () => few.send(to(held.url))));
    await held.waitFor(3);
    expect(held.connections().accepted).toBe(3);
    release();
    expect((await outcomes).map(brief)).toEqual(new Array(10).fill(200));
    expect(held.connections().accepted).toBe(3);
    await few.close();
    await held.waitForQuiet();
  });

  it('say so when a request never got one', async () => {
    await using held = await startReceiver({ behaviour: hang() });
    const one = createSender({ allowCidrs: ['127.0.0.9'], connectionsPerOrigin: 1, timeoutMs: 200 });
    const [first, second] = await Promise.all([one.send(to(held.url, { timeoutMs: 400 })), one.send(to(held.url))]);
    expect(first).toMatchObject({ reason: 'timeout', message: expect.not.stringContaining('nothing was sent') });
    expect(second).toMatchObject({ reason: 'timeout', message: expect.stringContaining('nothing was sent') });
    expect(held.requests.length).toBe(1);
    await one.close();
  });

  it('of the origins used least recently are closed first', async () => {
    const few = createSender({ allowCidrs: ['127.0.0.9'], originsMax: 2 });
    await using first = await startReceiver();
    await using second = await startReceiver();
    await using third = await startReceiver();
    for (const { url } of [first, second, first, third]) await few.send(to(url));
    await second.waitForQuiet();
    expect([first.connections().open, third.connections().open]).toEqual([1, 1]);
    await few.close();
  });

  it('close once what is in flight has ended, and nothing is taken after', async () => {
    const { behaviour, release } = gate();
    await using held = await startReceiver({ behaviour });
    const closing = createSender({ allowCidrs: ['127.0.0.9'] });
    const outcome = closing.send(to(held.url));
    await held.waitFor(1);
    const order: string[] = [];
    const closed = closing.close().then(() => order.push('closed'));
    await expect(closing.send(to(held.url))).rejects.toThrow('closed');
    release();
    expect(brief(await outcome)).toBe(200);
    order.push('answered');
    await closed;
    expect(order).toEqual(['answered', 'closed']);
    const before = performance.now();
    await held.waitForQuiet();
    expect(performance.now() - before).toBeLessThan(1_000); // At once, and not when keep-alive runs out.
  });
});

describe('times', () => {
  const partsOf = ({ timings }: SendOutcome): number =>
    [timings.dnsMs, timings.connectMs, timings.tlsMs, timings.firstByteMs, timings.bodyMs]
      .filter((part) => part !== null)
      .reduce((sum, part) => sum + part, 0);

  it('tell a new connection from a used one, and add up', async () => {
    await using timed = await startReceiver({ behaviour: slow(30) });
    const one = createSender({ allowCidrs: ['127.0.0.9'], connectionsPerOrigin: 1 });
    const fresh = await one.send(to(timed.url));
    const reused = await one.send(to(timed.url));
    await one.close();
    expect(fresh.timings).toMatchObject({ dnsMs: null, tlsMs: null, connectMs: expect.any(Number) });
    expect(reused.timings).toMatchObject({ dnsMs: null, tlsMs: null, connectMs: null });
    for (const outcome of [fresh, reused]) {
      expect(outcome.timings.firstByteMs).toBeGreaterThan(25);
      expect(Math.abs(partsOf(outcome) - outcome.timings.totalMs)).toBeLessThan(0.001);
    }
  });

  it('count the wait for a free connection as waiting for the first byte', async () => {
    await using timed = await startReceiver({ behaviour: slow(60) });
    const one = createSender({ allowCidrs: ['127.0.0.9'], connectionsPerOrigin: 1 });
    const outcomes = await Promise.all([one.send(to(timed.url)), one.send(to(timed.url))]);
    expect(outcomes[1]?.timings).toMatchObject({ connectMs: null });
    expect(outcomes[1]?.timings.firstByteMs).toBeGreaterThan(110);
    await one.close();
  });
});
