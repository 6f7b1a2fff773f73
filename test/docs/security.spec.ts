import { globSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const ROOT = new URL('../../', import.meta.url);

it('names tests that exist', () => {
  const page = readFileSync(new URL('docs/security.md', ROOT), 'utf8');
  const named = [...new Set([...page.matchAll(/`(test\/[^`]*)`/g)].map(([, path = '']) => path))];
  expect(named.length).toBeGreaterThan(20);
  const missing = named.filter((path) => globSync(path.replace(/\/$/, ''), { cwd: ROOT.pathname }).length === 0);
  expect(missing).toEqual([]);
});
