import { randomBytes, randomUUID } from 'node:crypto';
import { Pool, request } from 'undici';
import { type Environment, loadConfig } from '#src/config/load.ts';
import { initialise } from '#src/eventstore/initialise.ts';
import { createLogger } from '#src/runtime/logger.ts';
import { type Service, startService } from '#src/runtime/service.ts';
import { createTestDatabase } from './database.ts';

export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body as JSON; what a test expects of it, it says. */
  // biome-ignore lint/suspicious/noExplicitAny: a body is whatever the route answers, and tests look into it.
  readonly json: any;
};

export type CallOptions = {
  readonly method?: string;
  /** Sent as JSON, unless it is a string or bytes: then as it is. */
  readonly body?: unknown;
  /** Instead of the master key; `null` sends none. */
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
};

export type Tenant = { readonly organizationId: string; readonly applicationId: string; readonly secret: string };

export type TestService = {
  /** Without a slash at the end. */
  readonly address: string;
  readonly masterKey: string;
  readonly databaseUrl: string;
  readonly service: Service;
  /** A request to `/api/v1<path>`, or to `path` itself when it begins with `//`. */
  readonly call: (path: string, options?: CallOptions) => Promise<Answer>;
  readonly get: (path: string, token?: string | null) => Promise<Answer>;
  readonly post: (path: string, body?: unknown, token?: string | null) => Promise<Answer>;
  readonly put: (path: string, body?: unknown, token?: string | null) => Promise<Answer>;
  readonly delete: (path: string, token?: string | null) => Promise<Answer>;
  /** An organization with an application of its own, its default secret, and these event types. */
  readonly tenant: (...eventTypes: string[]) => Promise<Tenant>;
  /** What the service has logged as errors so far. */
  readonly errors: readonly string[];
  /** All that it has logged; with `POSTHORN_LOG_LEVEL` more than errors. */
  readonly log: readonly string[];
  readonly stop: () => Promise<void>;
};

/** Pino's number. */
const ERROR = 50;
const hex = (): string => randomBytes(32).toString('hex');

/** A whole service, all roles, on a database of its own; receivers on 127.0.0.9 may be targets. */
export const startTestService = async (env: Environment = {}): Promise<TestService> => {
  const database = await createTestDatabase();
  const masterKey = randomUUID();
  const config = loadConfig({
    DATABASE_URL: database.url,
    PORT: '0',
    POSTHORN_PARTITIONS: '4',
    POSTHORN_MASTER_KEY: masterKey,
    POSTHORN_BISCUIT_PRIVATE_KEYS: `test:${hex()}`,
    POSTHORN_ENCRYPTION_KEYS: `test:${randomBytes(32).toString('base64')}`,
    POSTHORN_ALLOW_TARGET_CIDRS: '127.0.0.9/32',
    POSTHORN_SHUTDOWN_TIMEOUT: '2s',
    POSTHORN_LOG_LEVEL: 'error',
    POSTHORN_RATE_LIMITS: 'off', // Tests are quicker than anybody may be.
    ...env,
  });
  const { biscuitPrivateKeys = [], encryptionKeys = [] } = config;
  const { partitions } = await initialise({ url: database.url, partitions: config.partitions });
  const log: string[] = [];
  const service = await startService({
    config,
    secrets: { masterKey, biscuitPrivateKeys, encryptionKeys },
    url: database.url,
    partitions,
    isAlone: true,
    version: '0.0.0-test',
    logger: createLogger(config, { write: (line: string) => log.push(line) }),
  });
  const { address } = service;
  if (address === undefined) throw new Error('The service has no API.');
  const http = new Pool(address, { connections: 32 });

  const call: TestService['call'] = async (path, { method = 'GET', body, token = masterKey, headers = {} } = {}) => {
    const isRaw = typeof body === 'string' || body instanceof Uint8Array;
    const answer = await request(`${address}${path.startsWith('//') ? path.slice(1) : `/api/v1${path}`}`, {
      method: method as 'GET',
      dispatcher: http,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? null : isRaw ? (body as string) : JSON.stringify(body),
    });
    const text = await answer.body.text();
    const isJson = text !== '' && String(answer.headers['content-type']).includes('json');
    return { status: answer.statusCode, headers: answer.headers, text, json: isJson ? JSON.parse(text) : undefined };
  };

  const post: TestService['post'] = (path, body, token) =>
    call(path, { method: 'POST', body, ...(token === undefined ? {} : { token }) });

  return {
    address,
    masterKey,
    databaseUrl: database.url,
    service,
    call,
    post,
    get: (path, token) => call(path, token === undefined ? {} : { token }),
    put: (path, body, token) => call(path, { method: 'PUT', body, ...(token === undefined ? {} : { token }) }),
    delete: (path, token) => call(path, { method: 'DELETE', ...(token === undefined ? {} : { token }) }),
    tenant: async (...eventTypes) => {
      const organization = await post('/organizations', { name: 'Acme' });
      const organizationId = organization.json.organization_id as string;
      const application = await post('/applications', { organization_id: organizationId, name: 'Shop' });
      const applicationId = application.json.application_id as string;
      const secrets = await call(`/application_secrets?application_id=${applicationId}`);
      for (const name of eventTypes) await post('/event_types', { application_id: applicationId, name });
      return { organizationId, applicationId, secret: secrets.json[0].token as string };
    },
    log,
    get errors() {
      return log.filter((line) => JSON.parse(line).level >= ERROR);
    },
    stop: async () => {
      await http.close();
      await service.stop();
      await database.drop();
    },
  };
};
