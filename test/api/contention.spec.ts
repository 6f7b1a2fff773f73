import { pino } from 'pino';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '#src/config/load.ts';
import { type Service, startService } from '#src/runtime/service.ts';
import { startTestService, type TestService } from '#test/support/service.ts';

const MANY = 200;
const LIMIT = 120;

let service: TestService;
let other: Service;
beforeAll(async () => {
  const env = {
    POSTHORN_BISCUIT_PRIVATE_KEYS: `1:${'ab'.repeat(32)}`,
    POSTHORN_ENCRYPTION_KEYS: `1:${Buffer.alloc(32, 7).toString('base64')}`,
    POSTHORN_ALLOW_TARGET_CIDRS: '127.0.0.9/32',
    POSTHORN_RATE_LIMITS: 'off',
    POSTHORN_QUOTAS: 'on',
    POSTHORN_QUOTA_APPLICATIONS: '1000',
    POSTHORN_QUOTA_SUBSCRIPTIONS: '1000',
    POSTHORN_QUOTA_MEMBERS: '1000',
    POSTHORN_QUOTA_EVENTS_PER_DAY: '1000',
  };
  service = await startTestService(env);
  const config = loadConfig({ ...env, DATABASE_URL: service.databaseUrl, PORT: '0', POSTHORN_ROLES: 'api' });
  const { biscuitPrivateKeys = [], encryptionKeys = [] } = config;
  other = await startService({
    config,
    secrets: { masterKey: service.masterKey, biscuitPrivateKeys, encryptionKeys },
    url: service.databaseUrl,
    partitions: 4,
    isAlone: false,
    version: '0.0.0-test',
    logger: pino({ level: 'silent' }),
  });
});
afterAll(async () => {
  await other.stop();
  await service.stop();
});

/** All at once, every other one to the other process: how often each status was answered. */
const statuses = async (count: number, path: string, bodyOf: (index: number) => object) => {
  const answers = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const answer = await request(`${index % 2 ? other.address : service.address}/api/v1${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${service.masterKey}`, 'content-type': 'application/json' },
        body: JSON.stringify(bodyOf(index)),
      });
      await answer.body.dump();
      return answer.statusCode;
    }),
  );
  return Object.fromEntries([...Map.groupBy(answers, (status) => status)].map(([key, found]) => [key, found.length]));
};
const subscription = (applicationId: string) => () => ({
  application_id: applicationId,
  is_enabled: true,
  event_types: ['order.paid'],
  labels: {},
  target: { type: 'http', method: 'POST', url: 'http://127.0.0.9:9/', headers: {} },
});

describe('many changes at once, over two processes, all happen', () => {
  it('applications of one organization', async () => {
    const { organizationId } = await service.tenant();
    const application = (index: number) => ({ organization_id: organizationId, name: `App ${index}` });
    expect(await statuses(MANY, '/applications', application)).toEqual({ 201: MANY });
    expect((await service.get(`/organizations/${organizationId}`)).json.consumption.applications).toBe(MANY + 1);
  });

  it('secrets and subscriptions of one application', async () => {
    const { applicationId } = await service.tenant('order.paid');
    const secret = (index: number) => ({ application_id: applicationId, name: `Secret ${index}` });
    expect(await statuses(MANY, '/application_secrets', secret)).toEqual({ 201: MANY });
    expect(await statuses(MANY, '/subscriptions', subscription(applicationId))).toEqual({ 201: MANY });
  });

  it('invitations into one organization', async () => {
    const { organizationId } = await service.tenant();
    const guest = (index: number) => ({ email: `guest${index}@example.com`, role: 'viewer' });
    expect(await statuses(MANY, `/organizations/${organizationId}/invite`, guest)).toEqual({ 200: MANY });
  });
});

it('an application leaves no subscription behind that was made while it was deleted', async () => {
  const { applicationId } = await service.tenant('order.paid');
  const making = statuses(60, '/subscriptions', subscription(applicationId));
  const deleted = await service.delete(`/applications/${applicationId}`);
  expect(deleted.status).toBe(204);
  await making;
  const alive = 'SELECT count(*)::int AS count FROM subscription WHERE application_id = $1 AND deleted_at IS NULL';
  const { rows } = await service.service.node.core.queryPool.query(alive, [applicationId]);
  expect(rows).toEqual([{ count: 0 }]);
});

describe('and exactly as many as a quota has room for', () => {
  it('applications and members of one organization', async () => {
    const { organizationId } = await service.tenant();
    await service.put(`/organizations/${organizationId}/quotas`, { limits: { applications: LIMIT, members: LIMIT } });
    const application = (index: number) => ({ organization_id: organizationId, name: `App ${index}` });
    expect(await statuses(MANY, '/applications', application)).toEqual({ 201: LIMIT - 1, 429: MANY - LIMIT + 1 });
    const guest = (index: number) => ({ email: `guest${index}@example.com`, role: 'viewer' });
    const invited = await statuses(MANY, `/organizations/${organizationId}/invite`, guest);
    expect(invited).toEqual({ 200: LIMIT, 429: MANY - LIMIT });
  });

  it('subscriptions of one application', async () => {
    const { applicationId } = await service.tenant('order.paid');
    await service.put(`/applications/${applicationId}/quotas`, { limits: { subscriptions: LIMIT } });
    const made = await statuses(MANY, '/subscriptions', subscription(applicationId));
    expect(made).toEqual({ 201: LIMIT, 429: MANY - LIMIT });
  });
});
