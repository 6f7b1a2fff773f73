import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from '../bench/support/tenant.ts';
import { progressBar } from '../src/cli/progress.ts';
import { loadConfig } from '../src/config/load.ts';
import { listProjections } from '../src/projections/maintenance.ts';
import { openDatabase, prepareDatabase } from '../src/runtime/open-database.ts';
import { type Service, startService } from '../src/runtime/service.ts';
import { type Shop, writeHistory } from './history.ts';
import { BROKEN, eventOf, HISTORY_MS, rateAt } from './story.ts';

const out = (text: string): void => void process.stdout.write(`${text}\n`);
const err = (text: string): void => void process.stderr.write(text);

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());

const LAG_MAX = 200;

/** Until the read models have the hour, but for what the worker adds meanwhile. */
const catchUp = async ({ node }: Service): Promise<void> => {
  for (;;) {
    const projections = await listProjections(node.core.queryPool);
    if (projections.reduce((sum, { lag }) => sum + lag, 0) <= LAG_MAX) return;
    await delay(100, undefined, { signal: stopping.signal });
  }
};

/** Events go on as the hour before ended, until the demo is stopped. */
const goOn = async ({ address }: Service, { applicationId, secret }: Shop): Promise<void> => {
  const { call } = createClient(`${address}/api/v1`, secret);
  while (!stopping.signal.aborted) {
    await call('POST', '/event', eventOf(applicationId, Math.random, new Date()));
    const waitMs = (2 * Math.random() * 1_000) / rateAt(1);
    await delay(waitMs, undefined, { signal: stopping.signal }).catch(() => undefined);
  }
};

const welcome = (address: string, masterKey: string, { applicationId, secret }: Shop): string => `
  The shop is open: an hour of traffic lies behind it, and more comes in. "${BROKEN}" has been failing for 20 minutes.

  Dashboard           ${address}/${applicationId}/overview
  GraphiQL            ${address}/graphiql
  API reference       ${address}/docs
  Sign in with        ${secret}   (this application)
  or the master key   ${masterKey}   (everything)

  Try:

    curl -s '${address}/api/v1/traffic?application_id=${applicationId}&buckets=12' -H 'Authorization: Bearer ${secret}'

  Stop with Ctrl-C; nothing is kept.`;

const directory = await mkdtemp(join(tmpdir(), 'posthorn-demo-'));
await chmod(directory, 0o711); // The server runs as another user when we are root.
const config = loadConfig({
  ...process.env,
  POSTHORN_DATA_DIR: directory,
  DATABASE_URL: '',
  POSTHORN_ROLES: 'api,worker,projector',
  POSTHORN_BUILT_IN_RECEIVER: 'on',
  POSTHORN_LOG_LEVEL: 'error',
});
out('Starting Posthorn with a database of its own ...');
const database = await openDatabase(config, { log: () => undefined });
try {
  const { url, secrets, isAlone } = database;
  const { partitions } = await prepareDatabase(url, config, () => undefined);
  const writing = progressBar({ err, isTerminal: process.stderr.isTTY === true }, 'an hour of traffic');
  const shop = await writeHistory(
    { config, secrets, url, partitions },
    {
      onProgress: (share) => {
        stopping.signal.throwIfAborted();
        writing.update(Math.round((share * HISTORY_MS) / 60_000), HISTORY_MS / 60_000);
      },
    },
  );
  writing.end();
  const service = await startService({ config, secrets, url, partitions, isAlone, version: 'demo' });
  try {
    await catchUp(service);
    out(welcome(service.address ?? '', secrets.masterKey, shop));
    await goOn(service, shop);
  } finally {
    await service.stop();
  }
} catch (error) {
  if (!stopping.signal.aborted) throw error; // Told to stop while the history was made.
} finally {
  await database.stop();
  await rm(directory, { recursive: true, force: true });
}
