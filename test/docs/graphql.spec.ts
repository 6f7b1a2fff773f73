import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LIMITS } from '#src/api/graphql/limits.ts';
import { eventually } from '../support/eventually.ts';
import { startTestService, type TestService } from '../support/service.ts';

const DOCUMENT = readFileSync(new URL('../../docs/graphql.md', import.meta.url), 'utf8');

let service: TestService;
beforeAll(async () => {
  service = await startTestService();
});
afterAll(() => service.stop());

/** What stands in the place of a value, so that ids and instants may differ. */
const shapeOf = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shapeOf(inner)]));
};

it('answers the examples as they are shown', async () => {
  const { secret } = await service.tenant('order.paid');
  const examples = [...DOCUMENT.matchAll(/<!-- test: graphql -->\n```sh\n([\s\S]*?)```\n\n```json\n([\s\S]*?)```/g)];
  expect(examples).toHaveLength(7);
  for (const [, command = '', shown = ''] of examples) {
    const { stdout } = await promisify(execFile)(
      'sh',
      ['-c', command.replaceAll('http://127.0.0.1:8080', service.address)],
      { env: { ...process.env, TOKEN: secret } },
    );
    const answered = JSON.parse(stdout);
    expect(shapeOf(answered)).toEqual(shapeOf(JSON.parse(shown)));
    expect(answered.errors?.[0].extensions.id).toBe(JSON.parse(shown).errors?.[0].extensions.id);
  }
});

it('watches as the example for it does', async () => {
  const tenant = await service.tenant('order.paid');
  await service.post('/subscriptions', {
    application_id: tenant.applicationId,
    is_enabled: true,
    event_types: ['order.paid'],
    labels: {},
    target: { type: 'http', method: 'POST', url: 'https://example.invalid/' },
  });
  const [, example = ''] = /<!-- test: live -->\n```js\n([\s\S]*?)```/.exec(DOCUMENT) ?? [];
  const address = service.address.replace('http', 'ws');
  const watching = spawn(
    process.execPath,
    ['--input-type=module', '--eval', example.replace('ws://127.0.0.1:8080', address)],
    { cwd: new URL('../..', import.meta.url), env: { ...process.env, TOKEN: tenant.secret } },
  );
  let seen = '';
  for (const stream of [watching.stdout, watching.stderr]) stream.on('data', (text) => (seen += text));
  try {
    await eventually(() => expect(seen).toContain('watching'), { timeout: 10_000, interval: 50 });
    await service.post('/event', {
      application_id: tenant.applicationId,
      event_type: 'order.paid',
      payload: '{}',
      labels: {},
    });
    await eventually(() => expect(seen).toMatch(/"status":"PENDING".*\n.*"status":"FAILED"/));
  } finally {
    watching.kill();
  }
});

it('names every limit with its number', () => {
  for (const [name, number] of Object.entries(LIMITS)) {
    expect(DOCUMENT).toContain(`\`${name}\``);
    expect(DOCUMENT).toMatch(new RegExp(`\\b${number.toLocaleString('en')}\\b`));
  }
});
