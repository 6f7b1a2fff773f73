import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { configurationReference } from '#src/config/reference.ts';

it('has the reference page that its schema gives', () => {
  const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
  expect(page, 'run `npx posthorn config --reference > docs/configuration.md`').toBe(configurationReference());
});
