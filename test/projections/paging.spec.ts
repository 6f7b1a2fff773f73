import type { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  findApplication,
  findApplicationSecret,
  findEventType,
  findOrganization,
  findSubscription,
  listApplicationSecrets,
  listApplications,
  listEventTypes,
  listOrganizations,
  listSubscriptions,
} from '#src/projections/configuration/queries.ts';
import { listDeadLetters } from '#src/projections/dead-letter/queries.ts';
import { listDeliveries } from '#src/projections/delivery/queries.ts';
import { listEvents } from '#src/projections/event/queries.ts';
import { InvalidCursor, type Page, type PageRequest, SCAN_MAX } from '#src/projections/page.ts';
import { listRequestAttempts } from '#src/projections/request-attempt/queries.ts';
import {
  applicationCreated,
  applicationDeleted,
  applicationId,
  applicationSecretCreated,
  applicationSecretDeleted,
  deliveredEvent,
  eventTypeCreated,
  eventTypeDeactivated,
  idOf,
  later,
  openTestLog,
  organizationCreated,
  organizationDeleted,
  organizationId,
  recorded,
  settings,
  subscriptionCreated,
  subscriptionDeleted,
  subscriptionDisabled,
  T0,
  type TestLog,
} from '#test/support/builders.ts';
import { createTestDatabase, type TestDatabase } from '#test/support/database.ts';
import { applyTo, openClient } from './support.ts';

let database: TestDatabase;
let log: TestLog;
let client: Client;
beforeAll(async () => {
  database = await createTestDatabase();
  log = await openTestLog(database.url);
  client = await openClient(database.url);
});
afterAll(async () => {
  await client.end();
  await log.stop();
  await database.drop();
});
beforeEach(async () => {
  await client.query('TRUNCATE event, delivery, request_attempt');
});

const lists = {
  events: {
    list: (request: PageRequest) => listEvents(client, applicationId, request) as Promise<Page<object>>,
    key: 'eventId',
  },
  deliveries: {
    list: (request: PageRequest) => listDeliveries(client, applicationId, request) as Promise<Page<object>>,
    key: 'deliveryId',
  },
  'request attempts': {
    list: (request: PageRequest) => listRequestAttempts(client, applicationId, request) as Promise<Page<object>>,
    key: 'requestAttemptId',
  },
};

const readAll = async (
  { list, key }: (typeof lists)[keyof typeof lists],
  limit: number,
  between: () => Promise<void> = async () => undefined,
): Promise<string[]> => {
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const { rows, nextCursor } = await list({ cursor, limit });
    expect(rows.length).toBeLessThanOrEqual(limit);
    seen.push(...rows.map((row) => String((row as Record<string, unknown>)[key])));
    cursor = nextCursor ?? undefined;
    if (cursor !== undefined) await between();
  } while (cursor !== undefined);
  return seen;
};

/** Events of one instant and of different ones, so that the order needs more than time. */
const instantOf = (index: number): string => later(Math.floor(index / 4));
const batch = (from: number, to: number) =>
  recorded(
    Array.from({ length: to - from }, (_, index) =>
      deliveredEvent(`paged ${from + index}`, instantOf(from + index)),
    ).flat(),
  ).map((event) => ({ ...event, position: event.position + from * 3 }));

describe.each(Object.entries(lists))('paging through %s', (_, of) => {
  it('shows each row once, newest first, and no further page after the last', async () => {
    await applyTo(client, [batch(0, 20)]);
    const seen = await readAll(of, 7);
    expect(seen).toHaveLength(20);
    expect(new Set(seen).size).toBe(20);
    expect(await readAll(of, 20)).toStrictEqual(seen);
    expect(await readAll(of, 1)).toStrictEqual(seen);
    expect((await of.list({ limit: 20 })).nextCursor).toBeNull();
  });

  it('neither skips nor repeats what was there when it began, whatever comes meanwhile', async () => {
    await applyTo(client, [batch(0, 30)]);
    const before = await readAll(of, 100);
    let next = 30;
    const seen = await readAll(of, 4, async () => {
      await applyTo(client, [batch(next, next + 3)]);
      next += 3;
    });
    expect(seen.filter((id) => before.includes(id))).toStrictEqual(before);
    expect(new Set(seen).size).toBe(seen.length);
  });

  it.each([['%'], ['bm9uc2Vuc2U'], [Buffer.from('["events","1; DROP TABLE event"]').toString('base64url')], ['']])(
    'refuses the cursor "%s"',
    async (cursor) => {
      await expect(of.list({ cursor, limit: 10 })).rejects.toThrow(InvalidCursor);
    },
  );
});

it('refuses the cursor of another list', async () => {
  await applyTo(client, [batch(0, 3)]);
  const { nextCursor } = await listDeliveries(client, applicationId, { limit: 1 });
  const cursor = String(nextCursor);
  await expect(listRequestAttempts(client, applicationId, { cursor, limit: 1 })).rejects.toThrow(InvalidCursor);
  await expect(listDeadLetters(client, applicationId, { cursor, limit: 1 })).rejects.toThrow(InvalidCursor);
});

it('stops looking for a rare match after a while, and goes on there with the next page', async () => {
  const count = SCAN_MAX + 10;
  await client.query(
    `INSERT INTO event SELECT i, 0, $1::timestamptz + make_interval(secs => i), NULL, 0, 0, 0, $2, $3, gen_random_uuid(),
       CASE WHEN i = 5 THEN 'rare.one' ELSE 'common.one' END, 'text/plain', '', '{}', '{}', NULL, i
     FROM generate_series(1, ${count}) AS i`,
    [T0, applicationId, organizationId],
  );
  const first = await listEvents(client, applicationId, { eventType: 'rare.one', limit: 10 });
  expect(first.rows).toStrictEqual([]);
  const second = await listEvents(client, applicationId, {
    eventType: 'rare.one',
    limit: 10,
    cursor: String(first.nextCursor),
  });
  expect(second.rows).toMatchObject([{ position: 5 }]);
  expect(second.nextCursor).toBeNull();
  // An instant is found by bisection: nothing newer is looked at.
  const old = await listEvents(client, applicationId, {
    eventType: 'rare.one',
    to: new Date(later(9_000)),
    limit: 10,
  });
  expect(old.rows).toMatchObject([{ position: 5 }]);
});

describe('the configuration', () => {
  const page = { limit: 2 };
  const [app2, app3, secret2, subscription2, subscription3, organization2] = [
    'app 2',
    'app 3',
    'secret 2',
    'subscription 2',
    'subscription 3',
    'organization 2',
  ].map(idOf) as [string, string, string, string, string, string];
  beforeAll(async () => {
    await log.append(organizationCreated());
    await log.append(organizationCreated({ organizationId: organization2 }));
    await log.append(organizationDeleted({ organizationId: organization2 }));
    await log.append(
      applicationCreated(),
      applicationCreated({ applicationId: app2 }),
      applicationCreated({ applicationId: app3 }),
    );
    await log.append(applicationDeleted({ applicationId: app3 }));
    await log.append(applicationSecretCreated());
    await log.append(applicationSecretCreated({ secretId: secret2, tokenSha256: '00'.repeat(32), name: null }));
    await log.append(applicationSecretDeleted({ secretId: secret2 }));
    for (const name of ['a.b', 'a.c', 'B.a', 'z.z']) await log.append(eventTypeCreated({ name }));
    await log.append(eventTypeDeactivated({ name: 'z.z' }));
    await log.append(subscriptionCreated());
    await log.append(
      subscriptionCreated({ subscriptionId: subscription2, settings: settings({ description: 'nul \0' }) }),
    );
    await log.append(subscriptionCreated({ subscriptionId: subscription3 }));
    await log.append(subscriptionDisabled({ subscriptionId: subscription2, reason: 'gone' }));
    await log.append(subscriptionDeleted({ subscriptionId: subscription3 }));
  });

  it('lists what is there and leaves out what was deleted', async () => {
    const all = await listOrganizations(log.pool, 'all', page);
    expect(all.rows.map((row) => row.organizationId)).toStrictEqual([organizationId]);
    expect((await listOrganizations(log.pool, [organization2], page)).rows).toStrictEqual([]);
    const applications = await listApplications(log.pool, organizationId, page);
    expect(applications.rows.map((row) => row.applicationId)).toStrictEqual([applicationId, app2].sort().reverse());
    expect(applications.nextCursor).toBeNull();
    expect((await listApplications(log.pool, organization2, page)).rows).toStrictEqual([]);
    const secrets = await listApplicationSecrets(log.pool, applicationId, page);
    expect(secrets.rows).toMatchObject([{ name: 'CI', deletedAt: null }]);
    expect((await listApplicationSecrets(log.pool, applicationId, { ...page, withDeleted: true })).rows).toHaveLength(
      2,
    );
    const subscriptions = await listSubscriptions(log.pool, applicationId, page);
    expect(subscriptions.rows).toHaveLength(2);
    expect(subscriptions.nextCursor).toBeNull();
  });

  it('pages event types in an order that depends on no collation', async () => {
    const first = await listEventTypes(log.pool, applicationId, page);
    expect(first.rows.map(({ name }) => name)).toStrictEqual(['B.a', 'a.b']);
    const second = await listEventTypes(log.pool, applicationId, { ...page, cursor: String(first.nextCursor) });
    expect(second.rows.map(({ name }) => name)).toStrictEqual(['a.c']);
    expect(second.nextCursor).toBeNull();
    await expect(
      listApplications(log.pool, organizationId, { ...page, cursor: String(first.nextCursor) }),
    ).rejects.toThrow(InvalidCursor);
  });

  it('finds one by its id', async () => {
    expect(await findOrganization(log.pool, organizationId)).toStrictEqual({
      organizationId,
      name: 'Acme',
      createdAt: new Date(T0),
    });
    expect(await findOrganization(log.pool, organization2)).toBeUndefined();
    expect(await findApplication(log.pool, app3)).toBeUndefined();
    expect(await findApplication(log.pool, app2)).toMatchObject({ organizationId });
    expect(await findApplicationSecret(log.pool, applicationId, { secretId: secret2 })).toBeUndefined();
    expect(await findEventType(log.pool, applicationId, 'z.z')).toMatchObject({ isActive: false });
    expect(await findSubscription(log.pool, subscription3)).toBeUndefined();
    expect(await findSubscription(log.pool, subscription2)).toMatchObject({
      settings: { isEnabled: false, description: 'nul \0' },
      disabledReason: 'gone',
      previousValidUntil: null,
    });
  });
});
