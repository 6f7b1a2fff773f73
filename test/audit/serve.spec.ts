import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { databaseSource } from '#src/audit/database-source.ts';
import { replayLog } from '#src/audit/replay.ts';
import { runCommand } from '#src/cli/run.ts';
import { openTestLog, type TestLog } from '#test/support/builders.ts';
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '#test/support/database.ts';
import { fillLog } from './support.ts';

let source: TestDatabase;
let target: TestDatabase;
let log: TestLog;
beforeAll(async () => {
  source = await createTestDatabase();
  target = await createEmptyDatabase();
  log = await openTestLog(source.url);
  await fillLog(log, 3);
  await replayLog({ source: await databaseSource(log.pool), targetUrl: target.url });
});
afterAll(async () => {
  await log.stop();
  await source.drop();
  await target.drop();
});

it.each(['api,worker,projector', 'api', 'worker', 'projector'])('%s does not run on a replayed log', async (roles) => {
  const err: string[] = [];
  const code = await runCommand(['serve'], {
    env: {
      DATABASE_URL: target.url,
      PORT: '0',
      POSTHORN_ROLES: roles,
      POSTHORN_LOG_LEVEL: 'silent',
      POSTHORN_MASTER_KEY: randomUUID(),
      POSTHORN_BISCUIT_PRIVATE_KEYS: `one:${randomBytes(32).toString('hex')}`,
      POSTHORN_ENCRYPTION_KEYS: `one:${randomBytes(32).toString('base64')}`,
    },
    version: '1.2.3',
    out: () => undefined,
    err: (text) => err.push(text),
    isTerminal: false,
  });
  expect(code).toBe(1);
  expect(err.join('')).toMatch(/^posthorn: This database holds a log replayed for an audit: no process runs on it/);
});
