import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { attenuate } from '#src/tokens/attenuate.ts';
import { withCopy } from '#src/tokens/copy.ts';
import { openEnvelope } from '#src/tokens/envelope.ts';
import { inspect } from '#src/tokens/inspect.ts';
import { BlockBuilder } from '#src/tokens/library.ts';
import { type PeopleService, type Person, startPeopleService } from '#test/support/people.ts';

let service: PeopleService;
let owner: Person;
let applicationId: string;
let other: string;
beforeAll(async () => {
  service = await startPeopleService();
  owner = await service.person('Olga');
  const make = async (name: string) => {
    const { json } = await service.post('/applications', { organization_id: owner.organizationId, name }, owner.token);
    for (const type of ['order.paid', 'user.created'])
      await service.post('/event_types', { application_id: json.application_id, name: type }, owner.token);
    return String(json.application_id);
  };
  applicationId = await make('Shop');
  other = await make('Forum');
});
afterAll(() => service.stop());

const create = async (name = 'ci') => {
  const answer = await service.post('/service_token', { organization_id: owner.organizationId, name }, owner.token);
  expect(answer.status, answer.text).toBe(201);
  return answer.json as { token_id: string; biscuit: string; revocation_id: string };
};
const ingest = (token: string, application = applicationId, event: object = {}) =>
  service.post('/event', { application_id: application, event_type: 'order.paid', payload: {}, ...event }, token);

describe('a service token', () => {
  it('does what an editor does, in its organization alone', async () => {
    const { biscuit } = await create();
    expect((await ingest(biscuit)).status).toBe(201);
    expect((await service.get('/applications', biscuit)).json).toHaveLength(2);
    const { applicationId: foreign } = await service.tenant('order.paid');
    expect((await ingest(biscuit, foreign)).status).toBe(404);
    expect((await service.get(`/applications/${foreign}`, biscuit)).status).toBe(404);
    expect((await service.post('/organizations', { name: 'Another' }, biscuit)).status).toBe(403);
  });

  it('is listed with its use, and shown to nobody who may only look', async () => {
    const { token_id: tokenId, biscuit } = await create('shown');
    const path = `/service_token?organization_id=${owner.organizationId}`;
    const listed = await service.get(path, owner.token);
    expect(listed.json.find((token: { token_id: string }) => token.token_id === tokenId)).toMatchObject({ biscuit });
    const viewer = await service.person('Vera');
    await service.post(
      `/organizations/${owner.organizationId}/invite`,
      { email: viewer.email, role: 'viewer' },
      owner.token,
    );
    expect((await service.get(path, viewer.token)).status).toBe(403);
    expect((await service.get(`/service_token/${tokenId}`, viewer.token)).status).toBe(403);
    const renamed = await service.put(`/service_token/${tokenId}`, { name: 'renamed' }, owner.token);
    expect(renamed.json).toMatchObject({ name: 'renamed', last_used_at: null });
  });

  it('opens nothing once it is revoked, nor does anything made of it', async () => {
    const { token_id: tokenId, biscuit } = await create();
    const child = attenuate(biscuit, { actions: ['event:ingest'] });
    expect((await ingest(child)).status).toBe(201);
    expect((await service.delete(`/service_token/${tokenId}`, owner.token)).status).toBe(204);
    for (const token of [biscuit, child]) {
      const refused = await ingest(token);
      expect([refused.status, refused.json.id]).toEqual([403, 'AuthInvalidBiscuit']);
    }
  });

  it('goes on when one of its children is revoked by its block', async () => {
    const { token_id: tokenId, biscuit } = await create();
    const [first, second] = [1, 2].map(() => attenuate(biscuit, { applicationId }));
    const grandchild = attenuate(first ?? '', { actions: ['event:ingest'] });
    const block = inspect(first ?? '').blocks[1]?.revocationId;
    const revoked = await service.post(`/service_token/${tokenId}/revoke_block`, { revocation_id: block }, owner.token);
    expect(revoked.status).toBe(204);
    expect((await ingest(first ?? '')).status).toBe(403);
    expect((await ingest(grandchild)).status).toBe(403);
    expect((await ingest(second ?? '')).status).toBe(201);
    expect((await ingest(biscuit)).status).toBe(201);
  });
});

describe('a restricted token', () => {
  const made = async (restrictions: object) => {
    const { token_id: tokenId } = await create();
    const answer = await service.post(`/service_token/${tokenId}/attenuate`, restrictions, owner.token);
    expect(answer.status, answer.text).toBe(201);
    return String(answer.json.biscuit);
  };

  it('neither shows nor makes a credential that is not restricted', async () => {
    const { token_id: tokenId, biscuit } = await create();
    const soon = attenuate(biscuit, { expiresAt: new Date(Date.now() + 60_000) });
    expect((await service.get(`/applications/${applicationId}`, soon)).status).toBe(200);
    const organization = { organization_id: owner.organizationId };
    const invite = `/organizations/${owner.organizationId}/invite`;
    const answers = await Promise.all([
      service.get(`/service_token/${tokenId}`, soon),
      service.get(`/service_token?organization_id=${owner.organizationId}`, soon),
      service.put(`/service_token/${tokenId}`, { name: 'shown' }, soon),
      service.post(`/service_token/${tokenId}/attenuate`, { actions: ['event:list'] }, soon),
      service.post('/service_token', { ...organization, name: 'mine' }, soon),
      service.get(`/application_secrets?application_id=${applicationId}`, soon),
      service.post('/application_secrets', { application_id: applicationId, name: 'mine' }, soon),
      service.post(invite, { email: 'mine@example.com', role: 'editor' }, soon),
    ]);
    expect(answers.map(({ status, json }) => `${status} ${json.id}`)).toEqual(answers.map(() => '403 Forbidden'));
    expect((await service.get(`/service_token/${tokenId}`, biscuit)).json.biscuit).toBe(biscuit);
  });

  it('opens one application', async () => {
    const token = await made({ application_id: applicationId });
    expect((await ingest(token)).status).toBe(201);
    expect((await ingest(token, other)).json.id).toBe('Forbidden');
    expect((await service.get(`/applications/${other}`, token)).status).toBe(403);
    expect((await service.get(`/service_token?organization_id=${owner.organizationId}`, token)).status).toBe(403);
  });

  it('takes no action that there is not, and names the nearest', async () => {
    const { token_id: tokenId, biscuit } = await create();
    const wrong = { actions: ['event:get', 'event:injest'] };
    const refused = await service.post(`/service_token/${tokenId}/attenuate`, wrong, owner.token);
    expect(refused).toMatchObject({
      status: 422,
      json: {
        id: 'Validation',
        validation: {
          'actions.1': [
            { message: expect.stringContaining('"event:injest" is no action; the nearest is event:ingest') },
          ],
        },
      },
    });
    const question = await service.post(
      '/service_token/check',
      { organization_id: owner.organizationId, biscuit, action: 'event:injest' },
      owner.token,
    );
    expect(question).toMatchObject({ status: 422, json: { validation: { action: [{}] } } });
  });

  it('does some actions, on some event types and labels', async () => {
    const token = await made({ actions: ['event:ingest'], event_types: ['order.paid'], labels: { region: 'eu' } });
    expect((await ingest(token, applicationId, { labels: { region: 'eu', x: 'y' } })).status).toBe(201);
    expect((await ingest(token, applicationId, { labels: { region: 'us' } })).status).toBe(403);
    expect((await ingest(token)).status).toBe(403);
    const wrongType = { event_type: 'user.created', labels: { region: 'eu' } };
    expect((await ingest(token, applicationId, wrongType)).status).toBe(403);
    expect((await service.get(`/events?application_id=${applicationId}`, token)).status).toBe(403);
  });

  it('expires, and takes checks of its own', async () => {
    const past = await made({ expires_at: new Date(Date.now() - 1_000).toISOString() });
    expect((await ingest(past)).status).toBe(403);
    const free = await made({ datalog: 'check if action($a), $a.starts_with("event:");' });
    expect((await ingest(free)).status).toBe(201);
    expect((await service.get(`/applications/${applicationId}`, free)).status).toBe(403);
    const { token_id: tokenId } = await create();
    const hostile = await service.post(
      `/service_token/${tokenId}/attenuate`,
      { datalog: 'right($a) <- action($a);' },
      owner.token,
    );
    expect([hostile.status, hostile.json.id]).toEqual([422, 'Validation']);
  });

  it('can be asked what it may do, and looked into', async () => {
    const token = await made({ application_id: applicationId, actions: ['event:ingest'] });
    const ask = async (action: string, application: string) => {
      const body = { organization_id: owner.organizationId, biscuit: token, action, application_id: application };
      return (await service.post('/service_token/check', body, owner.token)).json.is_allowed;
    };
    expect(await ask('event:ingest', applicationId)).toBe(true);
    expect(await ask('event:ingest', other)).toBe(false);
    expect(await ask('subscription:create', applicationId)).toBe(false);
    const { json } = await service.post('/service_token/inspect', { biscuit: token }, owner.token);
    expect(json).toMatchObject({ kind: 'service_access', is_sealed: false, is_genuine: true, is_live: true });
    expect(json.blocks).toHaveLength(2);
    expect(json.blocks[1].datalog).toContain(applicationId);
  });

  it('is not said to be refused while the database is away', async () => {
    const { biscuit } = await create();
    const asking = vi.spyOn(service.service.node.core.queryPool, 'query');
    const away = () => asking.mockRejectedValueOnce(new Error('away') as never);
    away();
    const question = { organization_id: owner.organizationId, biscuit, action: 'event:ingest' };
    expect((await service.post('/service_token/check', question)).status).toBe(500);
    away();
    expect((await service.post('/service_token/inspect', { biscuit })).status).toBe(500);
    asking.mockRestore();
    expect((await service.post('/service_token/check', question)).json).toMatchObject({ is_allowed: true });
  });
});

describe('what the library that reads Datalog is asked for', () => {
  it('is nothing for a token that the gate refuses: any token may ask, and its memory never shrinks', async () => {
    const { biscuit } = await create();
    const builder = new BlockBuilder();
    builder.addCode('f(1); g($x) <- f($x)');
    const refused = withCopy(openEnvelope(biscuit), (copy) => copy.appendBlock(builder).toBase64());
    const { json } = await service.post('/service_token/inspect', { biscuit: refused }, owner.token);
    expect(json.blocks).toMatchObject([{ datalog: null }, { datalog: null }]);
    expect(inspect(refused).blocks[1]?.source).toContain('g($x) <- f($x)');
  });

  it('is sixty attenuations a minute for an organization', async () => {
    const { token_id: tokenId } = await create();
    const attenuated = () =>
      service.post(`/service_token/${tokenId}/attenuate`, { actions: ['event:ingest'] }, owner.token);
    const answers = await Promise.all(Array.from({ length: 120 }, attenuated));
    const statuses = new Set(answers.map(({ status }) => status));
    expect([...statuses].sort()).toEqual([201, 429]);
  });
});
