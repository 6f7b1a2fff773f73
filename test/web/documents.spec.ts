import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { findDocumentFaults } from '../../web/build/check-documents.ts';

const SOURCES = join(import.meta.dirname, '../../web/src');
const DIST = join(import.meta.dirname, '../../web/dist');
const sources = globSync('**/*.{ts,svelte}', { cwd: SOURCES }).map((file) => ({
  file,
  text: readFileSync(join(SOURCES, file), 'utf8'),
}));

describe("the dashboard's queries", () => {
  it('ask for nothing that the API does not have', () => {
    expect(sources.filter(({ text }) => /\bgraphql\(\s*`/.test(text)).length).toBeGreaterThan(5);
    expect(findDocumentFaults(sources)).toEqual([]);
  });

  it('fail the build when one asks for an unknown field, argument or type', () => {
    const planted = [
      'graphql(`query { viewer { kindd } }`)',
      'graphql(`query ($id: UUID!) { application(id: $id, asof: "x") { id } }`)',
      'graphql(`mutation { deleteEverything { id } }`)',
      'graphql(`subscription { events { items { payload } } }`)',
      'graphql(`query { viewer { kind }`)',
    ];
    for (const text of planted) expect(findDocumentFaults([{ file: 'planted.ts', text }])).toHaveLength(1);
  });
});

type Chunk = {
  readonly file: string;
  readonly css?: string[];
  readonly imports?: string[];
  readonly isEntry?: boolean;
  readonly isDynamicEntry?: boolean;
};

describe('the built dashboard', () => {
  const manifest = JSON.parse(readFileSync(join(DIST, '.vite/manifest.json'), 'utf8')) as Record<string, Chunk>;
  const gzipped = (file: string): number => gzipSync(readFileSync(join(DIST, file)), { level: 9 }).length;
  const filesOf = (name: string, seen = new Set<string>()): Set<string> => {
    const chunk = manifest[name];
    if (!chunk || seen.has(chunk.file)) return seen;
    seen.add(chunk.file);
    for (const style of chunk.css ?? []) seen.add(style);
    for (const other of chunk.imports ?? []) filesOf(other, seen);
    return seen;
  };
  const entry = Object.keys(manifest).find((name) => manifest[name]?.isEntry) ?? '';
  const first = filesOf(entry);
  const KIB = 1024;

  it('begins with at most 90 KiB of scripts and styles', () => {
    expect([...first].reduce((sum, file) => sum + gzipped(file), 0)).toBeLessThanOrEqual(90 * KIB);
  });

  it('adds at most 110 KiB for any page', () => {
    const pages = Object.keys(manifest).filter((name) => manifest[name]?.isDynamicEntry);
    expect(pages.length).toBeGreaterThan(5);
    for (const page of pages) {
      const own = [...filesOf(page)].filter((file) => !first.has(file));
      expect(
        own.reduce((sum, file) => sum + gzipped(file), 0),
        page,
      ).toBeLessThanOrEqual(110 * KIB);
    }
  });

  it('brings at most two fonts of 75 KiB together', () => {
    const fonts = globSync('assets/*.woff2', { cwd: DIST });
    expect(fonts.length).toBeLessThanOrEqual(2);
    expect(fonts.reduce((sum, file) => sum + readFileSync(join(DIST, file)).length, 0)).toBeLessThanOrEqual(75 * KIB);
  });
});
