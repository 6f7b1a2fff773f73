import { randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, type CallOptions, startTestService, type Tenant, type TestService } from '../support/service.ts';

type Schema = { type?: string; properties?: Record<string, Schema>; anyOf?: Schema[]; items?: Schema };
type Operation = {
  operationId: string;
  method: string;
  path: string;
  parameters: { name: string; in: string; schema: Schema }[];
  requestBody?: { required?: boolean; content: Record<string, { schema: Schema }> };
  security: unknown[];
  responses: Record<
    string,
    { content?: Record<string, { schema: { allOf?: { properties?: { id: { enum: string[] } } }[] } }> }
  >;
};

let service: TestService;
let tenant: Tenant;
let operations: Operation[];
beforeAll(async () => {
  service = await startTestService();
  tenant = await service.tenant('order.paid');
  const { json } = await service.get('//openapi.json');
  operations = Object.entries(json.paths as Record<string, Record<string, Operation>>).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      ...operation,
      parameters: operation.parameters ?? [],
      method: method.toUpperCase(),
      path,
    })),
  );
});
afterAll(() => service.stop());
/** Whatever was sent, the service goes on, and nothing of it was its own fault. */
afterEach(async () => {
  expect((await service.get('//livez')).status).toBe(200);
  expect(service.errors).toEqual([]);
});

const withBody = (): Operation[] => operations.filter(({ requestBody }) => requestBody);
/** What access tokens open; the refresh of a session takes a token of its own kind, see account/sessions.spec.ts. */
const secured = (): Operation[] =>
  operations.filter(({ security, operationId }) => security.length > 0 && operationId !== 'refresh');
const isIngest = ({ operationId }: Operation): boolean => operationId.startsWith('ingest');

/** The path of an operation with all its ids replaced. */
const pathOf = ({ path }: Operation, id = randomUUID() as string): string => `/${path.replaceAll(/\{[^}]+\}/g, id)}`;
const call = (operation: Operation, options: CallOptions = {}, path = pathOf(operation)): Promise<Answer> =>
  service.call(path, { method: operation.method, ...options });

/** Asserts a refusal that the reference speaks of. */
const expectProblem = (operation: Operation, answer: Answer, what: unknown): void => {
  const where = [operation.operationId, what];
  expect([...where, answer.status >= 400 && answer.status < 500 ? '4xx' : answer.status]).toEqual([...where, '4xx']);
  expectDocumented(operation, answer, where);
};

const expectDocumented = (operation: Operation, answer: Answer, where: unknown[]): void => {
  const { status, json, headers } = answer;
  const documented =
    operation.responses[status]?.content?.['application/problem+json']?.schema.allOf?.[1]?.properties?.id.enum;
  expect([...where, documented]).toEqual([...where, expect.arrayContaining([json.id])]);
  expect(headers['content-type']).toBe('application/problem+json');
  expect(json).toMatchObject({
    status,
    title: expect.any(String),
    detail: expect.any(String),
    type: expect.any(String),
  });
};

/** For what may be accepted after all: never a fault of ours, and if it is refused, in words the reference knows. */
const expectNoFault = (operation: Operation, answer: Answer, what: unknown): void => {
  const where = [operation.operationId, what];
  expect([...where, answer.status < 500 ? 'no fault' : answer.status]).toEqual([...where, 'no fault']);
  if (answer.status >= 400) expectDocumented(operation, answer, where);
};

const NOBODY = '00000000-0000-4000-8000-000000000000';

/** A body that is well-formed, for each operation that takes one. */
const bodyOf = (operation: Operation): Record<string, unknown> => {
  const application_id = tenant.applicationId;
  const target = { type: 'http', method: 'POST', url: 'https://example.com/', headers: { 'x-a': 'b' } };
  const subscription = { application_id, is_enabled: false, event_types: ['order.paid'], labels: { a: 'b' }, target };
  const event = { application_id, event_type: 'order.paid', payload: '{}', labels: { a: 'b' }, metadata: { c: 'd' } };
  const bodies: Record<string, Record<string, unknown>> = {
    ingestEvent: event,
    ingestEvents: { events: [event] },
    createEventType: { application_id, name: 'order.sent' },
    addEventTypeSchema: { application_id, schema: { type: 'object' } },
    checkEventTypeSchema: { application_id },
    activateEventTypeSchema: { application_id },
    deactivateEventTypeSchema: { application_id },
    createSubscription: subscription,
    replaceSubscription: subscription,
    createApplication: { organization_id: tenant.organizationId, name: 'Another' },
    editApplication: { name: 'Renamed' },
    createApplicationSecret: { application_id, name: 'Another' },
    editApplicationSecret: { application_id, name: 'Renamed' },
    createOrganization: { name: 'Another' },
    editOrganization: { name: 'Renamed' },
    replayDeadLetters: { application_id, filter: { event_type: 'order.paid', from: '2026-01-01T00:00:00Z' } },
    replayEvent: { application_id },
    replayEvents: { application_id, filter: { event_type: 'order.none', labels: { a: 'b' } }, expected: 0 },
    previewReplay: { application_id, filter: { from: '2026-01-01T00:00:00Z', delivery_status: 'succeeded' } },
    setSubscriptionEnabled: { is_enabled: false },
    sendTestEvent: { event_type: 'order.paid', payload: '{"a": "b"}' },
    rotateSubscriptionSecret: { application_id, overlap_seconds: 5 },
    register: { first_name: 'A', last_name: 'B', email: 'a@example.com', password: 'short' },
    login: { email: 'a@example.com', password: 'not the one' },
    verifyEmail: { token: 'x' },
    resendVerificationEmail: { email: 'a@example.com' },
    beginResetPassword: { email: 'a@example.com' },
    resetPassword: { token: 'x', new_password: 'correct horse battery staple' },
    unsubscribeReactivation: { token: 'x' },
    confirmPassword: { password: 'not the one' },
    changePassword: { new_password: 'correct horse battery staple' },
    inviteMember: { email: 'a@example.com', role: 'viewer' },
    changeMemberRole: { user_id: NOBODY, role: 'viewer' },
    removeMember: { user_id: NOBODY },
    createServiceToken: { organization_id: tenant.organizationId, name: 'Another' },
    editServiceToken: { name: 'Renamed' },
    revokeServiceTokenBlock: { revocation_id: 'ab'.repeat(64) },
    attenuateServiceToken: { actions: ['event:ingest'], labels: { a: 'b' }, datalog: 'check if true;' },
    inspectToken: { biscuit: 'x' },
    checkToken: { organization_id: tenant.organizationId, biscuit: 'x', action: 'event:ingest', labels: { a: 'b' } },
    definePlan: { label: 'Pro', limits: { members: 5 } },
    setOrganizationQuotas: { limits: { members: 5 } },
    setApplicationQuotas: { limits: { events_per_day: 5 } },
  };
  return bodies[operation.operationId] ?? {};
};

type Path = readonly (string | number)[];
const leavesOf = (value: unknown, path: Path = []): Path[] =>
  typeof value === 'object' && value !== null
    ? [path, ...Object.entries(value).flatMap(([key, inner]) => leavesOf(inner, [...path, key]))]
    : [path];
const replaced = (value: unknown, [key, ...rest]: Path, by: unknown): unknown => {
  if (key === undefined) return by;
  const copy: Record<string | number, unknown> = Array.isArray(value)
    ? ([...value] as never)
    : { ...(value as Record<string, unknown>) };
  copy[key] = replaced(copy[key], rest, by);
  return copy;
};

describe('tokens', () => {
  it.each<[string, string | undefined, number, string]>([
    ['none', undefined, 401, 'AuthNoAuthorizationHeader'],
    ['an empty one', 'Bearer', 400, 'AuthInvalidAuthorizationHeader'],
    ['two', 'Bearer a b', 400, 'AuthInvalidAuthorizationHeader'],
    ['another scheme', 'Basic YTpi', 400, 'AuthInvalidAuthorizationHeader'],
    ['a long one', `Bearer ${'x'.repeat(9_000)}`, 400, 'AuthInvalidAuthorizationHeader'],
    ['an unknown one', `Bearer ${randomUUID()}`, 403, 'AuthInvalidApplicationSecret'],
    ['one with quotes', `Bearer ';--"\\`, 403, 'AuthInvalidApplicationSecret'],
  ])('%s opens no route, whatever the body', async (_name, authorization, status, id) => {
    for (const operation of secured()) {
      const headers = authorization === undefined ? {} : { authorization };
      for (const body of operation.requestBody ? ['{', bodyOf(operation)] : [undefined]) {
        const answer = await call(operation, { token: null, headers, body });
        expect([operation.operationId, answer.status, answer.json.id]).toEqual([operation.operationId, status, id]);
        expectProblem(operation, answer, id);
      }
    }
  });

  it('are asked for before a large body is read', async () => {
    const answer = await service.call('/event', { method: 'POST', token: null, body: 'x'.repeat(3_000_000) });
    expect(answer.json.id).toBe('AuthNoAuthorizationHeader');
  });
});

describe('bodies', () => {
  const deep = `{"a":${'['.repeat(65)}${']'.repeat(65)}}`;

  it('of nothing are refused where one is needed, and elsewhere are none, whatever type is named', async () => {
    for (const operation of withBody().filter(({ requestBody }) => requestBody?.required)) {
      const answer = await call(operation, { body: '' });
      expectProblem(operation, answer, 'nothing');
      expect([operation.operationId, answer.json.id]).toEqual([operation.operationId, 'JsonPayload']);
    }
    const { json } = await service.post('/organizations', { name: 'Short-lived' });
    const path = `/organizations/${json.organization_id}`;
    const deleted = await service.call(path, { method: 'DELETE', headers: { 'content-type': 'application/json' } });
    expect([deleted.status, (await service.get(path)).status]).toEqual([204, 404]);
  });

  it.each<[string, string | Uint8Array, string]>([
    ['no JSON', '{"a":', 'JsonPayload'],
    ['two values', '{} {}', 'JsonPayload'],
    ['65 levels', deep, 'JsonPayload'],
    ['a million levels', '['.repeat(1_000_000), 'JsonPayload'],
    ['a NUL', '{"a":"\0"}', 'JsonPayload'],
    ['no UTF-8', Buffer.from('{"name":"\xff\xfe"}', 'latin1'), 'JsonPayload'],
    ['a prototype', '{"__proto__":{"name":"x"},"name":"Fine"}', 'JsonPayload'],
    ['a prototype in escapes', '{"\\u005f_proto__":{"name":"x"},"name":"Fine"}', 'JsonPayload'],
    ['too much', Buffer.alloc(17 * 1024 * 1024, 0x20), 'JsonPayload'],
    ['a list', '[]', 'Validation'],
    ['a string', '"x"', 'Validation'],
    ['a number', '1e999', 'Validation'],
  ])('with %s are refused', async (what, body, id) => {
    for (const operation of withBody()) {
      const answer = await call(operation, { body });
      expectProblem(operation, answer, what);
      expect([operation.operationId, answer.json.id]).toEqual([operation.operationId, id]);
    }
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    'application/xml',
    'nonsense',
    '',
  ])('of type "%s" are refused', async (type) => {
    for (const operation of withBody()) {
      const answer = await call(operation, { body: bodyOf(operation), headers: { 'content-type': type } });
      expectProblem(operation, answer, type);
      expect([operation.operationId, answer.status]).toEqual([operation.operationId, 415]);
    }
  });

  it('with half a character or a NUL in a text are refused, or kept out', async () => {
    for (const operation of withBody()) {
      const body = bodyOf(operation);
      for (const path of leavesOf(body))
        for (const text of ['\0', 'a\0b', '\ud800', 'a\udc00b']) {
          const answer = await call(operation, { body: replaced(body, path, text) });
          const isPayload = path.at(-1) === 'payload';
          if (operation.operationId === 'ingestEvents' && path.length > 1)
            expect([path, answer.json.outcomes[0].status]).toEqual([path, isPayload ? 400 : 422]);
          else expectProblem(operation, answer, [path, text]);
        }
    }
  });

  it('with a half character in a key are refused', async () => {
    for (const operation of withBody().filter((one) => ['ingestEvent', 'createSubscription'].includes(one.operationId)))
      for (const key of ['labels', 'metadata'])
        for (const name of ['\0', '\ud800', ''])
          expectProblem(
            operation,
            await call(operation, { body: { ...bodyOf(operation), [key]: { [name]: 'x' } } }),
            name,
          );
  });

  it('with a value of any other kind never break anything', async () => {
    const others = [
      null,
      true,
      0,
      -1,
      1.5,
      1e308,
      '',
      'x'.repeat(5_000),
      [],
      [null],
      {},
      { a: { b: 1 } },
      Array(200).fill('x'),
    ];
    for (const operation of withBody()) {
      const body = bodyOf(operation);
      for (const path of leavesOf(body))
        await Promise.all(
          others.map(async (other) =>
            expectNoFault(operation, await call(operation, { body: replaced(body, path, other) }), [path, other]),
          ),
        );
    }
  });
});

describe('paths', () => {
  it('with ids that are none are refused', async () => {
    const ids = [
      'x',
      '1',
      '%00',
      '%F0%9F%92%A9',
      "';--",
      '..%2f..',
      'x'.repeat(290),
      'x'.repeat(400),
      '%20',
      randomUUID().slice(1),
    ];
    for (const operation of operations.filter(
      ({ path, operationId }) => path.includes('{') && operationId !== 'definePlan', // A plan is named by whoever defines it.
    ))
      for (const id of ids) {
        const body = operation.requestBody ? bodyOf(operation) : undefined;
        const path = `${pathOf(operation, id)}?application_id=${tenant.applicationId}`;
        const answer = await call(operation, { body }, path);
        if (answer.json.id !== 'RouteNotFound') expectProblem(operation, answer, id);
        expect([400, 404, 422]).toContain(answer.status);
      }
  });

  it('with ids of nothing are not found', async () => {
    // A plan is defined by its name, and only people have sessions.
    const others = ['definePlan', 'endSession'];
    for (const operation of operations.filter(
      ({ path, operationId }) => path.includes('{') && !others.includes(operationId),
    )) {
      const body = operation.requestBody ? bodyOf(operation) : undefined;
      const path = `${pathOf(operation)}?application_id=${tenant.applicationId}`;
      const answer = await call(operation, { body }, path);
      expect([operation.operationId, answer.status, answer.json.id]).toEqual([operation.operationId, 404, 'NotFound']);
    }
  });

  it('know their methods', async () => {
    const takes = (template: string, path: string): boolean =>
      new RegExp(`^${template.replaceAll(/\{[^}]+\}/g, '[^/]+')}$`).test(path);
    for (const path of new Set(operations.map((operation) => operation.path))) {
      // What is spelt out may stand where another path has a variable part.
      const own = operations.filter((operation) => takes(operation.path, path));
      const allowed = [...new Set(own.map(({ method }) => method))].sort();
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'].filter(
        (one) => !allowed.includes(one),
      )) {
        const answer = await service.call(`/${path.replaceAll(/\{[^}]+\}/g, randomUUID())}`, { method });
        const allow = String(answer.headers.allow).split(', ').sort();
        expect([path, method, answer.status, allow]).toEqual([path, method, 405, allowed]);
      }
    }
  });

  it.each(['/nowhere', '//api', '//api/v2/event', '/event/x', '//%2e%2e/etc/passwd', '//.env'])(
    'that lead nowhere are told so: %s',
    async (path) => {
      expect(await service.get(path)).toMatchObject({ status: 404, json: { id: 'RouteNotFound', status: 404 } });
    },
  );

  it('that cannot be decoded are refused', async () => {
    for (const path of ['//%', '//%zz', '//api/v1/event_types/%c3%28', '/organizations/%ff'])
      expect(await service.get(path)).toMatchObject({ status: 400, json: { id: 'MalformedRequest', status: 400 } });
  });
});

describe('queries', () => {
  const VALUES = [
    '',
    'x',
    '-1',
    '0',
    '101',
    '1e9',
    'NaN',
    '%00',
    '%ff',
    '%F0%9F%92%A9',
    "'",
    'null',
    '[]',
    'x'.repeat(5_000),
  ];

  it('with any value never break anything', async () => {
    for (const operation of operations.filter(({ method }) => method === 'GET')) {
      const own = operation.parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name);
      for (const name of own)
        for (const value of VALUES) {
          const application =
            own.includes('application_id') && name !== 'application_id'
              ? `&application_id=${tenant.applicationId}`
              : '';
          for (const query of [`${name}=${value}`, `${name}=${value}&${name}=${value}`, `${name}[a]=${value}`]) {
            const answer = await call(operation, {}, `${pathOf(operation)}?${query}${application}`);
            expectNoFault(operation, answer, query);
          }
        }
    }
  });

  it('with a cursor of somebody’s own making are refused', async () => {
    const forged = [
      [],
      ['x'],
      ['events', -1],
      ['events', 1e20],
      ['subscriptions', "'"],
      ['event_types', '\0'],
      'x',
      null,
      { a: 1 },
    ];
    const cursors = [
      'x',
      '%25',
      'e30',
      ...forged.map((parts) => Buffer.from(JSON.stringify(parts)).toString('base64url')),
    ];
    for (const operation of operations.filter(({ parameters }) =>
      parameters.some(({ name }) => name === 'pagination_cursor'),
    ))
      for (const cursor of cursors) {
        const query = `application_id=${tenant.applicationId}&organization_id=${tenant.organizationId}`;
        const answer = await call(operation, {}, `${pathOf(operation)}?${query}&pagination_cursor=${cursor}`);
        expectProblem(operation, answer, cursor);
        expect(['InvalidCursor', 'NotFound']).toContain(answer.json.id);
      }
  });
});

describe('what is no HTTP', () => {
  const raw = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(service.address);
      const socket = connect(Number(port), hostname, () => socket.write(text));
      let answer = '';
      socket.on('data', (chunk) => {
        answer += chunk;
      });
      socket.on('end', () => resolve(answer));
      socket.on('error', reject);
    });

  it.each([
    ['nonsense', 'nonsense\r\n\r\n'],
    ['an unknown method', 'FETCH / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a header with a space in its name', 'GET / HTTP/1.1\r\nHost: a\r\nBad Header: b\r\n\r\n'],
    ['20 kB of a header', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`],
    ['two lengths', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a length that is none', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n'],
  ])('is refused: %s', async (_name, text) => {
    const [head = '', body = ''] = (await raw(text)).split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 400 /);
    expect(head).toContain('application/problem+json');
    expect(JSON.parse(body)).toMatchObject({ id: 'MalformedRequest', status: 400 });
  });

  it('a body that breaks off harms nobody', async () => {
    const { hostname, port } = new URL(service.address);
    await new Promise<void>((resolve) => {
      const request = httpRequest({ hostname, port, path: '/api/v1/event', method: 'POST' });
      request.setHeader('authorization', `Bearer ${service.masterKey}`);
      request.setHeader('content-type', 'application/json');
      request.setHeader('content-length', '100');
      request.on('error', () => resolve());
      request.write('{"a":', () => request.destroy());
    });
  });
});

describe('somebody else', () => {
  it('finds nothing of it, and in the same words as for what does not exist', async () => {
    const other = await service.tenant('order.paid');
    const created = await service.post(
      '/subscriptions',
      bodyOf(operations.find(({ operationId }) => operationId === 'createSubscription') as Operation),
    );
    const event = await service.post('/event', { ...bodyOf(operations.find(isIngest) as Operation), labels: {} });
    const ids: Record<string, string> = {
      subscription_id: created.json.subscription_id,
      event_id: event.json.event_id,
      application_id: tenant.applicationId,
      organization_id: tenant.organizationId,
      token: tenant.secret,
      name: 'order.paid',
    };
    for (const operation of secured()) {
      const asked = async (foreign: Record<string, string>, application: string) => {
        const path = operation.path.replaceAll(/\{([^}]+)\}/g, (_, name: string) => foreign[name] ?? randomUUID());
        const body =
          operation.requestBody &&
          JSON.parse(JSON.stringify(bodyOf(operation)).replaceAll(tenant.applicationId, application));
        const query =
          operation.method === 'GET' || operation.method === 'DELETE'
            ? `?application_id=${application}&organization_id=${foreign.organization_id}`
            : '';
        const answer = await call(operation, { token: other.secret, body }, `/${path}${query}`);
        return {
          answer,
          words: String(answer.json?.detail).replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'ID'),
        };
      };
      if (
        [
          'ingestEvents',
          'createOrganization',
          'listOrganizations',
          'inspectToken',
          'definePlan',
          'removePlan',
        ].includes(operation.operationId)
      )
        continue;
      const random = Object.fromEntries(
        Object.keys(ids).map((name) => [name, name === 'name' ? 'order.paid' : randomUUID()]),
      );
      const foreign = await asked(ids, tenant.applicationId);
      const unknown = await asked(random, random.application_id ?? '');
      expect([operation.operationId, foreign.answer.status, foreign.words]).toEqual([
        operation.operationId,
        unknown.answer.status,
        unknown.words,
      ]);
      expect([operation.operationId, [403, 404].includes(foreign.answer.status)]).toEqual([
        operation.operationId,
        true,
      ]);
    }
  });
});
