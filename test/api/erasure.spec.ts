import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { verifyLog } from '#src/eventstore/verify.ts';
import { checkProjection } from '#src/projections/maintenance.ts';
import { requestAttemptProjection } from '#src/projections/request-attempt/projection.ts';
import { processorName } from '#src/projections/runner.ts';
import { applyRetention } from '#src/retention/apply.ts';
import { cleaners } from '#src/retention/cleaners.ts';
import { createRetentionDaysOf } from '#src/retention/days.ts';
import { eventually } from '#test/support/eventually.ts';
import { type PeopleService, type Person, startPeopleService } from '#test/support/people.ts';
import { answer, gate, type Receiver, startReceiver } from '#test/support/receivers/index.ts';

let service: PeopleService;
let receiver: Receiver;
let owner: Client;
beforeAll(async () => {
  receiver = await startReceiver({
    behaviour: answer(200),
    behaviours: {
      '/gone': answer(410),
      '/telling': answer(200, 'answer marker of Eve', { 'x-told': 'header marker of Eve' }),
      '/busy': answer(503),
    },
  });
  service = await startPeopleService({ POSTHORN_RETRY_SCHEDULE: '1h×3' });
  owner = new Client({ connectionString: service.databaseUrl });
  await owner.connect();
});
afterAll(async () => {
  await owner.end();
  await service.stop();
  await receiver.close();
});

const application = async (person: Person): Promise<string> => {
  const { json } = await service.post(
    '/applications',
    { organization_id: person.organizationId, name: 'Shop' },
    person.token,
  );
  await service.post('/event_types', { application_id: json.application_id, name: 'order.paid' }, person.token);
  return String(json.application_id);
};
const subscribe = async (person: Person, applicationId: string, path: string, headers: object = {}) => {
  const { json } = await service.post(
    '/subscriptions',
    {
      application_id: applicationId,
      is_enabled: true,
      event_types: ['order.paid'],
      labels: {},
      target: { type: 'http', method: 'POST', url: `${receiver.url}${path}`, headers },
    },
    person.token,
  );
  return json as { subscription_id: string; secret: string };
};
const send = async (person: Person, applicationId: string, payload: object): Promise<string> => {
  const body = { application_id: applicationId, event_type: 'order.paid', payload };
  const { json } = await service.post('/event', body, person.token);
  return String(json.event_id);
};
const isSound = async (): Promise<void> => {
  expect((await verifyLog(owner)).faults).toEqual([]);
};

describe('an erased payload', () => {
  it('is gone with what was answered to it; the log still proves what it was', async () => {
    const ada = await service.person('Ada');
    const applicationId = await application(ada);
    await subscribe(ada, applicationId, '/busy');
    const eventId = await send(ada, applicationId, { card: 'a marker nobody else has' });
    const path = `/events/${eventId}?application_id=${applicationId}`;
    const attempts = async () =>
      (await service.get(`/request_attempts?application_id=${applicationId}&event_id=${eventId}`, ada.token)).json;
    const attempt = await eventually(async () => {
      const [found] = (await attempts()).filter(({ status }: { status: { type: string } }) => status.type === 'failed');
      expect(found).toBeDefined();
      return found;
    });
    const before = await service.get(path, ada.token);
    expect(Buffer.from(before.json.payload, 'base64').toString()).toContain('a marker nobody else has');

    const erased = await service.delete(`/events/${eventId}/payload?application_id=${applicationId}`, ada.token);
    expect(erased.status).toBe(204);
    const after = await service.get(path, ada.token);
    expect(after.json).toEqual({ ...before.json, payload: null });
    const response = await service.get(`/responses/${attempt.response_id}?application_id=${applicationId}`, ada.token);
    expect(response.json).toMatchObject({ http_code: 503, headers: null, body: null });
    const { rows } = await owner.query('SELECT body FROM payload WHERE event_id = $1', [eventId]);
    expect(rows).toEqual([]);
    const replay = await service.post(`/events/${eventId}/replay`, { application_id: applicationId }, ada.token);
    expect([replay.status, replay.json.id]).toEqual([410, 'PayloadGone']);
    const history = await service.get(`/events/${eventId}/history?application_id=${applicationId}`, ada.token);
    expect(history.json[0].summary).toBe('Payload erased');
    await isSound();
  });
});

it('what was answered goes with a payload though no read model tells of it yet', async () => {
  const nora = await service.person('Nora');
  const applicationId = await application(nora);
  await subscribe(nora, applicationId, '/busy');
  const answers = async () =>
    (await owner.query('SELECT FROM response WHERE application_id = $1', [applicationId])).rowCount;
  const stalled = new Client({ connectionString: service.databaseUrl });
  await stalled.connect();
  onTestFinished(() => stalled.end());
  await stalled.query('BEGIN');
  await stalled.query('SELECT FROM processor_checkpoint WHERE processor = $1 FOR UPDATE', [
    processorName(requestAttemptProjection),
  ]);
  const eventId = await send(nora, applicationId, { first: 1 });
  await eventually(async () => expect(await answers()).toBe(1));
  const erasing = service.delete(`/events/${eventId}/payload?application_id=${applicationId}`, nora.token);
  await eventually(async () => {
    const { rows } = await owner.query('SELECT FROM payload WHERE event_id = $1', [eventId]);
    expect(rows).toEqual([]);
  });
  await stalled.query('COMMIT');
  expect((await erasing).status).toBe(204);
  expect(await answers()).toBe(0);
});

it('a payload is erased where it waits in memory, and nothing is kept of an answer that comes later', async () => {
  const door = gate(answer(200, 'answer marker of Ida'));
  const busy = await startReceiver({ behaviour: door.behaviour });
  onTestFinished(() => busy.close());
  const ida = await service.person('Ida');
  const applicationId = await application(ida);
  const target = { type: 'http', method: 'POST', url: busy.url, headers: {} };
  const settings = { is_enabled: true, event_types: ['order.paid'], labels: {}, concurrency_max: 1, target };
  await service.post('/subscriptions', { application_id: applicationId, ...settings }, ida.token);
  const underWay = await send(ida, applicationId, { first: 1 });
  await eventually(() => expect(busy.requests).toHaveLength(1));
  const waiting = await send(ida, applicationId, { second: 2 });
  for (const eventId of [underWay, waiting])
    await service.delete(`/events/${eventId}/payload?application_id=${applicationId}`, ida.token);
  door.release();
  await eventually(async () => {
    const { json } = await service.get(`/deliveries?application_id=${applicationId}`, ida.token);
    expect(json).toMatchObject([
      { event_id: waiting, status: 'dead_lettered', reason: 'payload_missing' },
      { event_id: underWay, status: 'succeeded' },
    ]);
  });
  expect(busy.requests).toHaveLength(1);
  const { rows } = await owner.query('SELECT FROM response WHERE application_id = $1', [applicationId]);
  expect(rows).toEqual([]);
});

describe('an erased organization', () => {
  it('leaves no secret that can be opened and no payload; the log verifies, the read models are built anew', async () => {
    const bob = await service.person('Bob');
    const applicationId = await application(bob);
    const { secret } = await subscribe(bob, applicationId, '/ok', { 'x-api-key': 'header secret of Bob' });
    const token = await service.post('/service_token', { organization_id: bob.organizationId, name: 'ci' }, bob.token);
    const eventId = await send(bob, applicationId, { of: 'Bob' });
    await receiver.waitFor(1);

    const remove = () => service.delete(`/organizations/${bob.organizationId}?erase=true`, bob.token);
    expect((await remove()).json.id).toBe('OrganizationIsNotEmpty');
    expect((await service.delete(`/applications/${applicationId}`, bob.token)).status).toBe(204);
    expect((await remove()).status).toBe(204);

    const left = await owner.query(
      'SELECT 1 FROM data_key WHERE organization_id = $1 UNION ALL SELECT 1 FROM sealed_value WHERE organization_id = $1',
      [bob.organizationId],
    );
    expect(left.rows).toEqual([]);
    expect((await service.get('/organizations', String(token.json.biscuit))).json.id).toBe('AuthInvalidBiscuit');
    expect(secret).toMatch(/^[0-9a-f-]{36}$/);

    const { core } = service.service.node;
    await applyRetention({
      pool: core.queryPool,
      handle: core.handle,
      retentionDaysOf: createRetentionDaysOf(core.queryPool, {
        quotas: { enabled: false } as never,
        retentionDays: 90,
      }),
      cleaners,
      signal: new AbortController().signal,
    });
    const payloads = await owner.query('SELECT 1 FROM payload WHERE event_id = $1', [eventId]);
    expect(payloads.rows).toEqual([]);
    await isSound();
    for (const name of ['organization', 'membership', 'service_token', 'event'])
      expect(await checkProjection({ ownerUrl: service.databaseUrl, name }), name).toMatchObject({ isEqual: true });
  });

  it('can be one that was deleted before, with the master key', async () => {
    const { json } = await service.post('/organizations', { name: 'Past' });
    const path = `/organizations/${json.organization_id}`;
    expect((await service.delete(path)).status).toBe(204);
    expect((await service.delete(`${path}?erase=true`)).status).toBe(204);
    expect((await service.delete(`/organizations/${randomUUID()}?erase=true`)).status).toBe(404);
  });
});

it('a dump of the database holds no secret in clear', async () => {
  const eve = await service.person('Eve');
  const applicationId = await application(eve);
  const { secret } = await subscribe(eve, applicationId, '/telling', { 'x-api-key': 'header secret of Eve' });
  const token = await service.post('/service_token', { organization_id: eve.organizationId, name: 'ci' }, eve.token);
  const secrets = await service.get(`/application_secrets?application_id=${applicationId}`, eve.token);
  const eventId = await send(eve, applicationId, { told: 'payload marker of Eve' });
  await eventually(async () => {
    const path = `/request_attempts?application_id=${applicationId}&event_id=${eventId}`;
    const [attempt] = (await service.get(path, eve.token)).json;
    const { json } = await service.get(`/responses/${attempt.response_id}?application_id=${applicationId}`, eve.token);
    expect(json).toMatchObject({ body: 'answer marker of Eve', headers: { 'x-told': 'header marker of Eve' } });
  });
  await service.post('/auth/begin-reset-password', { email: eve.email }, null);
  const link = await service.linkOf(eve.email, /new password/);
  const forbidden = [
    secret,
    'header secret of Eve',
    'payload marker of Eve',
    'answer marker of Eve',
    'header marker of Eve',
    String(token.json.biscuit),
    String(secrets.json[0].token),
    eve.token,
    eve.refreshToken,
    link,
    service.masterKey,
    'correct horse battery staple',
  ];
  const tables = await owner.query<{ name: string }>(
    `SELECT c.oid::regclass::text AS name FROM pg_class AS c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace`,
  );
  expect(tables.rows.length).toBeGreaterThan(30);
  for (const { name } of tables.rows) {
    const { rows } = await owner.query<{ row: string }>(`SELECT t::text AS row FROM ${name} AS t`);
    const text = rows.map(({ row }) => row).join('\n');
    for (const value of forbidden) {
      expect(text.includes(value), `${name} holds ${value.slice(0, 12)}…`).toBe(false);
      expect(text.includes(Buffer.from(value).toString('hex')), `${name} holds ${value.slice(0, 12)}…`).toBe(false);
    }
  }
});

it('owners are told by mail when a receiver says that it is gone', async () => {
  const olga = await service.person('Olga');
  const applicationId = await application(olga);
  const { subscription_id: id } = await subscribe(olga, applicationId, '/gone?key=secret');
  await send(olga, applicationId, {});
  await eventually(async () => {
    const mail = (await service.mails(olga.email)).at(-1);
    expect(mail?.subject).toBe('A subscription of Shop was disabled');
    expect(mail?.text).toContain(id);
    expect(mail?.text).toContain(`${receiver.url}/gone`);
    expect(mail?.text).not.toContain('secret');
  });
});
