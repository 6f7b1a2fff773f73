import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { request } from 'undici';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadConfig } from '#src/config/load.ts';
import { startService } from '#src/runtime/service.ts';
import { eventually } from '#test/support/eventually.ts';
import { type PeopleService, type Person, startPeopleService } from '#test/support/people.ts';

let service: PeopleService;
let owner: Person;
let other: Awaited<ReturnType<typeof startService>>;
beforeAll(async () => {
  const keys = {
    POSTHORN_MASTER_KEY: randomUUID(),
    POSTHORN_BISCUIT_PRIVATE_KEYS: `1:${'ab'.repeat(32)}`,
    POSTHORN_ENCRYPTION_KEYS: `1:${Buffer.alloc(32, 7).toString('base64')}`,
  };
  service = await startPeopleService(keys);
  const config = loadConfig({ ...keys, DATABASE_URL: service.databaseUrl, PORT: '0', POSTHORN_ROLES: 'api' });
  const { biscuitPrivateKeys = [], encryptionKeys = [] } = config;
  other = await startService({
    config,
    secrets: { masterKey: keys.POSTHORN_MASTER_KEY, biscuitPrivateKeys, encryptionKeys },
    url: service.databaseUrl,
    partitions: 4,
    isAlone: false,
    version: '0.0.0-test',
    logger: pino({ level: 'silent' }),
  });
  owner = await service.person('Olga');
});
afterAll(async () => {
  await other.stop();
  await service.stop();
});

/** What the other process answers to a token. */
const there = async (path: string, token: string): Promise<number> => {
  const answer = await request(`${other.address}/api/v1${path}`, { headers: { authorization: `Bearer ${token}` } });
  await answer.body.dump();
  return answer.statusCode;
};

it('what is taken back in one process counts in all others within five seconds', async () => {
  const { json } = await service.post(
    '/service_token',
    { organization_id: owner.organizationId, name: 'ci' },
    owner.token,
  );
  const vera = await service.person('Vera');
  await service.post(
    `/organizations/${owner.organizationId}/invite`,
    { email: vera.email, role: 'viewer' },
    owner.token,
  );
  const applications = `/applications?organization_id=${owner.organizationId}`;
  await eventually(async () => expect(await there(applications, vera.token)).toBe(200));
  expect([await there(applications, json.biscuit), await there('/auth/me', owner.token)]).toEqual([200, 200]);

  await service.delete(`/service_token/${json.token_id}`, owner.token);
  await service.call(`/organizations/${owner.organizationId}/invite`, {
    method: 'DELETE',
    body: { user_id: vera.userId },
    token: owner.token,
  });
  await service.post('/auth/logout', undefined, owner.token);
  const all = async () => [
    await there(applications, json.biscuit),
    await there(applications, vera.token),
    await there('/auth/me', owner.token),
  ];
  await eventually(async () => expect(await all()).toEqual([403, 404, 403]), { timeout: 5_000 });
});
