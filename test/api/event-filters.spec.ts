import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '#test/support/eventually.ts';
import { startTestService, type Tenant, type TestService } from '#test/support/service.ts';

let service: TestService;
let tenant: Tenant;
beforeAll(async () => {
  service = await startTestService();
  tenant = await service.tenant('order.paid', 'order.sent');
});
afterAll(() => service.stop());

it('a list of events is narrowed down to one by its id, together with the other filters', async () => {
  const ids = await Promise.all(
    Array.from({ length: 7 }, async (_, index) => {
      const body = {
        event_type: index % 2 === 0 ? 'order.paid' : 'order.sent',
        payload: {},
        labels: { n: `${index}` },
      };
      return String((await service.post('/event', body, tenant.secret)).json.event_id);
    }),
  );
  const list = async (query: string): Promise<string[]> =>
    (await service.get(`/events?${query}`, tenant.secret)).json.map((event: { event_id: string }) => event.event_id);
  await eventually(async () => expect(await list('')).toHaveLength(7));
  for (const [index, id] of ids.entries()) {
    expect(await list(`event_id=${id}`)).toEqual([id]);
    expect(await list(`event_id=${id}&event_type=order.paid`)).toEqual(index % 2 === 0 ? [id] : []);
    expect(await list(`event_id=${id}&labels=n:${index}`)).toEqual([id]);
    expect(await list(`event_id=${id}&labels=n:x`)).toEqual([]);
    expect(await list(`event_id=${id}&to=2020-01-01T00:00:00Z`)).toEqual([]);
  }
  const then = encodeURIComponent(new Date().toISOString());
  await eventually(async () => expect(await list(`event_id=${ids[3]}&as_of=${then}`)).toEqual([ids[3]]));
  expect(await list(`event_id=${randomUUID()}`)).toEqual([]);
  expect(await list(`event_id=${ids[0]}&delivery_status=succeeded`)).toEqual([]);
});

it('a next page has the filters of the page before, whatever characters are in them', async () => {
  const { secret } = await service.tenant('order.paid');
  const value = 'what? a&b=c+d #é%';
  const send = (labels: Record<string, string>) =>
    service.post('/event', { event_type: 'order.paid', payload: {}, labels }, secret);
  for (let n = 0; n < 3; n += 1) await send({ q: value });
  for (let n = 0; n < 3; n += 1) await send({ q: 'what' });
  const first = `/events?limit=1&labels=${encodeURIComponent(`q:${value}`).replaceAll('%3F', '?')}`;
  await eventually(async () => expect((await service.get('/events', secret)).json).toHaveLength(6));

  const found: string[] = [];
  for (let path: string | undefined = first; path !== undefined; ) {
    const page = await service.get(path, secret);
    found.push(...page.json.map((event: { labels: { q: string } }) => event.labels.q));
    path = /<[^>]*\/api\/v1([^>]+)>; rel="next"/.exec(String(page.headers.link))?.[1];
  }
  expect(found).toEqual([value, value, value]);
});

it('several labels are asked for together: an event carries all of them, or it is not listed', async () => {
  const { secret } = await service.tenant('order.paid');
  for (const labels of [
    { shop: 'a', till: '1' },
    { shop: 'a', till: '2' },
    { shop: 'b', till: '1' },
  ])
    await service.post('/event', { event_type: 'order.paid', payload: {}, labels }, secret);
  await eventually(async () => expect((await service.get('/events', secret)).json).toHaveLength(3));

  const count = async (...labels: string[]): Promise<number> =>
    (await service.get(`/events?${labels.map((label) => `labels=${label}`).join('&')}`, secret)).json.length;
  expect(await count('shop:a')).toBe(2);
  expect(await count('shop:a', 'shop:a')).toBe(2);
  expect(await count('shop:a', 'till:1')).toBe(1);
  // A label has one value.
  expect(await count('shop:b', 'shop:a')).toBe(0);
  expect(await count('shop:a', 'till:1', 'shop:b')).toBe(0);
});
