import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { listProjections } from '#src/projections/maintenance.ts';
import { createEmptyDatabase, type TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';
import { startTestService, type TestService } from '#test/support/service.ts';

const ROOT = new URL('../../', import.meta.url).pathname;

let directory: string;
let service: TestService;
let all: TestDatabase;
let march: TestDatabase;
let env: Record<string, string>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'posthorn-audit-doc-'));
  const keys = {
    POSTHORN_BISCUIT_PRIVATE_KEYS: `2026:${randomBytes(32).toString('hex')}`,
    POSTHORN_ENCRYPTION_KEYS: `one:${randomBytes(32).toString('base64')}`,
  };
  service = await startTestService(keys);
  [all, march] = [await createEmptyDatabase(), await createEmptyDatabase()];
  env = { ...keys, DATABASE_URL: service.databaseUrl, POSTHORN_MASTER_KEY: service.masterKey };
  const { applicationId } = await service.tenant('order.paid');
  for (let order = 0; order < 3; order += 1)
    await service.post('/event', { application_id: applicationId, event_type: 'order.paid', payload: { order } });
  const { queryPool } = service.service.node.core;
  await eventually(async () =>
    expect((await listProjections(queryPool)).filter(({ lag }) => lag > 0)).toStrictEqual([]),
  );
});
afterAll(async () => {
  await service.stop();
  await all.drop();
  await march.drop();
  await rm(directory, { recursive: true, force: true });
});

/** A block of the page as a person would paste it, but for the databases, which are there already, and the address. */
const block = (name: string): string => {
  const page = readFileSync(join(ROOT, 'docs', 'audit.md'), 'utf8');
  const text = new RegExp(`<!-- test: ${name} -->\\n\`\`\`sh\\n([\\s\\S]*?)\`\`\``).exec(page)?.[1];
  if (text === undefined) throw new Error(`docs/audit.md has lost its block ${name}.`);
  return text
    .replaceAll('postgres://localhost/audit_march', march.url)
    .replaceAll('postgres://localhost/audit', all.url)
    .replaceAll('http://localhost:8080', service.address);
};

const PRELUDE = `set -eu
npx() { shift; "$NODE" --disable-warning=ExperimentalWarning "$ROOT/src/main.ts" "$@"; }
createdb() { :; }
`;
const run = async (name: string, more: Readonly<Record<string, string>> = env): Promise<string> => {
  const file = join(directory, `${name}.sh`);
  await writeFile(file, `${PRELUDE}${block(name)}`);
  const { DATABASE_URL: _, ...outer } = process.env;
  const options = { cwd: directory, env: { ...outer, NODE: process.execPath, ROOT, ...more } };
  return (await promisify(execFile)('sh', [file], options)).stdout;
};
/** The rows of the first table of digests. */
const digestLines = (output: string): string[] => {
  const lines = output.split('\n');
  const rows = lines.slice(lines.findIndex((line) => line.startsWith('PROJECTION')) + 1);
  const end = rows.findIndex((line) => !/^\w+ +\w+ +\d+ +-?\d+:-?\d+$/.test(line));
  return rows.slice(0, end);
};

it("does an audit by the page's very commands", async () => {
  await run('checkpoint');
  expect(await run('export')).toMatch(/^Exported \d+ domain events and \d+ signed checkpoints to log\.ndjson\.$/m);

  const published = JSON.parse(readFileSync(join(directory, 'posthorn-keys.json'), 'utf8'));
  const { key_id: KEY_ID, public_key: PUBLIC_KEY } = published.keys[0];
  // The auditor has neither the database nor Posthorn's keys.
  const auditor = { KEY_ID, PUBLIC_KEY };
  expect(await run('verify', auditor)).toMatch(/^The export is sound: \d+ domain events .* 2 signed checkpoints\.$/m);

  const replayed = await run('replay', auditor);
  expect(replayed).toMatch(/^Replayed [1-9]\d* domain events up to /m);
  expect(replayed).toMatch(/^Replayed 0 domain events up to /m);
  const digests = digestLines(replayed);
  expect(digests.length).toBeGreaterThanOrEqual(9);
  expect(digests.find((line) => line.startsWith('event '))).toMatch(/^event +event +3 +-?\d+:-?\d+$/);
  expect(digestLines(await run('digests'))).toStrictEqual(digests);
});
