import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestService, type TestService } from '../support/service.ts';

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service.stop());

/** Each `get <path> -d a=b …` of the page. */
const requests = (): { path: string; parameters: [string, string][] }[] =>
  [...readFileSync(new URL('../../docs/history.md', import.meta.url), 'utf8').matchAll(/^get (?!\()(\S+)(.*)$/gm)].map(
    ([, path = '', rest = '']) => ({
      path,
      parameters: [...rest.matchAll(/(?:-d|--data-urlencode) ([a-z_]+)=(\S+)/g)].map(([, name = '', value = '']) => [
        name,
        value,
      ]),
    }),
  );

it('shows requests that the API takes', async () => {
  const tenant = await service.tenant('order.paid');
  const { applicationId } = tenant;
  const created = await service.post('/subscriptions', {
    application_id: applicationId,
    is_enabled: true,
    event_types: ['order.paid'],
    labels: {},
    target: { type: 'http', method: 'POST', url: 'https://example.org/' },
  });
  const event = { application_id: applicationId, event_type: 'order.paid', payload: '{}', labels: { only: 'here' } };
  const { json } = await service.post('/event', event);
  await service.post(`/events/${json.event_id}/replay`, { application_id: applicationId });
  const history = await service.get(`/subscriptions/${created.json.subscription_id}/history`);
  const variables: Record<string, string> = {
    $APP: applicationId,
    $EVENT: json.event_id,
    $SUBSCRIPTION: created.json.subscription_id,
    '3:1207': history.json[0].position,
    // The examples' instants lie before this application: it is not there then.
    '2026-03-01T10:00:00+01:00': history.json[0].at,
    '2026-03-01T10:00:00Z': history.json[0].at,
  };
  const filled = (text: string): string =>
    Object.entries(variables).reduce((all, [name, value]) => all.replaceAll(name, value), text);
  expect(requests().length).toBeGreaterThan(7);
  for (const { path, parameters } of requests()) {
    const query = new URLSearchParams(parameters.map(([name, value]): [string, string] => [name, filled(value)]));
    const answer = await service.get(`/${filled(path)}?${query}`);
    expect(answer.status, `${path} ${query} ${answer.text}`).toBe(200);
  }
});
