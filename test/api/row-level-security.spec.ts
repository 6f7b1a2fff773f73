import { randomUUID } from 'node:crypto';
import Fastify from 'fastify';
import { Client, type Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { queryOnBehalf, requireToken } from '#src/api/auth/authenticate.ts';
import type { Principal } from '#src/api/auth/principal.ts';
import { createTenantView } from '#src/api/auth/tenant-view.ts';
import { partitionOf } from '#src/eventstore/partition.ts';
import { createAppPool } from '#src/eventstore/pool.ts';
import { projectConfiguration } from '#src/projections/configuration/projections.ts';
import { findSubscription } from '#src/projections/configuration/queries.ts';
import { listEvents } from '#src/projections/event/queries.ts';
import { listMembers } from '#src/projections/identity/queries.ts';
import { allProjections } from '#src/projections/index.ts';
import { rebuildProjection } from '#src/projections/maintenance.ts';
import { eventually } from '../support/eventually.ts';
import { ask } from '../support/graphql.ts';
import { type MarkedTenant, makeMarkedTenant } from '../support/marked-tenant.ts';
import { type PeopleService, startPeopleService } from '../support/people.ts';
import { answer, type Receiver, startReceiver } from '../support/receivers/index.ts';

let service: PeopleService;
let receiver: Receiver;
let alpha: MarkedTenant;
let beta: MarkedTenant;
let owner: Client;
let pool: Pool;
let tenantPool: Pool;
beforeAll(async () => {
  [service, receiver] = await Promise.all([
    startPeopleService({ POSTHORN_QUOTAS: 'on' }),
    startReceiver({ behaviour: answer(200, 'thanks'), behaviours: { '/gone': answer(410) } }),
  ]);
  [alpha, beta] = (await Promise.all(['alpha', 'beta'].map((mark) => makeMarkedTenant(service, receiver, mark)))) as [
    MarkedTenant,
    MarkedTenant,
  ];
  owner = new Client({ connectionString: service.databaseUrl });
  owner.on('error', () => undefined);
  await owner.connect();
  // Within the minute it is kept in memory.
  await owner.query(`INSERT INTO service_token_use SELECT token_id, now() FROM service_token ON CONFLICT DO NOTHING`);
  for (const tenant of [alpha, beta]) await refuse(tenant);
  const url = service.databaseUrl;
  pool = createAppPool({ url, max: 1, name: 'test' });
  tenantPool = createAppPool({ url, max: 2, name: 'test tenant', role: 'posthorn_tenant' });
});
afterAll(async () => {
  await Promise.all([owner.end(), pool.end(), tenantPool.end()]);
  await service.stop();
  await receiver.close();
});

/** Something that was refused to a viewer, which the service itself writes down some seconds later only. */
const refuse = async ({ organizationId, viewer: { userId } }: MarkedTenant): Promise<void> => {
  const at = new Date().toISOString();
  const actor = `user:${userId}`;
  const data = {
    actor,
    organizationId,
    action: 'organization:edit',
    problem: 'Forbidden',
    count: 1,
    firstAt: at,
    lastAt: at,
  };
  const streamId = `access:${actor}`;
  const { log } = service.service.node.core;
  const { instance } = (await ask(service, '{ instance { partitions } }')).data;
  const partition = partitionOf(actor, instance.partitions);
  const result = await log.append({
    streams: [{ streamId, partition, expectedVersion: 0, events: [{ type: 'AccessRefused', data }] }],
    metadata: { actor: 'system:api', causationId: streamId, correlationId: streamId },
    project: projectConfiguration,
  });
  expect(result.kind).toBe('appended');
};

/** Of tenants or people, and out of reach of `posthorn_tenant` altogether. */
const OUT_OF_REACH: Readonly<Record<string, string>> = {
  data_key: 'opened by the vault, for ids that a request was allowed to see',
  sealed_value: 'the same',
  pending_delivery: 'the work list: read and written within appends and by the worker',
  revoked_block: 'asked by authenticate, before it is known who asks',
  user_session: 'of people, not of organizations: the own ones by the pool of the instance',
  mail_token: 'the same',
};

type Table = { readonly name: string; readonly walled: boolean; readonly readable: boolean };
/** Tables that say whose their rows are, days of payloads and answers included. */
const tables = async (): Promise<Table[]> => {
  const { rows } = await owner.query<Table>(`
    SELECT c.relname AS name, c.relrowsecurity AS walled, has_any_column_privilege('posthorn_tenant', c.oid, 'SELECT') AS readable
    FROM pg_class AS c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND EXISTS (
      SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND NOT a.attisdropped
        AND a.attname IN ('organization_id', 'application_id', 'subscription_id', 'user_id', 'scope_id', 'token_id'))
    ORDER BY 1`);
  return rows;
};

/** What a tenant sees of each table that it may read: its rows as text. */
const seen = async (tenant: Pool, organizations: readonly string[] | undefined): Promise<Map<string, string[]>> => {
  const found = new Map<string, string[]>();
  const client = await tenant.connect();
  try {
    if (organizations)
      await client.query(`SELECT set_config('posthorn.organizations', $1, false)`, [`{${organizations}}`]);
    for (const { name } of (await tables()).filter(({ walled }) => walled)) {
      const columns = name === 'user_account' ? 'user_id, email, first_name, last_name' : '*';
      const { rows } = await client.query<{ text: string }>(
        `SELECT row_to_json(t)::text AS text FROM (SELECT ${columns} FROM ${name}) AS t`,
      );
      found.set(
        name,
        rows.map(({ text }) => text),
      );
    }
  } finally {
    client.release(true);
  }
  return found;
};

const isAbout = (row: string, { mark, organizationId, applicationId, serviceTokenId, owner }: MarkedTenant): boolean =>
  [mark, organizationId, applicationId, serviceTokenId, owner.userId].some((text) => row.includes(text));

describe('tables of tenants', () => {
  it('are walled, or out of reach for a reason', async () => {
    const open = (await tables()).filter(({ name, walled, readable }) =>
      walled ? !readable : readable || !(name in OUT_OF_REACH || /^(payload|response)_/.test(name)),
    );
    expect(open).toEqual([]);
    const names = new Set((await tables()).map(({ name }) => name));
    expect(Object.keys(OUT_OF_REACH).filter((name) => !names.has(name))).toEqual([]);
  });

  it('cannot be written by whoever reads them for tenants', async () => {
    const { rows } = await owner.query(`
      SELECT c.relname FROM pg_class AS c
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S')
        AND (has_table_privilege('posthorn_tenant', c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
             OR c.relkind IN ('r', 'p') AND has_any_column_privilege('posthorn_tenant', c.oid, 'INSERT, UPDATE, REFERENCES'))`);
    expect(rows).toEqual([]);
    const { rows: roles } = await owner.query(
      `SELECT rolsuper, rolbypassrls, rolcanlogin FROM pg_roles WHERE rolname IN ('posthorn_tenant', 'posthorn_app')`,
    );
    const plain = { rolsuper: false, rolbypassrls: false, rolcanlogin: false };
    expect(roles).toEqual([plain, plain]);
  });

  it('show a tenant its own rows and nobody else’s', async () => {
    const rows = await seen(tenantPool, [alpha.organizationId]);
    expect([...rows].filter(([, found]) => found.length === 0).map(([name]) => name)).toEqual([]);
    for (const [name, found] of rows)
      expect(
        found.filter((row) => isAbout(row, beta)),
        name,
      ).toEqual([]);
    for (const name of [
      'payload',
      'response',
      'event',
      'application',
      'user_account',
      'service_token_use',
      'event_usage',
    ])
      expect(rows.get(name)?.length, name).toBeLessThan(
        (await owner.query(`SELECT count(*)::int AS count FROM ${name}`)).rows[0].count,
      );
  });

  it('show nothing to whom nothing was set, or nobody’s organization', async () => {
    for (const organizations of [undefined, [], [randomUUID()]])
      for (const [name, found] of await seen(tenantPool, organizations)) expect(found, name).toEqual([]);
  });

  it('show nothing of passwords, nor the log, nor a day by itself', async () => {
    const { rows } = await owner.query<{ day: string }>(
      `SELECT inhrelid::regclass::text AS day FROM pg_inherits WHERE inhparent IN ('payload'::regclass, 'response'::regclass)`,
    );
    for (const sql of [
      'SELECT password_hash FROM user_account',
      'SELECT data FROM domain_event',
      ...rows.map(({ day }) => `SELECT FROM ${day}`),
    ])
      await expect(tenantPool.query(sql), sql).rejects.toThrow(/permission denied/);
  });
});

const principalOf = (tenant: MarkedTenant): Principal => ({
  kind: 'service_token',
  tokenId: tenant.serviceTokenId,
  organizationId: tenant.organizationId,
  failing: () => [],
  refused: () => undefined,
});
const asking = (tenant: MarkedTenant) => ({ principal: principalOf(tenant) });

describe('a query on behalf of a tenant', () => {
  const view = () => createTenantView({ instancePool: pool, tenantPool });

  it('finds nothing of another, though nobody has checked who asks', async () => {
    const { run, pool: db } = view();
    const ask = async (tenant: MarkedTenant) => ({
      subscription: (await findSubscription(db, tenant.subscriptionId))?.subscriptionId,
      events: (await listEvents(db, tenant.applicationId, { limit: 10 })).rows.map(({ eventId }) => eventId),
      members: (await listMembers(db, tenant.organizationId, { limit: 10 })).rows.length,
    });
    const own = { subscription: alpha.subscriptionId, events: [alpha.eventId], members: 2 };
    const nothing = { subscription: undefined, events: [], members: 0 };
    expect(await run(asking(alpha), () => ask(alpha))).toEqual(own);
    expect(await run(asking(beta), () => ask(alpha))).toEqual(nothing);
    expect(await run({ principal: { kind: 'master' } }, () => ask(alpha))).toEqual(own);
  });

  it('is told apart from those beside it, over the same connections', async () => {
    const { run, pool: db } = view();
    const all = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const tenant = index % 2 === 0 ? alpha : beta;
        const { rows } = await run(asking(tenant), async () => {
          await new Promise((resolve) => setImmediate(resolve));
          return db.query<{ organization_id: string }>('SELECT organization_id FROM organization');
        });
        return rows.length === 1 && rows[0]?.organization_id === tenant.organizationId;
      }),
    );
    expect(all.filter((isRight) => !isRight)).toEqual([]);
  });

  it('gets nothing when its organizations could not be set', async () => {
    const broken: Principal = { ...principalOf(alpha), organizationId: 'no uuid' } as Principal;
    const { run, pool: db } = view();
    await run(asking(alpha), () => db.query('SELECT FROM organization'));
    await expect(run({ principal: broken }, () => db.query('SELECT * FROM organization'))).rejects.toThrow();
    const { rows } = await run(asking(beta), () => db.query('SELECT organization_id FROM organization'));
    expect(rows).toEqual([{ organization_id: beta.organizationId }]);
  });

  it('is refused where nobody asks', async () => {
    await expect(view().pool.query('SELECT FROM plan')).rejects.toThrow(/on behalf of nobody/);
  });

  it('sees an organization that the same request has made', async () => {
    const founder = await service.person('founder');
    const { data, errors } = await ask(
      service,
      'mutation { createOrganization(input: { name: "Second" }) { name } }',
      {},
      founder.token,
    );
    expect({ data, errors }).toEqual({ data: { createOrganization: { name: 'Second' } }, errors: undefined });
    const rest = await service.post('/organizations', { name: 'Third' }, founder.token);
    expect(rest.json).toMatchObject({ name: 'Third', users: [{ email: founder.email, role: 'owner' }] });
  });
});

describe('a route that forgot to ask who may do this', () => {
  it('has nothing of another tenant to answer with, before and after a body', async () => {
    const tenantView = createTenantView({ instancePool: pool, tenantPool });
    const app = Fastify();
    const authenticate = Object.assign(
      async (name: string | undefined) => principalOf(name === 'alpha' ? alpha : beta),
      {
        noticeCommit: () => undefined,
        forget: () => undefined,
      },
    );
    requireToken(app, authenticate);
    queryOnBehalf(app, tenantView);
    app.all<{ Params: { id: string } }>('/subscriptions/:id', async ({ params }) => ({
      found: (await findSubscription(tenantView.pool, params.id)) !== undefined,
    }));
    const asked = async (authorization: string, body?: object) => {
      const url = `/subscriptions/${alpha.subscriptionId}`;
      const headers = { authorization };
      const answered = await app.inject(
        body ? { method: 'POST', url, headers, body } : { method: 'GET', url, headers },
      );
      return answered.json().found;
    };
    expect([await asked('alpha'), await asked('alpha', { a: 1 })]).toEqual([true, true]);
    expect([await asked('beta'), await asked('beta', { a: 1 })]).toEqual([false, false]);
    await app.close();
  });
});

describe('after a rebuild', () => {
  it('the wall of every table stands', async () => {
    const policies = async () =>
      (
        await owner.query(
          `SELECT tablename, policyname, permissive, roles::text, cmd, qual, with_check FROM pg_policies ORDER BY 1, 2`,
        )
      ).rows;
    const before = await policies();
    expect(before.length).toBeGreaterThan(40);
    for (const { name } of allProjections) await rebuildProjection({ ownerUrl: service.databaseUrl, name });
    expect(await policies()).toEqual(before);
    const rows = await eventually(() => seen(tenantPool, [alpha.organizationId]));
    expect([...rows].filter(([, found]) => found.length === 0).map(([name]) => name)).toEqual([]);
    for (const [name, found] of rows)
      expect(
        found.filter((row) => isAbout(row, beta)),
        name,
      ).toEqual([]);
    expect((await service.get(`/applications/${alpha.applicationId}`, alpha.owner.token)).status).toBe(200);
  });
});
