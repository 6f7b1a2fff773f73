import { randomBytes, randomUUID } from 'node:crypto';
import { Pool } from 'pg';
import { pino } from 'pino';
import { type Environment, loadConfig } from '#src/config/load.ts';
import { initialise } from '#src/eventstore/initialise.ts';
import { partitionOf } from '#src/eventstore/partition.ts';
import type { Node } from '#src/runtime/node.ts';
import { startService } from '#src/runtime/service.ts';
import { createTestDatabase } from '../../support/database.ts';
import { eventually } from '../../support/eventually.ts';

export const PARTITIONS = 4;
export const EVENT_TYPE = 'order.paid';

// biome-ignore lint/suspicious/noExplicitAny: an answer is whatever the route gives, and tests look into it.
type Json = any;
export type Tenant = { readonly organizationId: string; readonly applicationId: string };

/** One process' worth of Posthorn. */
export type Member = {
  readonly node: Node;
  readonly address: string | undefined;
  /** What it has logged as errors so far. */
  readonly errors: string[];
  /** Results that changed nothing. */
  readonly late: () => Promise<number>;
  readonly stop: () => Promise<void>;
};

export type LoggedEvent = {
  readonly type: string;
  readonly streamId: string;
  readonly data: Json;
  readonly recordedAt: Date;
};

export type Cluster = {
  readonly url: string;
  /** The database's owner, who may do what the processes may not. */
  readonly owner: Pool;
  /** A further member on the same database; its settings on top of the cluster's. */
  readonly start: (env?: Environment) => Promise<Member>;
  /** A call to the first member with an API; throws for an answer that is not 2xx. */
  readonly call: (method: string, path: string, body?: unknown) => Promise<Json>;
  readonly tenant: () => Promise<Tenant>;
  readonly subscribe: (tenant: Tenant, url: string, changes?: Record<string, unknown>) => Promise<Json>;
  readonly replace: (subscription: Json, changes: Record<string, unknown>) => Promise<Json>;
  /** The id of the event. */
  readonly ingest: (tenant: Tenant, changes?: Record<string, unknown>) => Promise<string>;
  /** All domain events of deliveries, or those of one event, in the order of their streams. */
  readonly history: (eventId?: string) => Promise<LoggedEvent[]>;
  /** Deliveries that are not over. */
  readonly pending: () => Promise<number>;
  /** Resolves when no delivery is pending any more. */
  readonly settled: (timeout?: number) => Promise<void>;
  readonly stop: () => Promise<void>;
};

export const until = <T>(check: () => T | Promise<T>, timeout = 10_000): Promise<T> =>
  eventually(check, { timeout, interval: 15 });

const DELIVERY_EVENTS = `
  SELECT type, stream_id AS "streamId", data, recorded_at AS "recordedAt" FROM domain_event
  WHERE stream_id LIKE 'delivery:%' AND ($1::text IS NULL OR data->>'eventId' = $1)
  ORDER BY partition_no, stream_id, stream_version`;

/** A database for any number of members, and the means to use and watch them. */
export const openCluster = async (shared: Environment = {}): Promise<Cluster> => {
  const database = await createTestDatabase();
  await initialise({ url: database.url, partitions: PARTITIONS });
  const owner = new Pool({ connectionString: database.url, max: 2 });
  owner.on('error', () => undefined);
  owner.on('connect', (client) => client.on('error', () => undefined));
  const masterKey = randomUUID();
  const keys = {
    POSTHORN_MASTER_KEY: masterKey,
    POSTHORN_BISCUIT_PRIVATE_KEYS: `test:${randomBytes(32).toString('hex')}`,
    POSTHORN_ENCRYPTION_KEYS: `test:${randomBytes(32).toString('base64')}`,
  };
  const members: Member[] = [];

  const start = async (env: Environment = {}): Promise<Member> => {
    const config = loadConfig({
      DATABASE_URL: database.url,
      PORT: '0',
      POSTHORN_PARTITIONS: String(PARTITIONS),
      POSTHORN_ALLOW_TARGET_CIDRS: '127.0.0.9/32',
      POSTHORN_RATE_LIMITS: 'off',
      POSTHORN_SHUTDOWN_TIMEOUT: '5s',
      ...keys,
      ...shared,
      ...env,
    });
    const { biscuitPrivateKeys = [], encryptionKeys = [] } = config;
    const errors: string[] = [];
    const service = await startService({
      config,
      secrets: { masterKey, biscuitPrivateKeys, encryptionKeys },
      url: database.url,
      partitions: PARTITIONS,
      isAlone: false,
      version: '0.0.0-test',
      logger: pino({ level: 'error' }, { write: (line: string) => errors.push(line) }),
    });
    let stopping: Promise<void> | undefined;
    const member: Member = {
      node: service.node,
      address: service.address,
      errors,
      late: async () => (await service.node.metrics.lateResults.get()).values[0]?.value ?? 0,
      stop: () => {
        stopping ??= service.stop();
        return stopping;
      },
    };
    members.push(member);
    return member;
  };

  const call: Cluster['call'] = async (method, path, body) => {
    const address = members.find((member) => member.address !== undefined)?.address;
    const response = await fetch(`${address}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${masterKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  };

  const pending = async (): Promise<number> =>
    (await owner.query('SELECT count(*)::int AS pending FROM pending_delivery')).rows[0].pending;

  return {
    url: database.url,
    owner,
    start,
    call,
    pending,
    tenant: async () => {
      const { organization_id } = await call('POST', '/organizations', { name: 'Acme' });
      const { application_id } = await call('POST', '/applications', { organization_id, name: 'Shop' });
      await call('POST', '/event_types', { application_id, name: EVENT_TYPE });
      return { organizationId: organization_id, applicationId: application_id };
    },
    subscribe: ({ applicationId }, url, changes = {}) =>
      call('POST', '/subscriptions', {
        application_id: applicationId,
        is_enabled: true,
        event_types: [EVENT_TYPE],
        labels: {},
        target: { type: 'http', method: 'POST', url },
        ...changes,
      }),
    replace: ({ subscription_id, application_id, event_types, labels, target, ...rest }, changes) =>
      call('PUT', `/subscriptions/${subscription_id}`, {
        application_id,
        event_types,
        labels,
        target,
        is_enabled: rest.is_enabled,
        retry_schedule: rest.retry_schedule,
        concurrency_max: rest.concurrency_max,
        ...changes,
      }),
    ingest: async ({ applicationId }, changes = {}) =>
      (
        await call('POST', '/event', {
          application_id: applicationId,
          event_type: EVENT_TYPE,
          payload: '{"amount":42}',
          payload_content_type: 'application/json',
          labels: { all: 'yes' },
          occurred_at: new Date().toISOString(),
          ...changes,
        })
      ).event_id,
    history: async (eventId) => (await owner.query<LoggedEvent>(DELIVERY_EVENTS, [eventId ?? null])).rows,
    settled: async (timeout = 15_000) => {
      await eventually(
        async () => {
          const left = await pending();
          if (left > 0) throw new Error(`${left} deliveries are still pending.`);
        },
        { timeout, interval: 25 },
      );
    },
    stop: async () => {
      // One that vanished in a test cannot stop in order.
      await Promise.all(members.map((member) => member.stop().catch(() => undefined)));
      await owner.end();
      await database.drop();
    },
  };
};

export const deliveryPartition = (subscriptionId: string): number => partitionOf(subscriptionId, PARTITIONS);

/** Numbers of requests by event, as the receiver counted them. */
export const countsByEvent = (
  requests: readonly { headers: Readonly<Record<string, string>> }[],
): Map<string, number> => {
  const counts = new Map<string, number>();
  for (const { headers } of requests) {
    const id = headers['x-event-id'] ?? '';
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
};
