import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '#test/support/eventually.ts';
import { ask } from '#test/support/graphql.ts';
import { PASSWORD, type PeopleService, type Person, startPeopleService } from '#test/support/people.ts';

let service: PeopleService;
let owner: Person;
beforeAll(async () => {
  service = await startPeopleService();
  owner = await service.person('Olga');
});
afterAll(() => service.stop());

const invite = (email: string, role: string, token = owner.token) =>
  service.post(`/organizations/${owner.organizationId}/invite`, { email, role }, token);
const changeRole = (userId: string, role: string, token = owner.token) =>
  service.put(`/organizations/${owner.organizationId}/invite`, { user_id: userId, role }, token);
const remove = (userId: string, token = owner.token) =>
  service.call(`/organizations/${owner.organizationId}/invite`, { method: 'DELETE', body: { user_id: userId }, token });
const roles = async (): Promise<Record<string, string>> => {
  const { json } = await service.get(`/organizations/${owner.organizationId}/members`, owner.token);
  return Object.fromEntries(json.map((member: { email: string; role: string }) => [member.email, member.role]));
};

describe('members', () => {
  it('with an account belong to the organization at once, without one as soon as the address is verified', async () => {
    const vera = await service.person('Vera');
    const known = await invite(vera.email, 'viewer');
    const stranger = await invite('stranger@example.com', 'editor');
    expect([known.status, known.json]).toEqual([stranger.status, stranger.json]);
    expect(await roles()).toMatchObject({ [vera.email]: 'viewer' });
    const open = await service.get(`/organizations/${owner.organizationId}/invitations`, owner.token);
    expect(open.json).toMatchObject([{ email: 'stranger@example.com', role: 'editor' }]);
    expect((await invite('stranger@example.com', 'viewer')).json.id).toBe('InvitedUserAlreadyInOrganization');

    const link = await service.linkOf('stranger@example.com', /invited/);
    expect(link).toBe('stranger@example.com');
    await service.person('Stranger');
    expect(await roles()).toMatchObject({ 'stranger@example.com': 'editor' });
    expect((await service.get(`/organizations/${owner.organizationId}/invitations`, owner.token)).json).toEqual([]);
  });

  it('are kept out when their invitation was taken back', async () => {
    await invite('late@example.com', 'editor');
    const open = await service.get(`/organizations/${owner.organizationId}/invitations`, owner.token);
    const path = `/organizations/${owner.organizationId}/invitations/${open.json[0].invitation_id}`;
    expect((await service.delete(path, owner.token)).status).toBe(204);
    const late = await service.person('Late');
    expect((await service.get(`/organizations/${owner.organizationId}`, late.token)).status).toBe(404);
  });

  it('are not invited without end: an address gets ten mails a day', async () => {
    const invitation = async (): Promise<number> => {
      const { status } = await invite('flooded@example.com', 'viewer');
      const { json } = await service.get(`/organizations/${owner.organizationId}/invitations`, owner.token);
      for (const { invitation_id: id } of json)
        await service.delete(`/organizations/${owner.organizationId}/invitations/${id}`, owner.token);
      return status;
    };
    const statuses: number[] = [];
    for (let n = 0; n < 11; n += 1) statuses.push(await invitation());
    expect(statuses).toEqual([...Array.from({ length: 10 }, () => 200), 429]);
    expect((await invite('calm@example.com', 'viewer')).status).toBe(200);
  });

  it('have the last owner stay', async () => {
    expect((await remove(owner.userId)).json.id).toBe('OrganizationNeedsAnOwner');
    expect((await changeRole(owner.userId, 'viewer')).json.id).toBe('OrganizationNeedsAnOwner');
    const second = await service.person('Second');
    await invite(second.email, 'owner');
    // Of two owners who leave at once, one has to stay.
    const left = await Promise.all([remove(owner.userId), remove(second.userId, second.token)]);
    expect(left.map(({ status }) => status).sort()).toEqual([200, 409]);
    const staying = left[0]?.status === 409 ? owner : second;
    const leaving = staying === owner ? second : owner;
    await invite(leaving.email, 'owner', staying.token);
    expect(await roles()).toMatchObject({ [owner.email]: 'owner', [second.email]: 'owner' });
    await remove(second.userId);
  });

  it('do what their role allows, from the next request on', async () => {
    const eve = await service.person('Eve');
    await invite(eve.email, 'viewer');
    const rename = () => service.put(`/organizations/${owner.organizationId}`, { name: 'Renamed' }, eve.token);
    const refused = await rename();
    expect([refused.status, refused.json.id]).toEqual([403, 'Forbidden']);
    expect((await service.get(`/organizations/${owner.organizationId}`, eve.token)).status).toBe(200);
    await changeRole(eve.userId, 'editor');
    expect((await rename()).status).toBe(200);
    expect((await changeRole(eve.userId, 'owner', eve.token)).json.id).toBe('Forbidden');
    expect((await remove(owner.userId, eve.token)).json.id).toBe('Forbidden');
    expect((await service.delete(`/organizations/${owner.organizationId}`, eve.token)).json.id).toBe('Forbidden');
    await remove(eve.userId);
    expect((await rename()).status).toBe(404);
    expect((await invite('x@example.com', 'emperor')).json.id).toBe('InvalidRole');
  });

  it('are nothing that the secret of an application gets to see', async () => {
    const { json } = await service.post(
      '/applications',
      { organization_id: owner.organizationId, name: 'Shop' },
      owner.token,
    );
    const secrets = await service.get(`/application_secrets?application_id=${json.application_id}`, owner.token);
    const secret = String(secrets.json[0].token);
    const info = await service.get(`/organizations/${owner.organizationId}`, secret);
    expect([info.status, info.json.users]).toEqual([200, []]);
    expect((await service.get(`/organizations/${owner.organizationId}/members`, secret)).status).toBe(403);
    const query = 'query ($id: UUID!) { organization(id: $id) { members { nodes { email } } } }';
    const { errors } = await ask(service, query, { id: owner.organizationId }, secret);
    expect(errors?.[0].extensions?.id).toBe('Forbidden');
    await service.delete(`/applications/${json.application_id}`, owner.token);
  });

  it('are told as of a moment, under the names of now, of those who left the ids alone', async () => {
    const { organizationId, token } = await service.person('Past');
    const [one, two] = [await service.person('Onetime'), await service.person('Twotime')];
    const path = `/organizations/${organizationId}`;
    await service.post(`${path}/invite`, { email: one.email, role: 'editor' }, token);
    await service.post(`${path}/invite`, { email: 'nobody-yet@example.com', role: 'viewer' }, token);
    const [added] = (await service.get(`${path}/history`, token)).json;
    await service.put(`${path}/invite`, { user_id: one.userId, role: 'viewer' }, token);
    await service.post(`${path}/invite`, { email: two.email, role: 'owner' }, token);
    await service.call(`${path}/invite`, { method: 'DELETE', body: { user_id: one.userId }, token });

    const then = await service.get(`${path}/members?as_of=${added.position}`, token);
    expect(then.json).toMatchObject([
      { role: 'owner', first_name: 'Past' },
      { user_id: one.userId, role: 'editor', email: '', first_name: '', since: expect.any(String) },
    ]);
    const first = await service.get(`${path}/members?limit=1&as_of=${added.position}`, token);
    const link = /<[^>]*\/api\/v1([^>]*)>; rel="next"/.exec(String(first.headers.link))?.[1] ?? '';
    expect((await service.get(link, token)).json).toMatchObject([{ user_id: one.userId }]);
    expect((await service.get(`${path}?as_of=${added.position}`, token)).json).toMatchObject({
      users: [{ role: 'owner' }, { user_id: one.userId, role: 'editor' }],
      consumption: { members: 3 },
    });
    expect((await service.get(`${path}/members`, token)).json).toHaveLength(2);
    expect((await service.get(`${path}/members?as_of=${added.position}`, one.token)).status).toBe(404);
  });

  it('leave with everything personal when they erase their account; the log still verifies', async () => {
    const gone = await service.person('Gone');
    await invite(gone.email, 'viewer');
    const erase = () => service.delete('/auth/account', gone.token);
    // The organization that came with the registration has no other owner.
    expect((await erase()).json.id).toBe('OrganizationNeedsAnOwner');
    await service.delete(`/organizations/${gone.organizationId}`, gone.token);
    const client = new Client({ connectionString: service.databaseUrl });
    await client.connect();
    onTestFinished(() => client.end());
    // One that the mail server has not taken so far.
    await client.query(
      `INSERT INTO mail (mail_id, recipient, template, content, created_at, due_at)
       VALUES (gen_random_uuid(), $1, 'welcome', '{"firstName": "Gone"}', now(), now() + interval '1 day')`,
      [gone.email.toUpperCase()],
    );
    expect((await erase()).status).toBe(204);
    const { rows } = await client.query('SELECT recipient FROM mail WHERE lower(recipient) = $1', [gone.email]);
    expect(rows).toEqual([]);
    expect((await service.get('/auth/me', gone.token)).status).toBe(403);
    expect((await service.post('/auth/login', { email: gone.email, password: PASSWORD }, null)).status).toBe(401);
    expect(await roles()).not.toHaveProperty([gone.email]);
    const { json } = await service.get(`/organizations/${owner.organizationId}/history`, owner.token);
    expect(json.map((entry: { summary: string }) => entry.summary)).toContain(`User ${gone.userId} left`);
  });

  it('leave no organization when one of them would have no owner left, and are told of all of these', async () => {
    const torn = await service.person('Torn');
    await invite(torn.email, 'viewer');
    const second = await service.post('/organizations', { name: 'Second of Torn' }, torn.token);
    const refused = await service.delete('/auth/account', torn.token);
    expect([refused.status, refused.json.id]).toEqual([409, 'OrganizationNeedsAnOwner']);
    expect(refused.json.detail).toMatch(/"Second of Torn" \(/);
    expect(refused.json.detail).toContain(`(${torn.organizationId})`);
    expect(refused.json.detail).not.toContain(owner.organizationId);
    expect(await roles()).toMatchObject({ [torn.email]: 'viewer' });
    for (const id of [torn.organizationId, second.json.organization_id])
      expect((await service.get(`/organizations/${id}`, torn.token)).status).toBe(200);
  });

  it('cannot leave an organization without an owner by going together', async () => {
    const [one, two] = [await service.person('One'), await service.person('Two')];
    const { json } = await service.post('/organizations', { name: 'Of both' }, one.token);
    const path = `/organizations/${json.organization_id}`;
    await service.post(`${path}/invite`, { email: two.email, role: 'owner' }, one.token);
    for (const { organizationId, token } of [one, two]) await service.delete(`/organizations/${organizationId}`, token);
    const gone = await Promise.all([one, two].map(({ token }) => service.delete('/auth/account', token)));
    expect(gone.map(({ status }) => status).sort()).toEqual([204, 409]);
    expect((await service.get(`${path}/members`)).json).toMatchObject([{ role: 'owner' }]);
  });

  it('are not made of an account that is erased at the same time', async () => {
    const leaving = await service.person('Leaving');
    await service.delete(`/organizations/${leaving.organizationId}`, leaving.token);
    const [invited, ...erased] = await Promise.all([
      invite(leaving.email, 'editor'),
      service.delete('/auth/account', leaving.token),
      service.delete('/auth/account', leaving.token),
    ]);
    expect(erased.map(({ status }) => status)).toContain(204);
    expect([200, 404]).toContain(invited.status);
    const { json } = await service.get(`/organizations/${owner.organizationId}/members`, owner.token);
    expect(json.filter((member: { user_id: string }) => member.user_id === leaving.userId)).toEqual([]);
  });

  it('see what was refused to them in the log', async () => {
    const mallory = await service.person('Mallory');
    await invite(mallory.email, 'viewer');
    await service.put(`/organizations/${owner.organizationId}`, { name: 'Mine' }, mallory.token);
    const { reader } = service.service.node.core;
    await eventually(async () => {
      const stream = await reader.readStream(`access:user:${mallory.userId}`);
      expect(stream.map(({ data }) => data)).toMatchObject([
        { action: 'organization:edit', problem: 'Forbidden', count: 1 },
      ]);
    });
  });

  it('see it of what takes an owner, too', async () => {
    const edgar = await service.person('Edgar');
    await invite(edgar.email, 'editor');
    const path = `/organizations/${owner.organizationId}/invite`;
    const call = (method: string, body: object) => service.call(path, { method, body, token: edgar.token });
    const tried = [
      await call('POST', { email: 'heir@example.com', role: 'owner' }),
      await call('PUT', { user_id: edgar.userId, role: 'owner' }),
      await call('DELETE', { user_id: owner.userId }),
    ];
    expect(tried.map(({ status }) => status)).toEqual([403, 403, 403]);
    const { reader } = service.service.node.core;
    await eventually(async () => {
      const stream = await reader.readStream(`access:user:${edgar.userId}`);
      expect(new Set(stream.map(({ data }) => data.action))).toEqual(
        new Set(['organization:invite', 'organization:edit_role', 'organization:revoke']),
      );
    });
  });
});

it('whoever founds an organization by GraphQL is its owner, and sees it in the same answer', async () => {
  const founder = await service.person('Freya');
  const query = 'mutation { createOrganization(input: { name: "Founded" }) { name role } }';
  const made = await service.call('//graphql', { method: 'POST', body: { query }, token: founder.token });
  expect(made.json).toEqual({ data: { createOrganization: { name: 'Founded', role: 'owner' } } });
});
