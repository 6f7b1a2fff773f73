import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkProjection } from '#src/projections/maintenance.ts';
import { eventually } from '#test/support/eventually.ts';
import { startTestService, type Tenant, type TestService } from '#test/support/service.ts';

const TYPE = 'order.paid';
const schema = {
  type: 'object',
  required: ['id'],
  properties: { id: { type: 'string' }, total: { type: 'integer', minimum: 0 } },
};
const good = '{"id": "1", "total": 5}';
const bad = '{"id": 7, "total": -5}';

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service.stop());

const open = async () => {
  const tenant = await service.tenant(TYPE);
  const path = `/event_types/${TYPE}/schemas`;
  const { applicationId, secret } = tenant;
  return {
    ...tenant,
    path,
    add: (body: object) => service.post(path, { schema, ...body }, secret),
    activate: (version: number, body?: object) => service.post(`${path}/${version}/activate`, body, secret),
    send: (payload: unknown, more: object = {}) =>
      service.post('/event', { application_id: applicationId, event_type: TYPE, payload, ...more }, secret),
    /** Until the read model that checks look at has so many events. */
    known: (count: number) =>
      eventually(async () => {
        const events = await service.get(`/events?application_id=${applicationId}`, secret);
        expect(events.json).toHaveLength(count);
      }),
  };
};
const validation = (...findings: [path: string, code: string][]) => ({
  payload: findings.map(([path, code]) => expect.objectContaining({ code, params: { path } })),
});

describe('ingest of a type with a schema', () => {
  it('refuses what does not match, naming the places and no value', async () => {
    const { add, send } = await open();
    expect((await add({ activate: true })).status).toBe(201);
    expect((await send(good)).status).toBe(201);
    const refused = await send('{"id": 7, "total": "SECRET"}');
    expect(refused).toMatchObject({
      status: 422,
      json: { id: 'EventInvalidAgainstSchema', validation: validation(['/id', 'type'], ['/total', 'type']) },
    });
    expect(refused.text).not.toContain('SECRET');
    expect((await send({ id: '1', total: 5 })).status).toBe(201);
    expect(await send('x', { payload_content_type: 'text/plain' })).toMatchObject({
      status: 422,
      json: { id: 'EventInvalidAgainstSchema', validation: validation(['', 'content-type']) },
    });
  });

  it('refuses single events of a batch', async () => {
    const { add, applicationId, secret } = await open();
    await add({ activate: true });
    const events = [good, bad].map((payload) => ({ application_id: applicationId, event_type: TYPE, payload }));
    const { json } = await service.post('/events', { events }, secret);
    expect(json.outcomes).toMatchObject([
      { status: 201 },
      { status: 422, problem: { id: 'EventInvalidAgainstSchema' } },
    ]);
  });

  it('does not forget what it accepted before the schema', async () => {
    const { add, send } = await open();
    const event_id = randomUUID();
    const first = await send(bad, { event_id });
    await add({ activate: true, force: true });
    expect(await send(bad, { event_id })).toMatchObject({ status: 200, json: first.json });
    expect((await send('{"id": 8}', { event_id })).json.id).toBe('EventAlreadyIngested');
    expect((await send(bad, { event_id: randomUUID() })).status).toBe(422);
  });

  it('takes anything again once none is active', async () => {
    const { add, send, path, secret } = await open();
    await add({ activate: true });
    expect((await service.post(`${path}/deactivate`, undefined, secret)).status).toBe(204);
    expect((await send(bad)).status).toBe(201);
  });

  it('goes by the newest configuration, whatever it remembers', async () => {
    const { add, send, path, secret, applicationId } = await open();
    const { configuration } = service.service.node.core;
    const { application, freshApplication } = configuration;
    /** As if nobody had told this process of a change. */
    const sendWithStale = async (change: () => Promise<unknown>) => {
      const stale = await configuration.freshApplication(applicationId);
      await change();
      configuration.application = async () => stale;
      configuration.freshApplication = (id) => {
        Object.assign(configuration, { application, freshApplication });
        return freshApplication(id);
      };
      return send(bad);
    };
    expect((await sendWithStale(() => add({ activate: true }))).status).toBe(422);
    expect((await sendWithStale(() => service.post(`${path}/deactivate`, undefined, secret))).status).toBe(201);
  });

  it('keeps the schema of a type that was deactivated and is back', async () => {
    const { add, send, secret } = await open();
    await add({ activate: true });
    await service.delete(`/event_types/${TYPE}`, secret);
    expect((await send(good)).json.id).toBe('EventTypeDoesNotExist');
    await service.post('/event_types', { name: TYPE }, secret);
    expect((await send(bad)).json.id).toBe('EventInvalidAgainstSchema');
  });
});

describe('versions of a schema', () => {
  it('are listed newest first and read by number, each as it was added', async () => {
    const { add, path, secret } = await open();
    await add({});
    const second = await add({ schema: { type: 'object' } });
    expect(second).toMatchObject({ status: 201, json: { version: 2, is_active: false, schema: { type: 'object' } } });
    expect((await add({ schema: { type: 'object' } })).json).toEqual(second.json);
    const page = await service.get(`${path}?limit=1`, secret);
    expect(page.json).toMatchObject([{ version: 2 }]);
    const next = /<([^>]+)>/.exec(String(page.headers.link))?.[1] ?? '';
    expect((await service.get(next.slice(next.indexOf('/event_types')), secret)).json).toMatchObject([{ version: 1 }]);
    expect((await service.get(`${path}/1`, secret)).json).toMatchObject({ version: 1, schema });
    for (const unknown of [`${path}/3`, '/event_types/order.unknown/schemas'])
      expect((await service.get(unknown, secret)).status).toBe(404);
  });

  it('are refused when they cannot be used, naming the place', async () => {
    const { add } = await open();
    const unusable = { properties: { id: { $ref: 'https://example.org/id.json' } } };
    expect(await add({ schema: unusable })).toMatchObject({
      status: 422,
      json: { id: 'Validation', validation: { schema: [{ params: { path: '/properties/id/$ref' } }] } },
    });
    expect((await add({ schema: 'x' })).status).toBe(422);
  });

  it('belong to one application', async () => {
    const { add, path, applicationId } = await open();
    await add({});
    const { secret: foreign } = await open();
    for (const answer of [
      await service.get(`${path}?application_id=${applicationId}`, foreign),
      await service.get(`${path}/1`, foreign),
      await service.post(path, { application_id: applicationId, schema }, foreign),
      await service.post(`${path}/1/activate?application_id=${applicationId}`, {}, foreign),
    ])
      expect(answer.status).toBe(404);
  });

  it('are the past, too', async () => {
    const { add, activate, path, secret, applicationId } = await open();
    await add({ activate: true });
    await add({ schema: { type: 'object' } });
    const before = await service.get(`/event_types/${TYPE}/history`, secret);
    const at = before.json[0].position;
    await activate(2);
    await add({ schema: true });
    const then = await service.get(`${path}?as_of=${at}`, secret);
    expect(then.json).toMatchObject([
      { version: 2, is_active: false },
      { version: 1, is_active: true },
    ]);
    expect((await service.get(`${path}/3?as_of=${at}`, secret)).status).toBe(404);
    expect((await service.get(`${path}/2`, secret)).json).toMatchObject({ is_active: true });
    const trail = await service.get(`/applications/${applicationId}/audit?limit=2`, secret);
    expect(trail.json.map(({ type }: { type: string }) => type)).toEqual([
      'EventTypeSchemaAdded',
      'EventTypeSchemaActivated',
    ]);
    for (const name of ['event_type', 'event_type_schema'])
      expect(await checkProjection({ ownerUrl: service.databaseUrl, name })).toMatchObject({ isEqual: true });
  });
});

describe('before a schema is activated', () => {
  it('tells which events of the last week it would refuse', async () => {
    const { add, activate, send, known, path, secret } = await open();
    await send(good);
    const refused = await send(bad);
    await send('x', { payload_content_type: 'text/plain' });
    await known(3);
    await add({});
    const check = await service.post(`${path}/1/check`, undefined, secret);
    expect(check).toMatchObject({ status: 200, json: { checked: 3, refused: 2, is_complete: true } });
    expect(check.json.examples[1]).toEqual({
      event_id: refused.json.event_id,
      errors: validation(['/id', 'type'], ['/total', 'minimum']),
    });

    const conflict = await activate(1);
    expect(conflict).toMatchObject({ status: 409, json: { id: 'SchemaWouldRefuse' } });
    expect(conflict.json.detail).toContain('2 of 3');
    expect((await activate(1, { expected_refusals: 1 })).status).toBe(409);
    expect((await service.get(`${path}/1`, secret)).json.is_active).toBe(false);
    expect((await activate(1, { expected_refusals: 2 })).json).toMatchObject({
      is_active: true,
      check: { refused: 2 },
    });
  });

  it('adds nothing that would refuse events, unless it is forced', async () => {
    const { add, activate, send, known, path, secret } = await open();
    await send(bad);
    await known(1);
    expect((await add({ activate: true })).status).toBe(409);
    expect((await service.get(path, secret)).json).toEqual([]);
    expect((await add({ activate: true, force: true })).json).toMatchObject({ version: 1, is_active: true });
    await add({ schema: false });
    expect((await activate(2)).status).toBe(409);
    expect((await service.post(`${path}/2/activate?force=true`, undefined, secret)).status).toBe(200);
  });

  it('says that it could not see payloads that are gone', async () => {
    const { add, send, known, path, secret, applicationId } = await open();
    await send(good);
    await known(1);
    await add({});
    const owner = new Client({ connectionString: service.databaseUrl });
    await owner.connect();
    await owner.query('DELETE FROM payload WHERE application_id = $1', [applicationId]);
    await owner.end();
    const check = await service.post(`${path}/1/check`, undefined, secret);
    expect(check.json).toMatchObject({ checked: 0, refused: 0, oldest: null, is_complete: false });
  });
});

describe('schemas in GraphQL', () => {
  const ask = async (tenant: Pick<Tenant, 'secret'>, query: string) => {
    const answer = await service.post('//graphql', { query }, tenant.secret);
    return answer.json;
  };

  it('are added, checked, activated and deactivated', async () => {
    const { add: _, send, known, ...tenant } = await open();
    await send(bad);
    await known(1);
    const added = await ask(
      tenant,
      `mutation { addEventTypeSchema(name: "${TYPE}", schema: {type: "object", required: ["id"], properties: {id: {type: "string"}}}) { version isActive schema } }`,
    );
    expect(added.data.addEventTypeSchema).toMatchObject({ version: 1, isActive: false, schema: { required: ['id'] } });
    const checked = await ask(
      tenant,
      `{ application { eventType(name: "${TYPE}") { activeSchema { version } schemaCheck(version: 1) { checked refused oldest isComplete examples { findings { path keyword } } } } } }`,
    );
    expect(checked.data.application.eventType).toMatchObject({
      activeSchema: null,
      schemaCheck: { checked: 1, refused: 1, examples: [{ findings: [{ path: '/id', keyword: 'type' }] }] },
    });
    const activate = (more: string) =>
      ask(
        tenant,
        `mutation { activateEventTypeSchema(name: "${TYPE}", version: 1${more}) { activeSchema { version } schemas { version isActive } } }`,
      );
    expect((await activate('')).errors[0].extensions).toMatchObject({ id: 'SchemaWouldRefuse' });
    expect((await activate(', expectedRefusals: 1')).data.activateEventTypeSchema).toEqual({
      activeSchema: { version: 1 },
      schemas: [{ version: 1, isActive: true }],
    });
    const released = await ask(
      tenant,
      `mutation { deactivateEventTypeSchema(name: "${TYPE}") { activeSchema { version } } }`,
    );
    expect(released.data.deactivateEventTypeSchema).toEqual({ activeSchema: null });
  });
});
