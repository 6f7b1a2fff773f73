import { afterAll, describe, expect, it } from 'vitest';
import { createSender, type SendOutcome } from '#src/worker/send/send.ts';
import {
  addresses,
  createAuthority,
  type ReceiverOptions,
  selfSigned,
  startDnsServer,
  startReceiver,
} from '#test/support/receivers/index.ts';

const YEAR_MS = 365 * 86_400_000;
const authority = createAuthority();
const HOST = 'hooks.example.test';
const dns = await startDnsServer({ [HOST]: addresses(['127.0.0.9']) });
const CONNECT_TIMEOUT_MS = 300;
const create = (timeoutMs = 2_000) =>
  createSender({
    allowCidrs: ['127.0.0.9'],
    dnsServers: [dns.server],
    ca: authority.cert,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    timeoutMs,
    connectionsPerOrigin: 1,
  });
const sender = create();
afterAll(async () => {
  await sender.close();
  await dns.close();
});

const send = (port: number, host = HOST, by = sender): Promise<SendOutcome> =>
  by.send({ url: `https://${host}:${port}/`, method: 'POST', headers: {}, body: Buffer.from('secret body') });
const brief = (outcome: SendOutcome): string | number =>
  outcome.kind === 'response' ? outcome.status : outcome.reason;

describe('a TLS server', () => {
  it('is reached by the address, and greeted by the name', async () => {
    const names: unknown[] = [];
    const tls = {
      ...authority.issue({ names: [HOST] }),
      SNICallback: (name: string, done: (error: null) => void) => {
        names.push(name);
        done(null);
      },
    };
    await using good = await startReceiver({ tls });
    const outcome = await send(good.port, `${HOST}.`);
    expect(brief(outcome)).toBe(200);
    expect(names).toEqual([HOST]);
    expect(outcome.timings).toMatchObject({
      dnsMs: expect.any(Number),
      connectMs: expect.any(Number),
      tlsMs: expect.any(Number),
    });
    const { dnsMs, connectMs, tlsMs, firstByteMs, bodyMs, totalMs } = outcome.timings;
    const sum = [dnsMs, connectMs, tlsMs, firstByteMs, bodyMs].reduce<number>((total, part) => total + (part ?? 0), 0);
    expect(Math.abs(sum - totalMs)).toBeLessThan(0.001);
    expect((await send(good.port, `${HOST}.`)).timings).toMatchObject({ dnsMs: null, connectMs: null, tlsMs: null });
  });

  it('may have a certificate for its address', async () => {
    await using good = await startReceiver({ tls: authority.issue({ addresses: ['127.0.0.9'] }) });
    expect(brief(await send(good.port, '127.0.0.9'))).toBe(200);
  });
});

const good = authority.issue({ names: [HOST] });
const bad: Record<string, ReceiverOptions> = {
  'an expired certificate': { tls: authority.issue({ names: [HOST], notAfter: new Date(Date.now() - 1_000) }) },
  'a certificate of the future': { tls: authority.issue({ names: [HOST], notBefore: new Date(Date.now() + YEAR_MS) }) },
  'a certificate for another name': { tls: authority.issue({ names: ['other.example.test'] }) },
  'a certificate for another name, on TLS 1.2': {
    tls: { ...authority.issue({ names: ['other.example.test'] }), maxVersion: 'TLSv1.2' },
  },
  'a self-signed certificate': { tls: selfSigned({ names: [HOST] }) },
  'a certificate from an unknown authority': { tls: createAuthority('Stranger').issue({ names: [HOST] }) },
  'nothing newer than TLS 1.1': {
    tls: { ...good, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
  },
  'plain HTTP in place of a handshake': { onConnection: (socket) => socket.write('HTTP/1.1 200 OK\r\n\r\n') },
  'silence in place of a handshake': { onConnection: () => undefined },
  'a reset in place of a handshake': { onConnection: (socket) => socket.once('data', () => socket.resetAndDestroy()) },
  'an end in place of a handshake': { onConnection: (socket) => socket.end() },
};

describe('a TLS server with', () => {
  it.each(Object.entries(bad))('%s is class tls, twice, and sees no request', async (_, options) => {
    const seen: Buffer[] = [];
    const onConnection = options.onConnection;
    await using receiver = await startReceiver(
      onConnection === undefined
        ? options
        : {
            onConnection: (socket) => {
              socket.on('data', (chunk: Buffer) => seen.push(chunk));
              onConnection(socket);
            },
          },
    );
    // Twice: a session kept from the first handshake must not stand in for the check of the second.
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      const outcome = await send(receiver.port);
      expect(brief(outcome)).toBe('tls');
      expect(outcome.timings).toMatchObject({ connectMs: expect.any(Number), tlsMs: expect.any(Number), bodyMs: null });
      expect(outcome.timings.totalMs).toBeLessThan(CONNECT_TIMEOUT_MS + 250);
    }
    expect(receiver.requests).toEqual([]);
    expect(Buffer.concat(seen).includes('secret body')).toBe(false);
  });

  it('a handshake slower than the whole deadline is class timeout', async () => {
    await using silent = await startReceiver({ onConnection: () => undefined });
    const hasty = create(150);
    const outcome = await send(silent.port, HOST, hasty);
    expect(outcome).toMatchObject({
      reason: 'timeout',
      timings: { tlsMs: expect.any(Number), firstByteMs: expect.any(Number) },
    });
    expect(outcome.timings.totalMs).toBeLessThan(150 + 250);
    await hasty.close();
  });
});
