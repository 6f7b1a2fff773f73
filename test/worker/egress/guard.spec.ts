import { afterAll, describe, expect, it } from 'vitest';
import { parseAddress } from '#src/domain/target/address.ts';
import { createSender, type SendOutcome } from '#src/worker/send/send.ts';
import {
  addresses,
  cnameChain,
  type DnsScript,
  failing,
  flipping,
  silence,
  startDnsServer,
  startReceiver,
} from '#test/support/receivers/index.ts';

// One port on both: what is vetted may be reached at 127.0.0.9, and nothing may ever arrive at 127.0.0.1.
const receiver = await startReceiver();
const forbidden = await startReceiver({ host: '127.0.0.1', port: receiver.port });
const OK = receiver.host;
const NO = forbidden.host;

const blocked: Record<string, DnsScript> = {
  'd01.test': addresses([NO]),
  'd02.test': addresses([OK, NO]),
  'd02-turned.test': addresses([NO, OK]),
  'd02-public.test': addresses(['8.8.8.8', NO]),
  'd02-mixed.test': addresses([OK, '::1']),
  'd05-loopback.test': addresses(['::1']),
  'd05-mapped.test': addresses(['::ffff:127.0.0.1']),
  'd05-translated.test': addresses(['::ffff:0:7f00:1']),
  'd05-nat64.test': addresses(['64:ff9b::7f00:1']),
  'd05-6to4.test': addresses(['2002:7f00:1::']),
  'd05-metadata.test': addresses(['fd00:ec2::254']),
  'd05-link-local.test': addresses(['fe80::1']),
  'd06-metadata.test': cnameChain(['metadata.google.internal'], ['169.254.169.254']),
  'd07-unspecified.test': addresses(['0.0.0.0']),
  'd07-broadcast.test': addresses(['255.255.255.255']),
  'd07-multicast.test': addresses(['224.0.0.1']),
};
const unresolved: Record<string, DnsScript> = {
  'd06-loop.test': cnameChain(['x.test', 'd06-loop.test'], []),
  'f26-nxdomain.test': failing('NXDOMAIN'),
  'f26-servfail.test': failing('SERVFAIL'),
  'f26-empty.test': addresses([]),
  'f26-silence.test': silence,
};
const dns = await startDnsServer({
  ...blocked,
  ...unresolved,
  'ok.test': addresses([OK]),
  'xn--bcher-kva.test': addresses([OK]),
  'd03.test': flipping([[OK], [NO]]),
  'd04.test': ({ name, type }, nth) => addresses([nth % 2 === 1 ? OK : NO], 0)({ name, type }, nth),
  'd06-chain.test': cnameChain(
    Array.from({ length: 20 }, (_, index) => `c${index}.test`),
    [OK],
  ),
  'd10.test': addresses(Array.from({ length: 1_000 }, () => OK)),
  'later.test': addresses(['127.0.0.10', OK]),
});
const settings = {
  allowCidrs: ['127.0.0.9', '127.0.0.10'],
  allowHttp: true,
  dnsServers: [dns.server],
  timeoutMs: 2_000,
};
const sender = createSender({ ...settings, dnsTimeoutMs: 300 });
afterAll(async () => {
  await sender.close();
  await Promise.all([receiver.close(), forbidden.close(), dns.close()]);
});

const send = (host: string, by = sender): Promise<SendOutcome> =>
  by.send({ url: `http://${host}:${receiver.port}/`, method: 'POST', headers: {}, body: Buffer.from('{}') });
const brief = (outcome: SendOutcome): string | number =>
  outcome.kind === 'response' ? outcome.status : outcome.reason;

describe('a name', () => {
  it.each(Object.keys(blocked))('%s is blocked, with no connection', async (host) => {
    const before = receiver.connections().accepted;
    const outcome = await send(host);
    expect(outcome).toMatchObject({ kind: 'failure', reason: 'blocked_target', timings: { connectMs: null } });
    expect(outcome).toHaveProperty('message', expect.not.stringMatching(/\d/));
    expect(receiver.connections().accepted).toBe(before);
    expect(forbidden.connections().accepted).toBe(0);
  });

  it.each(Object.keys(unresolved))('%s does not resolve', async (host) => {
    const outcome = await send(host);
    expect(outcome).toMatchObject({ kind: 'failure', reason: 'dns', timings: { connectMs: null } });
    expect(outcome.timings.totalMs).toBeLessThan(300 + 250);
  });

  it.each(['ok.test', 'ok.test.', 'OK.TEST', 'bücher.test', 'xn--bcher-kva.test', 'd06-chain.test'])(
    '%s is delivered, under its own name',
    async (host) => {
      expect(brief(await send(host))).toBe(200);
      const plain = host.toLowerCase().replace('bücher', 'xn--bcher-kva');
      expect(receiver.requests.at(-1)?.headers.host).toBe(`${plain}:${receiver.port}`);
    },
  );

  it.each(['metadata', 'ok.localhost', 'a.internal', 'b.svc.cluster.local'])(
    '%s is not even asked for',
    async (host) => {
      const before = dns.queries.length;
      expect(brief(await send(host))).toBe('blocked_target');
      expect(dns.queries.length).toBe(before);
    },
  );

  it('d10.test, with a thousand records, ends in time', async () => {
    const outcome = await send('d10.test');
    expect([200, 'dns']).toContain(brief(outcome));
    expect(outcome.timings.totalMs).toBeLessThan(550);
  });

  it('later.test is reached by its second address', async () => {
    const outcome = await send('later.test');
    expect(brief(outcome)).toBe(200);
    expect(outcome.timings).toMatchObject({ dnsMs: expect.any(Number), connectMs: expect.any(Number), tlsMs: null });
  });
});

describe('a name that changes its mind', () => {
  it('d03.test: is blocked from then on, or stays on the socket that was vetted', async () => {
    expect(brief(await send('d03.test'))).toBe(200);
    const outcomes: (string | number)[] = [];
    for (let index = 0; index < 200; index += 1) outcomes.push(brief(await send('d03.test')));
    expect(outcomes).toContain(200);
    expect(new Set(outcomes)).toEqual(new Set([200, 'blocked_target']));
    expect(forbidden.connections().accepted).toBe(0);
  });

  it('d04.test: each new connection asks once, and goes where it was vetted for', async () => {
    const before = receiver.connections().accepted;
    for (let index = 0; index < 20; index += 1) {
      const fresh = createSender(settings); // No socket and no cache from before.
      expect(brief(await send('d04.test', fresh))).toBe(index % 2 === 0 ? 200 : 'blocked_target');
      await fresh.close();
    }
    expect(dns.queries.filter(({ name }) => name === 'd04.test').length).toBe(2 * 20);
    expect(receiver.connections().accepted - before).toBe(10);
    expect(forbidden.connections().accepted).toBe(0);
  });
});

describe('an address', () => {
  it.each([
    ...['127.0.0.1', '2130706433', '0x7f.1', '0177.0.0.1', '127.1', '0.0.0.0', '[::1]', '[::ffff:169.254.169.254]'],
    ...['[::127.0.0.1]', '[64:ff9b::10.0.0.1]', '[2002:7f00:1::1]', '[2001::1]', '[fe80::1]', '[fd00:ec2::254]'],
    ...['[ff02::1]', '169.254.169.254', '0xA9FEA9FE', '10.0.0.1', '172.31.255.255', '100.64.0.1', '240.0.0.1'],
    ...['１２７.０.０.１', '%31%32%37.0.0.1', '[::ffff:127.0.0.1]'],
  ])('%s is blocked, with no connection', async (host) => {
    expect(brief(await send(host))).toBe('blocked_target');
    expect(forbidden.connections().accepted).toBe(0);
  });

  it.each(['127.0.0.9', '127.9', '0x7f000009', '[::ffff:127.0.0.9]'])('%s is allowed by range', async (host) => {
    expect(brief(await send(host))).toBe(200);
  });

  it('is denied by configuration before all else', async () => {
    const denying = createSender({ ...settings, denyCidrs: ['127.0.0.8/30'] });
    expect(brief(await send('127.0.0.9', denying))).toBe('blocked_target');
    expect(brief(await send('ok.test', denying))).toBe('blocked_target');
    await denying.close();
  });
});

describe('what is ours', () => {
  it('is blocked at its port, by address and by name, with no connection', async () => {
    const address = parseAddress(OK);
    if (!address) throw new Error('The receiver has no address.');
    const guarded = (port: number) => createSender({ ...settings, ownEndpoints: [{ address, port, isWhole: true }] });
    const before = receiver.connections().accepted;
    const here = guarded(receiver.port);
    expect([brief(await send(OK, here)), brief(await send('ok.test', here))]).toEqual(
      Array.from({ length: 2 }, () => 'blocked_target'),
    );
    expect(receiver.connections().accepted).toBe(before);
    const elsewhere = guarded(receiver.port + 1);
    expect([brief(await send(OK, elsewhere)), brief(await send('ok.test', elsewhere))]).toEqual([200, 200]);
    await Promise.all([here.close(), elsewhere.close()]);
  });
});

describe('a connection that leads elsewhere', () => {
  // The kernel takes 0.0.0.0 for this host: the one case where the far end is not the address that was asked for.
  it.each(['http', 'https'])('over %s is closed before a byte is sent', async (scheme) => {
    const seen: Buffer[] = [];
    await using elsewhere = await startReceiver({
      host: '127.0.0.1',
      onConnection: (socket) => socket.on('data', (chunk: Buffer) => seen.push(chunk)),
    });
    const trusting = createSender({ ...settings, allowCidrs: ['0.0.0.0/32', '127.0.0.0/8'] });
    const url = `${scheme}://0.0.0.0:${elsewhere.port}/`;
    const outcome = await trusting.send({ url, method: 'POST', headers: {}, body: Buffer.from('{}') });
    expect(brief(outcome)).toBe('blocked_target');
    expect(elsewhere.connections().accepted).toBe(1);
    await elsewhere.waitForQuiet();
    expect(Buffer.concat(seen).length).toBe(0);
    await trusting.close();
  });
});

describe('the environment', () => {
  it('names no proxy that would be asked', async () => {
    await using proxy = await startReceiver({ host: '127.0.0.11' });
    const names = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'ALL_PROXY', 'NODE_USE_ENV_PROXY'] as const;
    for (const name of names) process.env[name] = name === 'NODE_USE_ENV_PROXY' ? '1' : proxy.url;
    const fresh = createSender(settings);
    expect(brief(await send('127.0.0.9', fresh))).toBe(200);
    await fresh.close();
    for (const name of names) delete process.env[name];
    expect(proxy.connections().accepted).toBe(0);
  });
});
