import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSchema, GraphQLError, type GraphQLSchema, parse, validate } from 'graphql';
import type { Plugin } from 'vite';

const SOURCES = join(import.meta.dirname, '../src');
const SCHEMA = join(import.meta.dirname, '../../src/api/graphql/schema.graphql');
/** A document as `graphql.ts` makes them, with the fragments it is given. */
const DOCUMENT = /\bgraphql\(\s*`([^`]*)`(?:,\s*\[([^\]]*)\])?/g;
const NAMED = /const (\w+) = graphql\(\s*`([^`]*)`/g;

export type Finding = { readonly file: string; readonly message: string };

/** What the GraphQL documents of the dashboard ask for that the schema does not have. */
export const findDocumentFaults = (
  sources: readonly { readonly file: string; readonly text: string }[],
  schema: GraphQLSchema = buildSchema(readFileSync(SCHEMA, 'utf8')),
): Finding[] => {
  const fragments = new Map<string, string>();
  for (const { text } of sources)
    for (const [, name, body] of text.matchAll(NAMED)) fragments.set(name ?? '', body ?? '');
  const withFragments = (body: string, names: string): string => {
    const wanted = names
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean);
    return [body, ...wanted.map((name) => fragments.get(name) ?? '')].join('\n');
  };
  return sources.flatMap(({ file, text }) =>
    [...text.matchAll(DOCUMENT)].flatMap(([, body = '', names = '']) => {
      try {
        const document = parse(withFragments(body, names));
        return (
          validate(schema, document)
            // A fragment is checked where it is defined, without the operation that uses it.
            .filter(({ message }) => !/^Fragment ".*" is never used/.test(message))
            .map(({ message }) => ({ file, message }))
        );
      } catch (error) {
        return [{ file, message: error instanceof GraphQLError ? error.message : String(error) }];
      }
    }),
  );
};

/** Fails the build when a query asks for what the API does not have. */
export const checkDocuments = (): Plugin => ({
  name: 'check-documents',
  buildStart() {
    const files = globSync('**/*.{ts,svelte}', { cwd: SOURCES });
    const sources = files.map((file) => ({ file, text: readFileSync(join(SOURCES, file), 'utf8') }));
    const faults = findDocumentFaults(sources);
    if (faults.length > 0) this.error(faults.map(({ file, message }) => `web/src/${file}: ${message}`).join('\n'));
  },
});
