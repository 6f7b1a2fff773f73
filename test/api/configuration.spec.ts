import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestService, type Tenant, type TestService } from '../support/service.ts';

let service: TestService;
let tenant: Tenant;
beforeAll(async () => {
  service = await startTestService();
  tenant = await service.tenant('order.paid', 'order.refund.created', 'auth.user.session.opened');
});
afterAll(() => service.stop());

const UUID = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
const INT32_MAX = 2_147_483_647;

describe('organizations', () => {
  it('are created, renamed, listed and deleted', async () => {
    const created = await service.post('/organizations', { name: 'First name' });
    expect(created.status).toBe(200);
    expect(created.json).toEqual({
      organization_id: UUID,
      name: 'First name',
      plan: null,
      users: [],
      quotas: {
        members_per_organization_limit: INT32_MAX,
        applications_per_organization_limit: INT32_MAX,
        events_per_day_limit: INT32_MAX,
        days_of_events_retention_limit: INT32_MAX,
      },
      consumption: { members: 0, applications: 0, events_per_day: 0 },
      onboarding_steps: { application: 'ToDo', event_type: 'ToDo', subscription: 'ToDo', event: 'ToDo' },
    });
    const path = `/organizations/${created.json.organization_id}`;
    expect((await service.put(path, { name: 'Second name' })).json.name).toBe('Second name');
    expect((await service.get('/organizations')).json).toContainEqual({
      organization_id: created.json.organization_id,
      name: 'Second name',
      role: 'master',
      plan: null,
    });
    expect((await service.delete(path)).status).toBe(204);
    for (const answer of [await service.get(path), await service.put(path, { name: 'Third' })])
      expect(answer).toMatchObject({ status: 404, json: { id: 'NotFound' } });
  });

  it('need a name', async () => {
    const blank = await service.post('/organizations', { name: '   ' });
    expect(blank).toMatchObject({ status: 400, json: { id: 'OrganizationNameMissing' } });
    const short = await service.post('/organizations', { name: 'x' });
    expect(short).toMatchObject({
      status: 422,
      json: { id: 'Validation', validation: { name: [{ code: 'too-small' }] } },
    });
  });

  it('stay while they have applications', async () => {
    const refused = await service.delete(`/organizations/${tenant.organizationId}`);
    expect(refused).toMatchObject({ status: 409, json: { id: 'OrganizationIsNotEmpty' } });
  });

  it('are not deleted while an application is created in them', async () => {
    for (let round = 0; round < 20; round += 1) {
      const { organization_id } = (await service.post('/organizations', { name: `Race ${round}` })).json;
      // Its data key is made with the first application, which would give the deletion a head start.
      const first = await service.post('/applications', { organization_id, name: 'First' });
      await service.delete(`/applications/${first.json.application_id}`);
      const [created, ...deleted] = await Promise.all([
        service.post('/applications', { organization_id, name: 'Late' }),
        ...Array.from({ length: 6 }, () => service.delete(`/organizations/${organization_id}`)),
      ]);
      const isDeleted = deleted.some(({ status }) => status === 204);
      expect([isDeleted, created?.status]).toEqual([isDeleted, isDeleted ? 404 : 201]);
    }
  });

  it('tell what was done already', async () => {
    const { json } = await service.get(`/organizations/${tenant.organizationId}`);
    expect(json.onboarding_steps).toMatchObject({ application: 'Done', event_type: 'Done', event: 'ToDo' });
    expect(json.consumption).toEqual({ members: 0, applications: 1, events_per_day: 0 });
  });
});

describe('applications', () => {
  it('are created with a secret, renamed, read, listed and deleted', async () => {
    const { organizationId: organization_id } = tenant;
    const created = await service.post('/applications', { organization_id, name: 'Warehouse' });
    expect(created).toMatchObject({ status: 201, json: { application_id: UUID, organization_id, name: 'Warehouse' } });
    const { application_id } = created.json;
    const path = `/applications/${application_id}`;
    const [secret] = (await service.get(`/application_secrets?application_id=${application_id}`)).json;
    expect(secret).toEqual({
      secret_id: UUID,
      name: 'Default',
      token: UUID,
      created_at: expect.any(String),
      deleted_at: null,
    });

    const renamed = await service.put(path, { organization_id, name: 'Stock' });
    expect(renamed).toMatchObject({ status: 200, json: { application_id, organization_id, name: 'Stock' } });
    expect((await service.get(path)).json).toEqual({
      application_id,
      organization_id,
      name: 'Stock',
      quotas: { events_per_day_limit: INT32_MAX, days_of_events_retention_limit: INT32_MAX },
      consumption: { events_per_day: 0 },
      onboarding_steps: { event_type: 'ToDo', subscription: 'ToDo', event: 'ToDo' },
    });
    const listed = await service.get(`/applications?organization_id=${organization_id}`);
    expect(listed.json).toContainEqual(renamed.json);

    expect((await service.get(path, secret.token)).status).toBe(200);
    expect((await service.delete(path)).status).toBe(204);
    expect((await service.get(path)).status).toBe(404);
    expect(await service.get(path, secret.token)).toMatchObject({
      status: 403,
      json: { id: 'AuthInvalidApplicationSecret' },
    });
  });

  it('are refused without an organization, and without a name', async () => {
    const unknown = await service.post('/applications', { organization_id: randomUUID(), name: 'Lost' });
    expect(unknown).toMatchObject({ status: 404, json: { id: 'NotFound' } });
    const blank = await service.post('/applications', { organization_id: tenant.organizationId, name: '  ' });
    expect(blank).toMatchObject({ status: 400, json: { id: 'ApplicationNameMissing' } });
    expect(await service.get('/applications')).toMatchObject({ status: 422, json: { id: 'Validation' } });
  });

  it('take their subscriptions with them', async () => {
    const { applicationId } = await service.tenant('a.b');
    const subscription = await service.post('/subscriptions', {
      application_id: applicationId,
      is_enabled: true,
      event_types: ['a.b'],
      labels: {},
      target: { type: 'http', method: 'POST', url: 'https://example.com/' },
    });
    expect(subscription.status).toBe(201);
    expect((await service.delete(`/applications/${applicationId}`)).status).toBe(204);
    expect((await service.get(`/subscriptions/${subscription.json.subscription_id}`)).status).toBe(404);
  });

  it('are above what an application secret may do', async () => {
    const { organizationId: organization_id, applicationId, secret } = tenant;
    const forbidden = [
      await service.post('/applications', { organization_id, name: 'Mine' }, secret),
      await service.delete(`/applications/${applicationId}`, secret),
      await service.post('/organizations', { name: 'Mine' }, secret),
      await service.put(`/organizations/${organization_id}`, { name: 'Mine' }, secret),
      await service.delete(`/organizations/${organization_id}`, secret),
    ];
    for (const answer of forbidden) expect(answer).toMatchObject({ status: 403, json: { id: 'Forbidden' } });
    expect((await service.get('/applications', secret)).json).toHaveLength(1);
    expect((await service.get('/organizations', secret)).json).toMatchObject([{ organization_id, role: 'viewer' }]);
  });
});

describe('application secrets', () => {
  it('open the door until they are deleted', async () => {
    const { applicationId: application_id } = tenant;
    const created = await service.post('/application_secrets', { application_id, name: 'CI' });
    expect(created).toMatchObject({ status: 201, json: { name: 'CI', token: UUID, deleted_at: null } });
    const { token } = created.json;
    expect((await service.get('/event_types', token)).status).toBe(200);

    const path = `/application_secrets/${token}`;
    expect((await service.put(path, { application_id, name: 'Renamed' })).json).toMatchObject({
      name: 'Renamed',
      token,
    });
    const listed = await service.get(`/application_secrets?application_id=${application_id}`);
    expect(listed.json).toContainEqual({ ...created.json, name: 'Renamed' });

    expect((await service.delete(`${path}?application_id=${application_id}`)).status).toBe(204);
    expect((await service.get('/event_types', token)).json.id).toBe('AuthInvalidApplicationSecret');
    const again = await service.delete(`${path}?application_id=${application_id}`);
    expect(again).toMatchObject({ status: 404, json: { id: 'NotFound' } });
    const after = await service.get(`/application_secrets?application_id=${application_id}`);
    expect(after.text).not.toContain(token);
  });

  it('keeps tokens out of the log and out of the tables', async () => {
    const { Client } = await import('pg');
    const client = new Client({ connectionString: service.databaseUrl });
    await client.connect();
    const { rows } = await client.query(
      'SELECT count(*)::int AS found FROM domain_event WHERE data::text LIKE $1 OR metadata::text LIKE $1',
      [`%${tenant.secret}%`],
    );
    await client.end();
    expect(rows).toEqual([{ found: 0 }]);
  });
});

describe('event types', () => {
  it.each([
    ['order.paid', 'order', null, 'paid'],
    ['order.refund.created', 'order', 'refund', 'created'],
    ['auth.user.session.opened', 'auth', 'user.session', 'opened'],
  ])('%s is told in parts', async (name, service_name, resource_type_name, verb_name) => {
    const found = await service.get(`/event_types/${name}?application_id=${tenant.applicationId}`);
    expect(found.json).toEqual({ service_name, resource_type_name, verb_name, event_type_name: name });
    expect((await service.get(`/event_types`, tenant.secret)).json).toContainEqual(found.json);
  });

  it('are upserted, deactivated and brought back', async () => {
    const body = { application_id: tenant.applicationId, service: 'a', resource_type: 'b', verb: 'c' };
    const path = `/event_types/a.b.c?application_id=${tenant.applicationId}`;
    for (const _ of [1, 2]) expect((await service.post('/event_types', body)).status).toBe(201);
    expect((await service.delete(path)).status).toBe(204);
    expect((await service.get(path)).json.id).toBe('NotFound');
    const event = { application_id: tenant.applicationId, event_type: 'a.b.c', payload: '{}' };
    expect((await service.post('/event', event)).json.id).toBe('EventTypeDoesNotExist');
    expect((await service.post('/event_types', body)).status).toBe(201);
    expect((await service.post('/event', event)).status).toBe(201);
  });

  it.each([
    [{ name: 'one' }, 'name'],
    [{ name: 'a.b', verb: 'c' }, 'verb'],
    [{ service: 'a', verb: 'c' }, 'resource_type'],
    [{ service: 'a.b', resource_type: 'c', verb: 'd' }, 'service'],
    [{ service: '', resource_type: 'c', verb: 'd' }, 'service'],
  ])('%j is refused', async (body, field) => {
    const refused = await service.post('/event_types', { application_id: tenant.applicationId, ...body });
    expect(refused).toMatchObject({ status: 422, json: { id: 'Validation', validation: { [field]: [{}] } } });
  });
});

describe('lists', () => {
  it('come in pages, and only the last one has no next', async () => {
    const names = Array.from({ length: 5 }, (_, index) => `page.n${index}`);
    const { applicationId } = await service.tenant(...names);
    const seen: string[] = [];
    let path: string | undefined = `/event_types?application_id=${applicationId}&limit=2`;
    let pages = 0;
    while (path !== undefined) {
      const page = await service.get(path);
      pages += 1;
      seen.push(...page.json.map((type: { event_type_name: string }) => type.event_type_name));
      path = /<[^>]*\/api\/v1([^>]+)>; rel="next"/.exec(String(page.headers.link))?.[1];
    }
    expect([seen, pages]).toEqual([names, 3]);
  });

  it('take no cursor of another list', async () => {
    const { applicationId } = await service.tenant('x.a', 'x.b');
    const first = await service.get(`/event_types?application_id=${applicationId}&limit=1`);
    const cursor = /pagination_cursor=([^&>]+)/.exec(String(first.headers.link))?.[1];
    const refused = await service.get(`/subscriptions?application_id=${applicationId}&pagination_cursor=${cursor}`);
    expect(refused).toMatchObject({ status: 400, json: { id: 'InvalidCursor' } });
  });
});

describe('a trailing slash', () => {
  it('makes no difference', async () => {
    expect((await service.get('/organizations/')).status).toBe(200);
    expect((await service.get(`/organizations/${tenant.organizationId}/`)).status).toBe(200);
  });
});
