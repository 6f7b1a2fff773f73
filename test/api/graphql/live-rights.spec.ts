import { afterAll, beforeAll, expect, it } from 'vitest';
import { attenuate } from '#src/tokens/attenuate.ts';
import { eventually } from '#test/support/eventually.ts';
import { openSocket } from '#test/support/live.ts';
import { type PeopleService, type Person, startPeopleService } from '#test/support/people.ts';

let service: PeopleService;
let owner: Person;
let applicationId: string;
beforeAll(async () => {
  service = await startPeopleService();
  owner = await service.person('Olive');
  const { json } = await service.post(
    '/applications',
    { organization_id: owner.organizationId, name: 'Shop' },
    owner.token,
  );
  applicationId = String(json.application_id);
  await service.post('/event_types', { application_id: applicationId, name: 'order.paid' }, owner.token);
});
afterAll(() => service.stop());

const ingest = () =>
  service.post('/event', { application_id: applicationId, event_type: 'order.paid', payload: '{}' }, owner.token);
const watchEvents = (id: string) => ({
  id,
  type: 'subscribe',
  payload: { query: `subscription { events(applicationId: "${applicationId}") { items { id } } }` },
});

/** A socket that has seen an event with this token. */
const watching = async (token: string) => {
  const live = await openSocket(service.address);
  live.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
  await eventually(() => expect(live.messages).toHaveLength(1));
  live.send(watchEvents('1'));
  await eventually(async () => {
    await ingest();
    expect(live.messages.filter(({ type }) => type === 'next')).not.toEqual([]);
  });
  return live;
};
type Live = Awaited<ReturnType<typeof watching>>;

/** Nothing more comes once a subscription was refused: not of it, and not of another of the same socket. */
const expectBlind = async (live: Live, problem: string): Promise<void> => {
  const refusalOf = (id: string) => live.messages.find((message) => message.id === id && message.type === 'error');
  await eventually(() => expect(refusalOf('1')?.payload[0].extensions.id).toBe(problem));
  const seen = live.messages.length;
  live.send(watchEvents('2'));
  await eventually(() => expect(refusalOf('2')?.payload[0].extensions.id).toBe(problem));
  expect((await ingest()).status).toBe(201);
  expect(live.messages.slice(seen).filter(({ type }) => type === 'next')).toEqual([]);
  live.socket.close();
};

it('whoever is removed from an organization sees nothing more of it, though the session goes on', async () => {
  const guest = await service.person('Gustav');
  const path = `/organizations/${owner.organizationId}/invite`;
  await service.post(path, { email: guest.email, role: 'viewer' }, owner.token);
  const live = await watching(guest.token);
  const removed = await service.call(path, { method: 'DELETE', body: { user_id: guest.userId }, token: owner.token });
  expect(removed.status).toBe(200);
  await expectBlind(live, 'NotFound');
  expect((await service.get('/auth/me', guest.token)).status).toBe(200);
});

it('a token that was restricted to a time sees nothing after it', async () => {
  const { json } = await service.post(
    '/service_token',
    { organization_id: owner.organizationId, name: 'live' },
    owner.token,
  );
  const token = attenuate(String(json.biscuit), { expiresAt: new Date(Date.now() + 5_000) });
  await expectBlind(await watching(token), 'Forbidden');
});
