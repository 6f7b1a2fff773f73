import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SDL } from '#src/api/graphql/sdl.ts';
import { loadConfig } from '#src/config/load.ts';
import { ACTIONS } from '#src/domain/access/actions.ts';
import { attenuate } from '#src/tokens/attenuate.ts';
import { createTokens } from '#src/tokens/tokens.ts';
import { eventually } from '../support/eventually.ts';
import { openSocket } from '../support/live.ts';
import { type MarkedTenant, makeMarkedTenant } from '../support/marked-tenant.ts';
import { type PeopleService, type Person, startPeopleService } from '../support/people.ts';
import { answer, type Receiver, startReceiver } from '../support/receivers/index.ts';
import type { Answer } from '../support/service.ts';
import { documentFor, fieldsOf, MUTATIONS, QUERIES, schemaOf, WATCHED } from './tenant-matrix/graphql.ts';
import { type Ids, idsOf, namesAny, unknownIds, withoutIds } from './tenant-matrix/ids.ts';
import { type Described, type Kind, OPERATIONS, operationsOf, requestFor } from './tenant-matrix/rest.ts';

const KEYS = `matrix:${randomBytes(32).toString('hex')}`;
const schema = schemaOf(SDL);

let service: PeopleService;
let receiver: Receiver;
let database: Client;
let alpha: MarkedTenant;
let beta: MarkedTenant;
let ofAlpha: Ids;
let ofBeta: Ids;
let operations: Described[];
/** Domain events of alpha before anybody else asked for anything. */
let before: unknown[];

beforeAll(async () => {
  [service, receiver] = await Promise.all([
    startPeopleService({ POSTHORN_BISCUIT_PRIVATE_KEYS: KEYS }),
    startReceiver({ behaviour: answer(200, 'alpha thanks'), behaviours: { '/gone': answer(410) } }),
  ]);
  database = new Client({ connectionString: service.databaseUrl });
  database.on('error', () => undefined);
  await database.connect();
  [alpha, beta] = (await Promise.all(
    ['zorkalpha', 'zorkbeta'].map((mark) => makeMarkedTenant(service, receiver, mark)),
  )) as [MarkedTenant, MarkedTenant];
  [ofAlpha, ofBeta] = (await Promise.all(
    [alpha, beta].map(async (tenant) => idsOf(tenant, await sessionOf(tenant.owner))),
  )) as [Ids, Ids];
  operations = operationsOf((await service.get('//openapi.json')).json);
  before = await eventsOfAlpha();
});
afterAll(async () => {
  await database.end();
  await service.stop();
  await receiver.close();
});

const sessionOf = async ({ token }: Person): Promise<string> => (await service.get('/auth/me', token)).json.session_id;

/** All that the log has of alpha; refusals of its own tokens are told of those who asked. */
const eventsOfAlpha = async (): Promise<unknown[]> => {
  const { organizationId, owner, serviceTokenId } = alpha;
  const { rows } = await database.query(
    `SELECT partition_no, position, type, stream_id FROM domain_event
     WHERE type <> 'AccessRefused' AND (data::text ~ $1 OR stream_id ~ $1) ORDER BY 1, 2`,
    [[organizationId, owner.userId, serviceTokenId, alpha.applicationId].join('|')],
  );
  return rows;
};

const ask = (described: Described, ids: Ids, token: string | null): Promise<Answer> => {
  const operation = OPERATIONS[described.id];
  if (!operation) throw new Error(`${described.id} has no request in tenant-matrix/rest.ts.`);
  const { path, method, body } = requestFor(described, operation, ids);
  return service.call(path, { method, token, ...(body === undefined ? {} : { body }) });
};
const kindOf = ({ id }: Described): Kind | undefined => OPERATIONS[id]?.kind;
const ofKind = (...kinds: Kind[]): Described[] =>
  operations.filter((described) => kinds.includes(kindOf(described) as Kind));

/** Asks for all at once, and answers with what was not as it should be, by name. */
const wrongs = async (
  asked: readonly Described[],
  look: (described: Described) => Promise<string | undefined>,
): Promise<string[]> => {
  const found = await Promise.all(
    asked.map(async (described) => {
      const wrong = await look(described);
      return wrong === undefined ? [] : [`${described.id}: ${wrong}`];
    }),
  );
  return found.flat();
};
const told = ({ status, text }: Answer): string => `${status} ${text.slice(0, 300)}`;
const unless = (isRight: boolean, answered: Answer): string | undefined => (isRight ? undefined : told(answered));

const graphql = (document: string, token: string | null): Promise<Answer> =>
  service.call('//graphql', { method: 'POST', body: { query: document }, token });

/** Good tokens of another tenant. */
const strangers = (): [name: string, token: string][] => [
  ['an owner', beta.owner.token],
  ['a viewer', beta.viewer.token],
  ['a service token', beta.serviceToken],
  ['an application secret', beta.secret],
  ['a token restricted to an application', attenuate(beta.serviceToken, { applicationId: beta.applicationId })],
];

/** What opens nothing at all. */
const useless = async (): Promise<[name: string, token: string | null][]> => {
  const { biscuitPrivateKeys = [] } = loadConfig({ POSTHORN_BISCUIT_PRIVATE_KEYS: KEYS });
  const tokens = createTokens({ keys: biscuitPrivateKeys });
  const past = new Date(Date.now() - 600_000);
  const expired = tokens.mintUserAccess({
    tokenId: ofAlpha.userId,
    sessionId: ofAlpha.sessionId,
    userId: ofAlpha.userId,
    email: alpha.owner.email,
    firstName: 'A',
    lastName: 'B',
    roles: [{ organizationId: alpha.organizationId, role: 'owner' }],
    createdAt: past,
    authenticatedAt: past,
    expiresAt: new Date(past.getTime() + 300_000),
  });
  const forged = createTokens({
    keys:
      loadConfig({ POSTHORN_BISCUIT_PRIVATE_KEYS: `matrix:${randomBytes(32).toString('hex')}` }).biscuitPrivateKeys ??
      [],
  }).mintService({ tokenId: alpha.serviceTokenId, organizationId: alpha.organizationId, createdAt: new Date() });
  return [
    ['no token', null],
    ['garbage', 'garbage'],
    ['long garbage', 'x'.repeat(400)],
    ['a refresh token', alpha.owner.refreshToken],
    ['a token that has expired', expired.token],
    ['a token of another key', forged.token],
  ];
};

describe('every operation', () => {
  it('is asked for here', () => {
    expect(operations.map(({ id }) => id).filter((id) => !(id in OPERATIONS))).toEqual([]);
    expect(Object.keys(OPERATIONS).filter((id) => !operations.some((described) => described.id === id))).toEqual([]);
    expect(fieldsOf(schema, 'Query').sort()).toEqual(Object.keys(QUERIES).sort());
    expect(fieldsOf(schema, 'Mutation').sort()).toEqual(Object.keys(MUTATIONS).sort());
    expect(fieldsOf(schema, 'Subscriptions').sort()).toEqual(Object.keys(WATCHED).sort());
  });

  it('that reads is open to the tenant itself, or nothing of this would mean anything', async () => {
    const { token } = alpha.owner;
    expect(
      await wrongs(ofKind('read', 'guarded', 'list'), async (described) => {
        const answered = await ask(described, ofAlpha, token);
        const isRight =
          described.id === 'inspectToken' ? answered.status === 400 || answered.status === 422 : answered.status < 300;
        return unless(isRight, answered);
      }),
    ).toEqual([]);
    for (const [name, given] of Object.entries(QUERIES)) {
      const answered = await graphql(documentFor(schema, 'Query', name, given?.(ofAlpha) ?? '', 2), token);
      expect(answered.json.errors, `${name} ${answered.text.slice(0, 300)}`).toBeUndefined();
      if (given) expect(answered.text, name).toContain(alpha.mark);
    }
  });
});

describe('what opens nothing', () => {
  it('is refused by every operation that asks for a token', async () => {
    const revoked = await service.post(
      '/service_token',
      { organization_id: alpha.organizationId, name: 'revoked' },
      alpha.owner.token,
    );
    await service.delete(`/service_token/${revoked.json.token_id}`, alpha.owner.token);
    const left = await service.login(alpha.viewer.email);
    await service.post('/auth/logout', {}, left.token);
    before = await eventsOfAlpha();
    for (const [name, token] of [
      ...(await useless()),
      ['a revoked token', String(revoked.json.biscuit)],
      ['a token whose session is over', left.token],
    ] as const) {
      const found = await wrongs(ofKind('read', 'guarded', 'write', 'list', 'self', 'master'), async (described) => {
        const answered = await ask(described, ofAlpha, token);
        return unless([401, 403].includes(answered.status) && /^Auth/.test(answered.json.id), answered);
      });
      expect(found, name).toEqual([]);
      const over = await graphql(
        documentFor(schema, 'Query', 'application', QUERIES.application?.(ofAlpha) ?? '', 1),
        token,
      );
      expect([401, 403], name).toContain(over.status);
      expect(over.text).not.toContain(alpha.mark);
      const { send, closed, socket } = await openSocket(service.address);
      send({ type: 'connection_init', payload: token === null ? {} : { authorization: `Bearer ${token}` } });
      expect((await closed).code, name).toBe(4403);
      socket.terminate();
    }
  });
});

describe('somebody else', () => {
  it('gets for each id the answer of one that does not exist', async () => {
    const unknown = unknownIds(ofAlpha);
    for (const [name, token] of strangers()) {
      const found = await wrongs(ofKind('read', 'guarded', 'write', 'master'), async (described) => {
        const [foreign, none] = await Promise.all([ask(described, ofAlpha, token), ask(described, unknown, token)]);
        const isRefused =
          foreign.status === 404
            ? foreign.json.id === 'NotFound'
            : foreign.status === 403 && foreign.json.id === 'Forbidden';
        const texts = [withoutIds(foreign.text, ofAlpha), withoutIds(none.text, unknown)];
        if (!isRefused || texts[0]?.includes(alpha.mark)) return told(foreign);
        return foreign.status === none.status && texts[0] === texts[1] ? undefined : texts.join(' / ');
      });
      expect(found, name).toEqual([]);
      const owned = await ask(operations.find(({ id }) => id === 'endSession') as Described, ofAlpha, token);
      expect([403, 404], name).toContain(owned.status);
    }
    // A whole tenant's owner is refused for the ids and for nothing else.
    const statuses = await Promise.all(
      ofKind('read', 'guarded', 'write').map(
        async (described) => (await ask(described, ofAlpha, beta.owner.token)).status,
      ),
    );
    expect(new Set(statuses)).toEqual(new Set([404]));
  });

  it('gets nothing of ours by lists of its own, nor by what is open to all', async () => {
    for (const [name, token] of [...strangers(), ['nobody', null] as const]) {
      const found = await wrongs(
        ofKind('public', ...(token === null ? [] : (['list'] as const))),
        async (described) => {
          const answered = await ask(described, ofAlpha, token);
          return unless(
            answered.status < 500 && !answered.text.includes(alpha.mark) && !namesAny(answered.text, ofAlpha),
            answered,
          );
        },
      );
      expect(found, name).toEqual([]);
    }
  });

  it('gets nothing of ours through something of its own', async () => {
    const mixed: Ids = { ...ofAlpha, organizationId: ofBeta.organizationId, applicationId: ofBeta.applicationId };
    const unknown: Ids = {
      ...unknownIds(mixed),
      organizationId: mixed.organizationId,
      applicationId: mixed.applicationId,
    };
    const foreign = { ...ofAlpha, organizationId: '-', applicationId: '-' };
    for (const [name, token] of strangers()) {
      const asked = ofKind('read', 'guarded', 'write').filter((described) =>
        namesAny(JSON.stringify(requestFor(described, OPERATIONS[described.id] ?? { kind: 'read' }, mixed)), {
          ...foreign,
          organizationId: '\u0000',
          applicationId: '\u0000',
        }),
      );
      expect(asked.length).toBeGreaterThan(30);
      const found = await wrongs(asked, async (described) => {
        const [foreigners, none] = await Promise.all([ask(described, mixed, token), ask(described, unknown, token)]);
        const texts = [withoutIds(foreigners.text, mixed), withoutIds(none.text, unknown)];
        if (texts[0]?.includes(alpha.mark) || foreigners.status >= 500) return told(foreigners);
        const isAlike = kindOf(described) === 'write' || texts[0] === texts[1];
        return foreigners.status === none.status && isAlike ? undefined : `${told(foreigners)} / ${told(none)}`;
      });
      expect(found, name).toEqual([]);
    }
  });

  it('puts nothing into our application, and is told so for each event of a batch', async () => {
    const event = { event_type: alpha.eventType, payload: {} };
    for (const [name, token] of strangers()) {
      const events = [alpha.applicationId, unknownIds(ofAlpha).applicationId].map((id) => ({
        ...event,
        application_id: id,
      }));
      const { status, json } = await service.post('/events', { events }, token);
      expect(status, name).toBe(200);
      expect(json.outcomes, name).toMatchObject([{ problem: { id: 'NotFound' } }, { problem: { id: 'NotFound' } }]);
    }
  });

  it('gets nothing of ours with cursors, whoever got them', async () => {
    const cursorOf = async (tenant: MarkedTenant, list: string): Promise<string> => {
      const { headers } = await service.get(list, tenant.owner.token);
      const [, cursor] = /pagination_cursor=([^&>]+)/.exec(String(headers.link)) ?? [];
      expect(cursor, list).toBeDefined();
      return String(cursor);
    };
    const subscriptions = ({ applicationId }: MarkedTenant) => `/subscriptions?application_id=${applicationId}&limit=1`;
    const applications = ({ organizationId }: MarkedTenant) =>
      `/applications?organization_id=${organizationId}&limit=1`;
    const members = ({ organizationId }: MarkedTenant) => `/organizations/${organizationId}/members?limit=1`;
    for (const list of [subscriptions, applications, members]) {
      const own = await cursorOf(beta, list(beta));
      const foreign = await service.get(`${list(alpha)}&pagination_cursor=${own}`, beta.owner.token);
      expect([foreign.status, foreign.json.id]).toEqual([404, 'NotFound']);
      const stolen = await cursorOf(alpha, list(alpha));
      const answered = await service.get(`${list(beta)}&pagination_cursor=${stolen}`, beta.owner.token);
      expect(answered.status).toBeLessThan(500);
      expect(answered.text).not.toContain(alpha.mark);
    }
  });

  it('gets nothing of ours over GraphQL', async () => {
    const unknown = unknownIds(ofAlpha);
    for (const [name, token] of strangers()) {
      const found: string[] = [];
      const compare = async (root: 'Query' | 'Mutation', field: string, given: (ids: Ids) => string, depth: number) => {
        const [foreign, none] = await Promise.all(
          [ofAlpha, unknown].map((ids) => graphql(documentFor(schema, root, field, given(ids), depth), token)),
        );
        if (!foreign || !none) return;
        const texts = [withoutIds(foreign.text, ofAlpha), withoutIds(none.text, unknown)];
        const [error] = foreign.json.errors ?? [];
        const isRefused =
          root === 'Query' && error === undefined
            ? foreign.json.data[field] === null
            : ['NotFound', 'Forbidden'].includes(error?.extensions?.id);
        if (!isRefused || texts[0] !== texts[1] || texts[0]?.includes(alpha.mark))
          found.push(`${field}: ${told(foreign)} / ${told(none)}`);
      };
      await Promise.all([
        ...Object.entries(QUERIES).flatMap(([field, given]) => (given ? [compare('Query', field, given, 2)] : [])),
        ...Object.entries(MUTATIONS).flatMap(([field, given]) =>
          field === 'createOrganization' ? [] : [compare('Mutation', field, given, 1)],
        ),
      ]);
      expect(found, name).toEqual([]);
      for (const [field, given] of Object.entries(QUERIES))
        if (!given)
          expect((await graphql(documentFor(schema, 'Query', field, '', 2), token)).text).not.toContain(alpha.mark);
    }
  });

  it('watches nothing of ours', async () => {
    for (const [name, token] of strangers()) {
      const { send, messages, socket } = await openSocket(service.address);
      send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
      await eventually(() => expect(messages).toMatchObject([{ type: 'connection_ack' }]));
      const unknown = unknownIds(ofAlpha);
      for (const [field, given] of Object.entries(WATCHED))
        for (const [whose, ids] of Object.entries({ foreign: ofAlpha, none: unknown })) {
          const query = documentFor(schema, 'Subscriptions', field, given(ids), 1);
          send({ id: `${field} ${whose}`, type: 'subscribe', payload: { query } });
        }
      await eventually(() => expect(messages.filter(({ type }) => type === 'error')).toHaveLength(12));
      const of = (id: string): string => JSON.stringify(messages.find((message) => message.id === id)?.payload);
      for (const field of Object.keys(WATCHED)) {
        const foreign = of(`${field} foreign`);
        expect(foreign, name).toMatch(/"id":"NotFound"/);
        expect(withoutIds(foreign, ofAlpha), name).toBe(withoutIds(of(`${field} none`), unknown));
      }
      socket.terminate();
    }
  });
});

/** Refused without a word of actions: what is of people, and plans, which the master key alone opens. */
const BY_NO_ACTION = /^This is for people|^Plans are defined with the master key/;

describe('of the tenant itself', () => {
  it('a viewer changes nothing, and sees no credentials', async () => {
    const { token } = alpha.viewer;
    const found = await wrongs(ofKind('guarded', 'write', 'master'), async (described) => {
      const answered = await ask(described, ofAlpha, token);
      return unless(answered.status === 403 && answered.json.id === 'Forbidden', answered);
    });
    expect(found).toEqual([]);
    const open = await wrongs(ofKind('read'), async (described) => {
      const answered = await ask(described, ofAlpha, token);
      return unless(answered.status < 300 && !answered.text.includes(alpha.serviceToken), answered);
    });
    expect(open).toEqual([]);
    const refused = await Promise.all(
      Object.entries(MUTATIONS)
        .filter(([field]) => field !== 'createOrganization')
        .map(async ([field, given]) => {
          const answered = await graphql(documentFor(schema, 'Mutation', field, given(ofAlpha), 0), token);
          return [field, answered.json.errors?.[0]?.extensions?.id];
        }),
    );
    expect(refused.filter(([, id]) => id !== 'Forbidden')).toEqual([]);
  });

  it('a token restricted to another application opens nothing here', async () => {
    const token = attenuate(alpha.serviceToken, { applicationId: alpha.otherApplicationId });
    const found = await wrongs(ofKind('read', 'guarded', 'write', 'master'), async (described) => {
      const answered = await ask(described, ofAlpha, token);
      return unless(
        [403, 404].includes(answered.status) && ['Forbidden', 'NotFound'].includes(answered.json.id),
        answered,
      );
    });
    expect(found).toEqual([]);
  });

  it('every operation asks for an action that there is, and every action is asked for', async () => {
    const token = attenuate(alpha.serviceToken, { datalog: 'check if action("none")' });
    // Of people, who sign in; and of GraphQL alone.
    const asked = new Set<string>(['auth:logout', 'auth:change_password', 'domain_event:list', 'refusal:list']);
    const found = await wrongs(ofKind('read', 'guarded', 'write', 'list', 'self', 'master'), async (described) => {
      const answered = await ask(described, ofAlpha, token);
      const detail = String(answered.json?.detail);
      if (described.id === 'inspectToken' || BY_NO_ACTION.test(detail)) return undefined;
      const [, action = ''] = /^This token cannot do (\S+):/.exec(detail) ?? [];
      asked.add(action);
      return unless(answered.status === 403 && ACTIONS.some((known) => known === action), answered);
    });
    expect(found).toEqual([]);
    expect(ACTIONS.filter((action) => !asked.has(action))).toEqual([]);
  });

  it('the secret of an application opens no other', async () => {
    const others: Ids = { ...ofAlpha, applicationId: alpha.otherApplicationId };
    const found = await wrongs(ofKind('read', 'guarded', 'write'), async (described) => {
      const { path, body } = requestFor(described, OPERATIONS[described.id] ?? { kind: 'read' }, others);
      if (!`${path}${JSON.stringify(body)}`.includes(others.applicationId)) return undefined;
      const answered = await ask(described, others, alpha.secret);
      return unless([403, 404].includes(answered.status), answered);
    });
    expect(found).toEqual([]);
  });

  it('an owner does nothing that is for whoever runs the instance', async () => {
    const found = await wrongs(ofKind('master'), async (described) => {
      const answered = await ask(described, ofAlpha, alpha.owner.token);
      return unless(answered.status === 403, answered);
    });
    expect(found).toEqual([]);
  });
});

describe('after all of it', () => {
  it('the log has nothing new of the tenant, and nothing went wrong', async () => {
    expect(before.length).toBeGreaterThan(15);
    expect(await eventsOfAlpha()).toEqual(before);
    expect(service.errors).toEqual([]);
  });
});
