import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAttemptLimiter, LOGIN_LIMITS } from '#src/api/rate-limit/attempts.ts';
import { createBuckets } from '#src/api/rate-limit/buckets.ts';
import { addressKey } from '#src/api/rate-limit/keys.ts';
import { createRateLimiter } from '#src/api/rate-limit/limiter.ts';
import { createAppPool } from '#src/eventstore/pool.ts';
import { eventually } from '#test/support/eventually.ts';
import { ask } from '#test/support/graphql.ts';
import { type Answer, startTestService, type Tenant, type TestService } from '#test/support/service.ts';

const PLENTY = 'token=100000/s,organization=100000/s,address=100000/s';
const TIMES = 40;

let service: TestService;
let tenant: Tenant;
const start = async (limits: string): Promise<void> => {
  service = await startTestService({ POSTHORN_RATE_LIMITS: `${PLENTY},${limits}` });
  tenant = await service.tenant('order.paid');
};
/** The same request so often at once. */
const many = (request: () => Promise<Answer>): Promise<Answer[]> => Promise.all(Array.from({ length: TIMES }, request));
const refused = (answers: readonly Answer[]): Answer[] => answers.filter(({ status }) => status === 429);
/** As far as the burst and what comes in while the test is busy. */
const expectLimited = (answers: readonly Answer[]): void => {
  expect(refused(answers).length).toBeGreaterThan(TIMES / 2);
  expect(refused(answers).length).toBeLessThan(TIMES);
  expect(answers.filter(({ status }) => status >= 500)).toEqual([]);
};
const send = (): Promise<Answer> =>
  service.post(
    '/event',
    { application_id: tenant.applicationId, event_type: 'order.paid', payload: '{}', labels: {} },
    tenant.secret,
  );

describe('the limit of a token', () => {
  beforeAll(() => start('token=4/s'));
  afterAll(() => service.stop());

  it('refuses with what a client needs to know, and nobody else', async () => {
    const answers = await many(() => service.get('/event_types', tenant.secret));
    expectLimited(answers);
    const [one] = refused(answers);
    expect(one?.json).toMatchObject({ id: 'RateLimited', status: 429, detail: expect.stringContaining('token') });
    expect(one?.headers).toMatchObject({
      'content-type': 'application/problem+json',
      'retry-after': '1',
      'ratelimit-policy': '"token";q=4;w=1',
      ratelimit: '"token";r=0;t=1',
      'x-ratelimit-limit': '4',
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': '1',
    });
    expect((await service.get('//metrics', null)).text).toMatch(/^posthorn_rate_limited_total\{limit="token"\} [1-9]/m);
    const other = await service.tenant();
    expect((await service.get('/event_types', other.secret)).status).toBe(200);
    const master = await many(() => service.get(`/event_types?application_id=${tenant.applicationId}`));
    expect(refused(master)).toEqual([]);
  });

  it('counts the events of a batch, and a GraphQL request once, whatever it calls', async () => {
    const { secret } = await service.tenant('order.paid');
    const event = { event_type: 'order.paid', payload: '{}', labels: {} };
    const batch = (size: number) =>
      service.post('/events', { events: Array.from({ length: size }, () => ({ ...event })) }, secret);
    const batches = await many(() => batch(3));
    expect(batches.filter(({ status }) => status === 200).length).toBeLessThan(TIMES / 4);
    expect(refused(batches).length).toBeGreaterThan(TIMES / 2);

    const own = await service.tenant();
    const creations = Array.from(
      { length: 4 },
      (_, n) => `c${n}: createEventType(applicationId: "${own.applicationId}", name: "a.b.c${n}") { name }`,
    );
    const { data, errors } = await ask(service, `mutation { ${creations.join(' ')} }`, {}, own.secret);
    expect(errors).toBeUndefined();
    expect(Object.keys(data)).toHaveLength(4);
  });
});

describe('the limit of an organization', () => {
  beforeAll(() => start('organization=4/s'));
  afterAll(() => service.stop());

  it('is shared by all its tokens', async () => {
    const created = await service.post('/applications', { organization_id: tenant.organizationId, name: 'Other' });
    const secrets = await service.get(`/application_secrets?application_id=${created.json.application_id}`);
    const tokens = [tenant.secret, secrets.json[0].token as string];
    let n = 0;
    const answers = await many(() => service.get('/event_types', tokens[n++ % 2]));
    expectLimited(answers);
    expect(refused(answers)[0]?.headers['ratelimit-policy']).toBe('"organization";q=4;w=1');
    const other = await service.tenant();
    expect((await service.get('/event_types', other.secret)).status).toBe(200);
  });
});

describe('the limit of an address', () => {
  beforeAll(() => start('address=4/s'));
  afterAll(() => service.stop());

  it('is for what needs no token, unknown routes included, and not for whoever looks after the service', async () => {
    expectLimited(await many(() => service.get('/instance', null)));
    expect(refused(await many(() => service.get('//nowhere', null))).length).toBeGreaterThan(TIMES / 2);
    for (const path of ['//livez', '//readyz', '//metrics'])
      expect(refused(await many(() => service.get(path, null)))).toEqual([]);
  });

  it('is used up by tokens that are refused: then no token is looked at', async () => {
    await eventually(async () => expect((await send()).status).toBe(201));
    await eventually(async () => {
      const wrong = await many(() => service.get('/event_types', 'wrong'));
      expect(refused(wrong).length).toBeGreaterThan(0);
    });
    await eventually(async () => {
      await many(() => service.get('/event_types', 'wrong'));
      expect((await send()).status).toBe(429);
    });
    await eventually(async () => expect((await send()).status).toBe(201));
  });
});

describe('while the buckets cannot be reached', () => {
  beforeAll(() => start('token=4/s,address=4/s'));
  afterAll(() => service.stop());

  it('requests are let through, and attempts to log in are not', async () => {
    const owner = new Client({ connectionString: service.databaseUrl });
    await owner.connect();
    await owner.query('DROP TABLE rate_limit');
    const events = await many(send);
    expect(new Set(events.slice(8).map(({ status }) => status))).toEqual(new Set([201]));
    expect((await service.get('/instance', null)).status).toBe(200);
    const pool = createAppPool({ url: service.databaseUrl, max: 1, name: 'test' });
    const limiter = createRateLimiter({ buckets: createBuckets({ pool }), onError: () => undefined });
    const attempts = createAttemptLimiter(limiter);
    await expect(attempts.take('login:account:a', LOGIN_LIMITS.account)).rejects.toMatchObject({
      id: 'ServiceUnavailable',
    });
    await Promise.all([owner.end(), pool.end()]);
  });
});

describe('attempts to log in', () => {
  beforeAll(() => start('token=4/s'));
  afterAll(() => service.stop());

  it('are five a minute for an account and twenty for an address', async () => {
    const pool = createAppPool({ url: service.databaseUrl, max: 1, name: 'test' });
    const at = new Date();
    const limiter = createRateLimiter({
      buckets: createBuckets({ pool, at: () => at }),
      now: () => 0,
      onError: () => undefined,
    });
    const attempts = createAttemptLimiter(limiter);
    for (let n = 0; n < 5; n += 1) await attempts.take('login:account:a', LOGIN_LIMITS.account);
    await expect(attempts.take('login:account:a', LOGIN_LIMITS.account)).rejects.toMatchObject({
      id: 'RateLimited',
      headers: { 'retry-after': '12', 'ratelimit-policy': '"login-account";q=5;w=60' },
    });
    for (let n = 0; n < 20; n += 1) await attempts.take('login:address:a', LOGIN_LIMITS.address);
    await expect(attempts.take('login:address:a', LOGIN_LIMITS.address)).rejects.toMatchObject({ id: 'RateLimited' });
    await pool.end();
  });
});

it('an address stands for the network behind it', () => {
  expect(addressKey('192.0.2.1')).toBe('address:192.0.2.1');
  expect(addressKey('::ffff:192.0.2.1')).toBe(addressKey('::ffff:c000:201'));
  expect(addressKey('2001:db8:1:2::1')).toBe(addressKey('2001:db8:1:2:ffff::9'));
  expect(addressKey('2001:db8:1:2::1')).not.toBe(addressKey('2001:db8:1:3::1'));
});
