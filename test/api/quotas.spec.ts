import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '#test/support/eventually.ts';
import { askData } from '#test/support/graphql.ts';
import { type PeopleService, startPeopleService } from '#test/support/people.ts';

let service: PeopleService;
beforeAll(async () => {
  service = await startPeopleService({
    POSTHORN_QUOTAS: 'on',
    POSTHORN_QUOTA_APPLICATIONS: '3',
    POSTHORN_QUOTA_MEMBERS: '2',
    POSTHORN_QUOTA_EVENTS_PER_DAY: '10',
    POSTHORN_QUOTA_SUBSCRIPTIONS: '2',
    POSTHORN_QUOTA_EVENT_TYPES: '2',
    POSTHORN_PARTITIONS: '8',
  });
});
afterAll(() => service.stop());

/** How many of these went through, and what the others were told. */
const outcome = (answers: readonly { status: number; json: { id?: string } }[], accepted: readonly number[]) => ({
  accepted: answers.filter(({ status }) => accepted.includes(status)).length,
  refused: [...new Set(answers.filter(({ status }) => !accepted.includes(status)).map(({ json }) => json.id))],
});
const ingest = (applicationId: string, event: object = {}) =>
  service.post('/event', { application_id: applicationId, event_type: 'order.paid', payload: {}, ...event });
const many = <T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => make(index)));

describe('quotas are exact, however many come at once', () => {
  it('applications of an organization', async () => {
    const { organizationId } = await service.tenant();
    const made = await many(8, (index) =>
      service.post('/applications', { organization_id: organizationId, name: `App ${index}` }),
    );
    expect(outcome(made, [201])).toEqual({ accepted: 2, refused: ['TooManyApplicationsPerOrganization'] });
    expect((await service.get(`/organizations/${organizationId}`)).json.consumption.applications).toBe(3);
  });

  it('event types and subscriptions of an application', async () => {
    const { applicationId } = await service.tenant('order.paid');
    const types = await many(5, (index) =>
      service.post('/event_types', { application_id: applicationId, name: `order.n${index}` }),
    );
    expect(outcome(types, [201])).toEqual({ accepted: 1, refused: ['TooManyEventTypesPerApplication'] });
    const again = await service.post('/event_types', { application_id: applicationId, name: 'order.paid' });
    expect(again.status, 'one that exists takes nothing').toBe(201);
    const subscribe = () =>
      service.post('/subscriptions', {
        application_id: applicationId,
        is_enabled: true,
        event_types: ['order.paid'],
        labels: {},
        target: { type: 'http', method: 'POST', url: 'http://127.0.0.9:9/', headers: {} },
      });
    expect(outcome(await many(6, subscribe), [201])).toEqual({
      accepted: 2,
      refused: ['TooManySubscriptionsPerApplication'],
    });
  });

  it('events of a day, over all applications of the organization', async () => {
    const { organizationId, applicationId } = await service.tenant('order.paid');
    const second = await service.post('/applications', { organization_id: organizationId, name: 'Second' });
    const other = String(second.json.application_id);
    await service.post('/event_types', { application_id: other, name: 'order.paid' });
    const sent = await many(40, (index) => ingest(index % 2 === 0 ? applicationId : other));
    expect(outcome(sent, [201])).toEqual({ accepted: 10, refused: ['TooManyEventsToday'] });
    expect(sent.find(({ status }) => status !== 201)?.status).toBe(429);
    const { json } = await service.get(`/organizations/${organizationId}/quotas`);
    expect(json).toMatchObject({ enforced: true, limits: { events_per_day: 10 }, usage: { events_per_day: 10 } });
  });

  it('an event that was accepted is answered again, and takes nothing', async () => {
    const { organizationId, applicationId } = await service.tenant('order.paid');
    const eventId = randomUUID();
    const same = await many(6, () => ingest(applicationId, { event_id: eventId }));
    expect(same.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 200, 201]);
    expect(outcome(await many(12, () => ingest(applicationId)), [201]).accepted).toBe(9);
    expect((await ingest(applicationId, { event_id: eventId })).status).toBe(200);
    const { json } = await service.get(`/organizations/${organizationId}/quotas`);
    expect(json.usage.events_per_day).toBe(10);
  });

  it('members and open invitations', async () => {
    const owner = await service.person('Olga');
    const invited = await many(4, (index) =>
      service.post(
        `/organizations/${owner.organizationId}/invite`,
        { email: `guest${index}@example.com`, role: 'viewer' },
        owner.token,
      ),
    );
    expect(outcome(invited, [200])).toEqual({ accepted: 1, refused: ['TooManyMembersPerOrganization'] });
  });
});

describe('limits', () => {
  it('come from the application, the organization, its plan, the instance: the nearest counts', async () => {
    const { organizationId, applicationId } = await service.tenant('order.paid');
    const limitsNow = async () => (await service.get(`/applications/${applicationId}/quotas`)).json.limits;
    expect((await limitsNow()).events_per_day).toBe(10);
    await service.put('/plans/pro', { label: 'Pro', limits: { events_per_day: 20, subscriptions: 20 } });
    await service.put(`/organizations/${organizationId}/quotas`, { plan: 'pro' });
    expect(await limitsNow()).toMatchObject({ events_per_day: 20, subscriptions: 20, event_types: 2 });
    await service.put(`/organizations/${organizationId}/quotas`, { plan: 'pro', limits: { events_per_day: 30 } });
    expect(await limitsNow()).toMatchObject({ events_per_day: 30, subscriptions: 20 });
    await service.put(`/applications/${applicationId}/quotas`, { limits: { events_per_day: 5 } });
    expect((await limitsNow()).events_per_day).toBe(5);
    expect(outcome(await many(9, () => ingest(applicationId)), [201]).accepted).toBe(5);
    expect((await service.get(`/organizations/${organizationId}`)).json.plan).toEqual({ name: 'pro', label: 'Pro' });
    const listed = (await service.get('/organizations')).json as { organization_id: string; plan: unknown }[];
    expect(listed.find((one) => one.organization_id === organizationId)?.plan).toEqual({ name: 'pro', label: 'Pro' });
    expect(listed.filter(({ plan }) => plan !== null)).toHaveLength(1);
    await service.delete('/plans/pro');
    expect((await service.get(`/organizations/${organizationId}`)).json.plan).toBeNull();
  });

  it('are set by whoever runs the instance alone', async () => {
    const owner = await service.person('Petra');
    const path = `/organizations/${owner.organizationId}/quotas`;
    expect((await service.get(path, owner.token)).status).toBe(200);
    expect((await service.put(path, { limits: { members: 99 } }, owner.token)).json.id).toBe('Forbidden');
    expect((await service.put('/plans/mine', { label: 'Mine', limits: {} }, owner.token)).json.id).toBe('Forbidden');
    const unknown = await service.put(path, { plan: 'no-such' });
    expect([unknown.status, unknown.json.validation.plan[0].code]).toEqual([422, 'plan']);
  });
});

it('owners are told once a day when most, and when all of a quota is used', async () => {
  const owner = await service.person('Wanda');
  const { organizationId } = owner;
  const { json } = await service.post('/applications', { organization_id: organizationId, name: 'One' }, owner.token);
  const applicationId = String(json.application_id);
  await service.post('/event_types', { application_id: applicationId, name: 'order.paid' }, owner.token);
  const subjects = async () => (await service.mails(owner.email)).map(({ subject }) => subject).slice(2);
  const warnings = async () =>
    (await service.service.node.core.reader.readStream(`quota_warning:${organizationId}`)).map(({ data }) => [
      data.quota,
      data.level,
      data.used,
    ]);
  for (let sent = 0; sent < 8; sent += 1) await ingest(applicationId);
  await eventually(async () => expect(await warnings()).toEqual([['eventsPerDay', 'warning', 8]]));
  await many(5, () => ingest(applicationId));
  await eventually(async () => {
    expect(await warnings()).toEqual([
      ['eventsPerDay', 'warning', 8],
      ['eventsPerDay', 'reached', 10],
    ]);
    expect((await subjects()).length).toBe(2);
  });
  expect((await subjects()).join('\n')).toMatch(/events of today at 80 %[\s\S]*events of today used up/);
});

it('GraphQL tells the same', async () => {
  const owner = await service.person('Gisela');
  const query = `query ($id: UUID!) { organization(id: $id) { role quotas {
    isEnforced plan members applications eventsToday limits { members eventsPerDay } } } }`;
  const { organization } = await askData(service, query, { id: owner.organizationId }, owner.token);
  expect(organization).toEqual({
    role: 'owner',
    quotas: {
      isEnforced: true,
      plan: null,
      members: 1,
      applications: 0,
      eventsToday: 0,
      limits: { members: 2, eventsPerDay: 10 },
    },
  });
});
