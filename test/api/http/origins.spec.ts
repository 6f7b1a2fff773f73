import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { type Answer, startTestService, type Tenant, type TestService } from '#test/support/service.ts';

const OURS = 'https://app.example.com';
const preflight = (service: TestService, path: string, origin: string): Promise<Answer> =>
  service.call(path, {
    method: 'OPTIONS',
    token: null,
    headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
  });
const corsOf = ({ headers }: Answer): string[] => Object.keys(headers).filter((name) => name.startsWith('access-'));
/** What becomes of a socket that a page of this origin opens. */
const upgrade = async (service: TestService, headers: Record<string, string>): Promise<number> => {
  const socket = new WebSocket(`${service.address.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', { headers });
  socket.on('error', () => undefined);
  const status = await Promise.race([
    once(socket, 'open').then(() => 101),
    once(socket, 'unexpected-response').then(([, answer]) => answer.statusCode as number),
  ]);
  socket.terminate();
  return status;
};

describe('with origins that are listed', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestService({
      POSTHORN_CORS_ORIGINS: `${OURS},http://localhost:5173`,
      POSTHORN_PUBLIC_URL: 'https://hooks.example.com',
    });
  });
  afterAll(() => service.stop());

  it.each(['/event', '//graphql', '/nowhere'])('a preflight of %s is answered without a token', async (path) => {
    const answer = await preflight(service, path, OURS);
    expect(answer).toMatchObject({
      status: 204,
      headers: {
        'access-control-allow-origin': OURS,
        'access-control-allow-methods': 'GET, POST, PUT, PATCH, DELETE',
        'access-control-max-age': '3600',
        vary: 'Origin',
      },
    });
    const allowed = String(answer.headers['access-control-allow-headers']).toLowerCase().split(', ');
    expect(allowed).toEqual(
      expect.arrayContaining(['authorization', 'content-type', 'hook0-client-options', 'prefer']),
    );
    expect(answer.headers['access-control-allow-credentials']).toBeUndefined();
  });

  it('answers tell the origin, refusals included, and what may be read', async () => {
    for (const token of [service.masterKey, 'wrong']) {
      const answer = await service.call('/organizations', { token, headers: { origin: OURS } });
      expect(answer.headers).toMatchObject({ 'access-control-allow-origin': OURS, vary: 'Origin' });
      for (const name of ['Link', 'X-RateLimit-Reset', 'X-Request-Id'])
        expect(answer.headers['access-control-expose-headers']).toContain(name);
    }
    expect((await service.get('/organizations')).headers.vary).toBe('Origin');
  });

  it.each([
    ...['null', '*', 'https://app.example.com.evil.example', 'https://evil.example', 'http://app.example.com'],
    ...['https://app.example.com:8443', 'https://app.example.com/', 'https://sub.app.example.com'],
    ...['HTTPS://APP.EXAMPLE.COM', `${OURS}, https://evil.example`, 'https://hooks.example.com'],
  ])('%s gets nothing', async (origin) => {
    expect(corsOf(await service.call('/organizations', { headers: { origin } }))).toEqual([]);
    const answer = await preflight(service, '/event', origin);
    expect([answer.status, corsOf(answer)]).toEqual([405, []]);
  });

  it('pages are for our own origin', async () => {
    for (const path of ['//docs', '//', '//graphiql'])
      expect(corsOf(await service.call(path, { headers: { origin: OURS } }))).toEqual([]);
  });

  it('sockets are opened by them, by our own pages, and by what is no page', async () => {
    const { host } = new URL(service.address);
    const good = [{}, { origin: OURS }, { origin: 'https://hooks.example.com' }, { origin: `http://${host}` }];
    for (const headers of good) expect([headers, await upgrade(service, headers)]).toEqual([headers, 101]);
    const bad = [
      'null',
      'https://evil.example',
      `http://${host}.evil.example`,
      'http://127.0.0.1',
      'x',
      `http://${host}/`,
    ];
    for (const origin of bad) expect([origin, await upgrade(service, { origin })]).toEqual([origin, 403]);
    const forwarded = { origin: 'https://evil.example', 'x-forwarded-host': 'evil.example' };
    expect(await upgrade(service, forwarded)).toBe(403);
  });

  it('browsers come back over TLS, to this host', async () => {
    expect((await service.get('/instance')).headers['strict-transport-security']).toBe('max-age=63072000');
    expect((await service.get('//docs')).headers['strict-transport-security']).toBe('max-age=63072000');
  });
});

const SPOOFED = {
  'x-forwarded-for': '203.0.113.66, 198.51.100.7',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'evil.example',
};
/** The address that an event was ingested from, as recorded. */
const ingestedFrom = async (service: TestService, tenant: Tenant, headers: Record<string, string>): Promise<string> => {
  const sent = await service.call('/event', {
    method: 'POST',
    token: tenant.secret,
    headers,
    body: { application_id: tenant.applicationId, event_type: 'order.paid', payload: '{}', labels: {} },
  });
  expect(sent.status).toBe(201);
  const found = await service.get(`/events/${sent.json.event_id}?application_id=${tenant.applicationId}`);
  return found.json.ip;
};

describe('without a list', () => {
  let service: TestService;
  beforeAll(async () => {
    service = await startTestService({ POSTHORN_RATE_LIMITS: 'address=4/s' });
  });
  afterAll(() => service.stop());

  it('no other origin is let in, and nothing is said of TLS', async () => {
    expect(corsOf(await service.call('/organizations', { headers: { origin: OURS } }))).toEqual([]);
    const answer = await service.call('/instance', { headers: { origin: OURS, ...SPOOFED } });
    expect(answer.headers['strict-transport-security']).toBeUndefined();
    expect(answer.headers.vary).toBeUndefined();
    expect(await upgrade(service, { origin: OURS })).toBe(403);
  });

  it('no X-Forwarded header is believed', async () => {
    const tenant = await service.tenant('order.paid');
    expect(await ingestedFrom(service, tenant, SPOOFED)).toBe('127.0.0.1');
    let n = 0;
    const answers = await Promise.all(
      Array.from({ length: 40 }, () =>
        service.call('/instance', { token: null, headers: { 'x-forwarded-for': `198.51.100.${n++}` } }),
      ),
    );
    expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThan(20);
  });
});

describe('behind proxies', () => {
  let service: TestService;
  let tenant: Tenant;
  beforeAll(async () => {
    service = await startTestService({
      POSTHORN_TRUSTED_PROXIES: '127.0.0.0/8,198.51.100.0/24',
      POSTHORN_RATE_LIMITS: 'address=4/s',
    });
    tenant = await service.tenant('order.paid');
  });
  afterAll(() => service.stop());

  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['6.6.6.6, 192.0.2.1', '192.0.2.1'],
    ['6.6.6.6, 192.0.2.1, 198.51.100.7', '192.0.2.1'],
    ['192.0.2.1, 203.0.113.9, 198.51.100.7', '203.0.113.9'],
    ['198.51.100.8, 198.51.100.7', '198.51.100.8'],
    ['127.0.0.1, 2001:db8::7', '2001:db8::7'],
  ])('the client of %s is %s', async (forwarded, client) => {
    expect(await ingestedFrom(service, tenant, { 'x-forwarded-for': forwarded })).toBe(client);
  });

  it('each client has its own limit, which a GraphQL mutation and a socket know, too', async () => {
    const from = (ip: string) =>
      Promise.all(
        Array.from({ length: 30 }, () =>
          service.call('/instance', { token: null, headers: { 'x-forwarded-for': `6.6.6.6, ${ip}` } }),
        ),
      );
    const busy = await from('192.0.2.50');
    expect(busy.filter(({ status }) => status === 429).length).toBeGreaterThan(15);
    const [other] = await from('192.0.2.51').then((answers) => answers.filter(({ status }) => status === 200));
    expect(other?.status).toBe(200);
    const opened = await Promise.all(
      Array.from({ length: 30 }, () => upgrade(service, { 'x-forwarded-for': '192.0.2.52' })),
    );
    expect(opened.filter((status) => status === 429).length).toBeGreaterThan(15);
    expect(await upgrade(service, { 'x-forwarded-for': '192.0.2.53' })).toBe(101);
  });

  it('what they say of protocol and host counts', async () => {
    const { headers } = await service.call('/instance', { headers: { 'x-forwarded-proto': 'https' } });
    expect(headers['strict-transport-security']).toBe('max-age=63072000');
    expect((await service.get('/instance')).headers['strict-transport-security']).toBeUndefined();
    const named = { origin: 'https://hooks.example.com', 'x-forwarded-host': 'hooks.example.com' };
    expect(await upgrade(service, named)).toBe(101);
    expect(await upgrade(service, { ...named, 'x-forwarded-host': 'other.example.com' })).toBe(403);
  });
});
