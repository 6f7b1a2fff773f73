import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LIMITS } from '#src/api/graphql/limits.ts';
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
  expect(examples).toHaveLength(5);
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

it('names every limit with its number', () => {
  for (const [name, number] of Object.entries(LIMITS)) {
    expect(DOCUMENT).toContain(`\`${name}\``);
    expect(DOCUMENT).toMatch(new RegExp(`\\b${number.toLocaleString('en')}\\b`));
  }
});
