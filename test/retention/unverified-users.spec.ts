import { afterAll, beforeAll, expect, it } from 'vitest';
import { applyRetention, type RetentionDeps } from '#src/retention/apply.ts';
import { planRetention } from '#src/retention/plan.ts';
import { unverifiedUsers } from '#src/retention/unverified-users.ts';
import { PASSWORD, type PeopleService, startPeopleService } from '#test/support/people.ts';

let service: PeopleService;
beforeAll(async () => {
  service = await startPeopleService();
});
afterAll(() => service.stop());

type Registered = { readonly userId: string; readonly organizationId: string; readonly email: string };

/** Somebody who registered some days ago and never followed the link. */
const register = async (name: string, days: number): Promise<Registered> => {
  const email = `${name}@example.com`;
  const answer = await service.call('/register', {
    method: 'POST',
    body: { first_name: name, last_name: 'Tester', email, password: PASSWORD },
    token: null,
    headers: { 'x-forwarded-for': `198.51.100.${email.length}` },
  });
  expect(answer.status, answer.text).toBe(201);
  const userId = String(answer.json.user_id);
  await age(userId, days);
  return { userId, organizationId: String(answer.json.organization_id), email };
};
const age = (userId: string, days: number) =>
  service.service.node.core.queryPool.query(
    'UPDATE user_account SET created_at = clock_timestamp() - make_interval(days => $2) WHERE user_id = $1',
    [userId, days],
  );
const typesOf = async (streamId: string): Promise<string[]> =>
  (await service.service.node.core.reader.readStream(streamId)).map(({ type }) => type);
const deps = (): RetentionDeps => ({
  pool: service.service.node.core.queryPool,
  handle: service.service.node.core.handle,
  retentionDaysOf: async () => 90,
  cleaners: [unverifiedUsers],
  signal: new AbortController().signal,
});
const plan = async () => (await planRetention({ ...deps(), db: deps().pool })).cleaners;

it('accounts that nobody verified within a week go, with the organization that came with them unless it holds something', async () => {
  const [gone, kept, inviting, fresh] = [
    await register('gone', 8),
    await register('kept', 8),
    await register('inviting', 8),
    await register('fresh', 6),
  ];
  const verified = await service.person('Vera');
  await age(verified.userId, 8);
  await service.post('/applications', { organization_id: kept.organizationId, name: 'Shop' });
  await service.post(`/organizations/${inviting.organizationId}/invite`, {
    email: 'guest@example.com',
    role: 'viewer',
  });

  expect(await plan()).toEqual({ unverified_users: { unverified_users: 3, empty_organizations: 1 } });
  const applied = await applyRetention(deps());
  expect(applied.cleaned?.counts).toEqual({ unverified_users: 3, empty_organizations: 1 });
  expect(await plan()).toEqual({ unverified_users: { unverified_users: 0, empty_organizations: 0 } });

  expect(await typesOf(`user:${gone.userId}`)).toEqual(['UserRegistered', 'UserErased']);
  expect(await typesOf(`organization:${gone.organizationId}`)).toEqual([
    'OrganizationCreated',
    'MemberAdded',
    'MemberRemoved',
    'OrganizationDeleted',
  ]);
  const found = async ({ organizationId }: Pick<Registered, 'organizationId'>) =>
    (await service.get(`/organizations/${organizationId}`)).status;
  expect(await Promise.all([gone, kept, inviting, fresh, verified].map(found))).toEqual([404, 200, 200, 200, 200]);
  expect((await service.get(`/organizations/${kept.organizationId}/members`)).json).toEqual([]);
  expect((await service.get('/auth/me', verified.token)).status).toBe(200);
  const again = await register('gone', 0);
  expect(again.userId, 'the address is free again').not.toBe(gone.userId);
});

it('an account that is verified while it is cleaned stays, and so does its organization', async () => {
  const late = await register('late', 8);
  const token = await service.linkOf(late.email, /Verify/);
  const [applied, verified] = await Promise.all([
    applyRetention(deps()),
    service.call('/auth/verify-email', { method: 'POST', body: { token }, token: null }),
  ]);
  const isGone = applied.cleaned !== undefined;
  expect(verified.status === 201, verified.text).toBe(!isGone);
  expect((await service.get(`/organizations/${late.organizationId}`)).status).toBe(isGone ? 404 : 200);
});
