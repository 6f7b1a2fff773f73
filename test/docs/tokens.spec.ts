import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACTIONS } from '#src/domain/access/actions.ts';
import { attenuate } from '#src/tokens/attenuate.ts';
import { LIMITS } from '#src/tokens/limits.ts';
import type { TokenRequest } from '#src/tokens/vocabulary.ts';
import { APPLICATION, ingest, NOW, serviceToken, tokens } from '../tokens/support.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const page = readFileSync(join(ROOT, 'docs', 'tokens.md'), 'utf8');
const service = serviceToken();

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'posthorn-tokens-doc-'));
  await writeFile(join(directory, 'service.token'), service);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const run = async (name: string): Promise<string> => {
  const block = new RegExp(`<!-- test: ${name} -->\\n\`\`\`sh\\n([\\s\\S]*?)\`\`\``).exec(page)?.[1];
  if (block === undefined) throw new Error(`docs/tokens.md has lost its block ${name}.`);
  const prelude = 'set -eu\nnpx() { shift; "$NODE" --disable-warning=ExperimentalWarning "$ROOT/src/main.ts" "$@"; }\n';
  const env = { PATH: process.env.PATH, NODE: process.execPath, ROOT };
  const { stdout, stderr } = await promisify(execFile)('sh', ['-c', prelude + block], { cwd: directory, env });
  expect(stderr).toBe('');
  return stdout;
};

const isAllowed = (token: string, request: Partial<TokenRequest>): boolean =>
  tokens.permits(tokens.verify(token, NOW), { ...ingest, ...request }).allowed;
const made = async (name: string): Promise<string> => (await readFile(join(directory, name), 'utf8')).trim();

it("restricts by the page's very commands", async () => {
  expect(await run('attenuate')).toContain(`check if application_id("${APPLICATION}");`);
  expect(await run('again')).toBe('');
  const [shop, orders, readonly] = [await made('shop.token'), await made('orders.token'), await made('readonly.token')];
  expect(isAllowed(shop, { eventTypeNames: ['user.made'] })).toBe(true);
  expect(isAllowed(shop, { action: 'application:list', applicationId: undefined })).toBe(false);
  expect(isAllowed(orders, { eventTypeNames: ['order.sent'] })).toBe(true);
  expect(isAllowed(orders, { eventTypeNames: ['user.made'] })).toBe(false);
  expect(isAllowed(orders, { applicationId: 'another' })).toBe(false);
  expect(isAllowed(readonly, { action: 'event:get', allowedRoles: ['editor', 'viewer'] })).toBe(true);
  expect(isAllowed(readonly, {})).toBe(false);
});

describe('the checks of the page', () => {
  const checks = [...page.matchAll(/```datalog\n([\s\S]*?)```/g)].map(([, datalog = '']) =>
    attenuate(service, { datalog }),
  );
  const office = new Date('2026-03-02T12:00:00Z');
  const requests: [Partial<TokenRequest>, Partial<TokenRequest>][] = [
    [{}, { applicationId: 'another' }],
    [{ action: 'event:get', now: office }, { action: 'event:get' }],
    [{ action: 'subscription:edit' }, { action: 'subscription:edit', labels: { shop: 'rome' } }],
  ];

  it('are these', () => expect(checks).toHaveLength(requests.length));

  it.each(requests)('allow %j and refuse %j', (allowed, refused) => {
    const token = checks[requests.findIndex(([request]) => request === allowed)] ?? '';
    expect(isAllowed(token, allowed)).toBe(true);
    expect(isAllowed(token, refused)).toBe(false);
  });
});

it('names the actions that are', () => {
  const [, table = ''] = /\| About \| Actions \|\n\| --- \| --- \|\n([\s\S]*?)\n\n/.exec(page) ?? [];
  const told = table.split('\n').flatMap((row) => {
    const [subject = '', ...verbs] = [...row.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word);
    return verbs.map((verb) => `${subject}${verb}`);
  });
  expect(told).toEqual(ACTIONS);
});

it('names the limits that are', () => {
  const { base64Characters, blocks, blockQueries, queryPredicates, predicateTerms, queryExpressions, steps } = LIMITS;
  const { blockOperations, blockElements, nesting, blockSourceCharacters } = LIMITS;
  const [, table = ''] = /\| What \| At most \|\n\| --- \| --- \|\n([\s\S]*?)\n\n/.exec(page) ?? [];
  const figures = table.split('\n').map((row) => Number(row.split('|').at(-2)?.replaceAll(',', '')));
  expect(figures).toEqual([
    base64Characters,
    blocks,
    blockQueries,
    queryPredicates,
    predicateTerms,
    queryExpressions,
    blockOperations,
    blockElements,
    nesting,
    blockSourceCharacters,
    steps,
  ]);
});
