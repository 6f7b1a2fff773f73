import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { partitionOf } from '#src/eventstore/partition.ts';
import { attenuate } from '#src/tokens/attenuate.ts';
import { eventually } from '#test/support/eventually.ts';
import { ask, askData } from '#test/support/graphql.ts';
import { type PeopleService, type Person, startPeopleService } from '#test/support/people.ts';

let service: PeopleService;
let owner: Person;
let viewer: Person;
let stranger: Person;
let token: { readonly token_id: string; readonly biscuit: string };
beforeAll(async () => {
  service = await startPeopleService();
  [owner, viewer, stranger] = (await Promise.all(['Olive', 'Victor', 'Mallory'].map(service.person))) as [
    Person,
    Person,
    Person,
  ];
  const { organizationId } = owner;
  const invited = { email: viewer.email, role: 'viewer' };
  await service.post(`/organizations/${organizationId}/invite`, invited, owner.token);
  const named = { organization_id: organizationId, name: 'ci' };
  token = (await service.post('/service_token', named, owner.token)).json;
});
afterAll(() => service.stop());

const FIELDS =
  'nodes { organizationId actor action problem count ips firstAt lastAt } pageInfo { hasNextPage endCursor }';
const OF_ORGANIZATION = `query ($id: UUID!, $first: Int, $after: String) {
  organization(id: $id) { refusals(first: $first, after: $after) { ${FIELDS} } }
}`;
const OF_INSTANCE = `{ instance { refusals(first: 100) { ${FIELDS} } retention(first: 2) { nodes { at } } } }`;

describe('what was refused', () => {
  it('is told to owners of the organization it concerns: who asked for what, how often and from where', async () => {
    const { organizationId } = owner;
    const rename = (bearer: string, ip: string) =>
      service.call(`/organizations/${organizationId}`, {
        method: 'PUT',
        body: { name: 'Mine' },
        token: bearer,
        headers: { 'x-forwarded-for': ip },
      });
    await rename(viewer.token, '198.51.100.7');
    await rename(viewer.token, '198.51.100.8');
    await rename(attenuate(token.biscuit, { actions: ['event:ingest'] }), '198.51.100.9');
    await service.get(`/organizations/${stranger.organizationId}`, token.biscuit);
    await rename(stranger.token, '203.0.113.1'); // Of a person who is no member it is no matter of either organization.

    const refusals = async (page: { first?: number; after?: string }) =>
      (await askData(service, OF_ORGANIZATION, { id: organizationId, ...page }, owner.token)).organization.refusals;
    await eventually(async () => {
      const { nodes } = await refusals({});
      expect(nodes.map(({ count }: { count: number }) => count)).toEqual([1, 1, 2]);
    });
    const first = await refusals({ first: 2 });
    const second = await refusals({ first: 2, after: first.pageInfo.endCursor });
    expect(second.pageInfo).toEqual({ hasNextPage: false, endCursor: null });
    const told = [...first.nodes, ...second.nodes];
    const serviceToken = `service_token:${token.token_id}`;
    expect(told).toMatchObject([
      { actor: serviceToken, action: 'organization:get', problem: 'NotFound', count: 1, organizationId },
      { actor: serviceToken, action: 'organization:edit', problem: 'Forbidden', ips: ['198.51.100.9'] },
      { actor: `user:${viewer.userId}`, count: 2, ips: ['198.51.100.7', '198.51.100.8'] },
    ]);
    const { instance } = await askData(service, OF_INSTANCE);
    expect(instance.refusals.nodes).toEqual(expect.arrayContaining(told));
    expect(instance.refusals.nodes).toContainEqual(
      expect.objectContaining({ actor: `user:${stranger.userId}`, organizationId: null, ips: ['203.0.113.1'] }),
    );
  });

  it('is not told to anybody else, nor for a cursor of another list', async () => {
    const { organizationId } = owner;
    for (const bearer of [viewer.token, token.biscuit]) {
      const { errors } = await ask(service, OF_ORGANIZATION, { id: organizationId }, bearer);
      expect(errors).toMatchObject([{ extensions: { id: 'Forbidden' } }]);
      expect((await askData(service, OF_INSTANCE, {}, bearer)).instance).toEqual({ refusals: null, retention: null });
    }
    expect((await askData(service, OF_ORGANIZATION, { id: organizationId }, stranger.token)).organization).toBeNull();
    for (const key of [
      '2026',
      '2026-13-40T00:00:00.000Z 1 1',
      '2026-01-01T00:00:00.000Z 1 x',
      '0000-01-01T00:00:00.000Z 1 1',
    ]) {
      const after = Buffer.from(JSON.stringify(['refusals', key])).toString('base64url');
      const { errors } = await ask(service, OF_ORGANIZATION, { id: organizationId, after }, owner.token);
      expect(errors, key).toMatchObject([{ extensions: { id: 'InvalidCursor' } }]);
    }
  });
});

describe('what retention cleaned', () => {
  it('is told to whoever runs the instance, newest first and in pages', async () => {
    const { log, reader } = service.service.node.core;
    const { instance } = await askData(service, '{ instance { id partitions } }');
    const partition = partitionOf(instance.id, instance.partitions);
    const streamId = `retention:${instance.id}`;
    for (const day of [1, 2, 3])
      await log.append({
        streams: [
          {
            streamId,
            partition,
            expectedVersion: await reader.streamVersion(streamId, partition),
            events: [
              {
                type: 'RetentionApplied',
                data: {
                  instanceId: instance.id,
                  appliedAt: `2026-03-0${day}T00:00:00.000Z`,
                  droppedDays: { payload: [`2026-02-0${day}`], response: [] },
                  counts: { payload: day, mail: 7 },
                  bytes: 1_000 * day,
                },
              },
            ],
          },
        ],
        metadata: { actor: 'system:retention', causationId: streamId, correlationId: streamId },
      });
    const page = async (first: number, after: string | null) =>
      (
        await askData(
          service,
          `query ($first: Int, $after: String) { instance { retention(first: $first, after: $after) {
            nodes { at payloadDays responseDays gone { kind rows } bytes } pageInfo { hasNextPage endCursor } } } }`,
          { first, after },
        )
      ).instance.retention;
    const newest = await page(2, null);
    expect(newest.nodes).toEqual([
      expect.objectContaining({ at: '2026-03-03T00:00:00.000Z', bytes: 3_000 }),
      expect.objectContaining({ at: '2026-03-02T00:00:00.000Z' }),
    ]);
    const oldest = await page(2, newest.pageInfo.endCursor);
    expect(oldest).toEqual({
      nodes: [
        {
          at: '2026-03-01T00:00:00.000Z',
          payloadDays: ['2026-02-01'],
          responseDays: [],
          gone: expect.arrayContaining([
            { kind: 'payload', rows: 1 },
            { kind: 'mail', rows: 7 },
          ]),
          bytes: 1_000,
        },
      ],
      pageInfo: { hasNextPage: false, endCursor: null },
    });
  });
});
