import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rolesFor } from '#src/api/auth/authorize.ts';
import { ACTIONS, type Action } from '#src/domain/access/actions.ts';
import { attenuate } from '#src/tokens/attenuate.ts';
import { ask, askData } from '#test/support/graphql.ts';
import { type PeopleService, type Person, startPeopleService } from '#test/support/people.ts';

let service: PeopleService;
let owner: Person;
let applicationId: string;
let token: string;
beforeAll(async () => {
  service = await startPeopleService();
  owner = await service.person('Rosa');
  const { organizationId } = owner;
  const made = await service.post('/applications', { organization_id: organizationId, name: 'Shop' }, owner.token);
  applicationId = made.json.application_id;
  token = (await service.post('/service_token', { organization_id: organizationId, name: 'ci' }, owner.token)).json
    .biscuit;
});
afterAll(() => service.stop());

const QUERY = `query ($actions: [String!]!, $organizationId: UUID, $applicationId: UUID) {
  viewer { may(actions: $actions, organizationId: $organizationId, applicationId: $applicationId) }
}`;
const may = async (
  bearer: string,
  place: { organizationId?: string; applicationId?: string },
  actions: readonly string[] = ACTIONS,
): Promise<string[]> => (await askData(service, QUERY, { actions, ...place }, bearer)).viewer.may;
const here = () => ({ organizationId: owner.organizationId, applicationId });

describe('what a token may do', () => {
  it('follows the role of a person', async () => {
    const viewer = await service.person('Vito');
    const invited = { email: viewer.email, role: 'viewer' };
    await service.post(`/organizations/${owner.organizationId}/invite`, invited, owner.token);
    for (const [{ token: bearer }, role] of [
      [owner, 'owner'],
      [viewer, 'viewer'],
    ] as const)
      expect(await may(bearer, { applicationId })).toEqual(
        ACTIONS.filter((action) => action === 'organization:create' || rolesFor(action).includes(role)),
      );
  });

  it('is everything for the master key, and nothing above its application for a secret', async () => {
    expect(await may(service.masterKey, here())).toEqual(ACTIONS);
    const secrets = await service.get(`/application_secrets?application_id=${applicationId}`, owner.token);
    const { token: secret } = secrets.json[0];
    const open = await may(secret, here());
    expect(open).toEqual(expect.arrayContaining(['event:ingest', 'subscription:create', 'application:edit']));
    expect(open).not.toContain('application:delete');
    expect(open).not.toContain('service_token:list');
  });

  it('is what a restricted token passes, where the restriction is about what comes with a request as well', async () => {
    const only = (restrictions: Parameters<typeof attenuate>[1]) => may(attenuate(token, restrictions), here());
    const some: Action[] = ['event:list', 'event:get'];
    expect(await only({ actions: some })).toEqual(some);
    const inside = await only({ applicationId });
    expect(inside).toEqual(expect.arrayContaining(['event:ingest', 'subscription:delete', 'application:delete']));
    expect(inside.filter((action) => /^(organization|member|service_token):/.test(action))).toEqual([]);
    expect(await only({ applicationId: owner.organizationId })).toEqual([]);
    expect(await only({ eventTypes: ['order.paid'], labels: { shop: 'berlin' } })).toEqual(['event:ingest']);
    expect(await only({ subscriptionIds: [applicationId] })).toEqual([
      'subscription:get',
      'subscription:edit',
      'subscription:delete',
    ]);
    expect(await only({ datalog: 'check if action($a), $a.starts_with("dead_letter:")' })).toEqual([
      'dead_letter:list',
      'dead_letter:replay',
    ]);
  });

  it('is the same of what belongs to somebody else as of what does not exist', async () => {
    const stranger = await service.person('Mallory');
    const unknown = '00000000-0000-7000-8000-000000000000';
    for (const place of [{ applicationId: unknown }, { organizationId: unknown }, { applicationId }, here()])
      expect(await may(stranger.token, place)).toEqual(['organization:list', 'organization:create']);
    expect(await may(owner.token, here(), ['event:dance', 'event:get'])).toEqual(['event:get']);
    const { errors } = await ask(service, QUERY, { actions: Array(101).fill('event:get') });
    expect(errors).toMatchObject([{ extensions: { id: 'GraphqlValidation' } }]);
  });
});
