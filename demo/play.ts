import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import published from '@octokit/webhooks-examples' with { type: 'json' };
import { createClient } from '../bench/support/tenant.ts';
import { progressBar } from '../src/cli/progress.ts';
import { table } from '../src/cli/table.ts';
import { loadConfig } from '../src/config/load.ts';
import { verifyLog } from '../src/eventstore/verify.ts';
import { openDatabase, prepareDatabase } from '../src/runtime/open-database.ts';
import { startService } from '../src/runtime/service.ts';
import { countPending } from '../src/worklist/pending-delivery.ts';
import { startDemoReceiver } from './receiver.ts';

const HOST = '127.0.0.9';
const RETRY_SCHEDULE = '300ms,600ms,1200ms';
/** Payload examples of one kind of GitHub webhook, as GitHub publishes them. */
type Example = { readonly name: string; readonly examples: readonly { readonly action?: string }[] };

const out = (text: string): void => void process.stdout.write(`${text}\n`);
const err = (text: string): void => void process.stderr.write(text);
const isTerminal = process.stderr.isTTY === true;

const examples = published as unknown as readonly Example[];

/** `check_run.completed`; kinds without an action are `push.sent`, since a type has two parts at least. */
const eventTypeOf = (name: string, { action }: { action?: string }): string => `${name}.${action ?? 'sent'}`;

const directory = await mkdtemp(join(tmpdir(), 'posthorn-demo-'));
await chmod(directory, 0o711); // The server runs as another user when we are root.
const config = loadConfig({
  ...process.env,
  POSTHORN_DATA_DIR: directory,
  DATABASE_URL: '',
  PORT: '0',
  POSTHORN_ALLOW_TARGET_CIDRS: `${HOST}/32`,
  POSTHORN_RETRY_SCHEDULE: RETRY_SCHEDULE,
  POSTHORN_RATE_LIMITS: 'off',
  POSTHORN_LOG_LEVEL: 'error',
});
out('Starting Posthorn with a database of its own and a receiver on this machine ...');
const database = await openDatabase(config, { log: () => undefined });
const { partitions } = await prepareDatabase(database.url, config, () => undefined);
const { url, secrets, isAlone } = database;
const service = await startService({ config, secrets, url, partitions, isAlone, version: 'demo' });
const receiver = await startDemoReceiver(HOST);

try {
  const { call, makeTenant, subscribe } = createClient(`${service.address}/api/v1`, secrets.masterKey);
  const events = examples.flatMap(({ name, examples: payloads }) =>
    payloads.map((payload) => ({ type: eventTypeOf(name, payload), payload })),
  );
  const tenant = await makeTenant([...new Set(events.map(({ type }) => type))]);
  const { applicationId } = tenant;
  const subscriptions = [
    { name: 'everything, healthy', path: '/healthy', types: ['**'], labels: {} },
    { name: 'pull requests and issues, flaky', path: '/flaky', types: ['pull_request.*', 'issues.*'], labels: {} },
    { name: 'check runs, broken', path: '/broken', types: ['check_run.*', 'check_suite.*'], labels: {} },
    { name: 'deployments, gone for good', path: '/gone', types: ['deployment.*', 'deployment_status.*'], labels: {} },
    { name: 'only the team "core"', path: '/healthy', types: ['**'], labels: { team: 'core' } },
  ];
  const ids = new Map<string, string>();
  for (const { name, path, types, labels } of subscriptions) {
    const { subscription_id } = await subscribe(tenant, '**', `${receiver.url}${path}`, {
      event_types: types,
      labels,
      description: name,
    });
    ids.set(subscription_id, name);
  }

  const sending = progressBar({ err, isTerminal }, 'sending   ');
  for (const [index, { type, payload }] of events.entries()) {
    await call('POST', '/event', {
      application_id: applicationId,
      event_type: type,
      payload: JSON.stringify(payload),
      payload_content_type: 'application/json',
      labels: { team: index % 4 === 0 ? 'core' : 'other' },
      occurred_at: new Date().toISOString(),
    });
    sending.update(index + 1, events.length);
  }
  sending.end();

  const settling = progressBar({ err, isTerminal }, 'delivering');
  const scheduled = await countDeliveries();
  for (let open = scheduled; open > 0; ) {
    open = await countOpen();
    settling.update(scheduled - open, scheduled);
    if (open > 0) await new Promise((resolve) => setTimeout(resolve, 100));
  }
  settling.end();

  const rows = await outcomes();
  out('');
  out(
    table([['SUBSCRIPTION', 'DELIVERIES', 'SUCCEEDED', 'RETRIED', 'DEAD-LETTERED', 'CANCELLED', 'REQUESTS'], ...rows]),
  );
  out(
    `\n${events.length} events of GitHub's ${examples.length} kinds, ${receiver.requests()} requests at the receiver.`,
  );
  const verification = await verifyLog(service.node.core.queryPool);
  out(
    verification.faults.length === 0
      ? `The log is sound: ${verification.events} domain events in ${verification.blocks} blocks over ${verification.partitions} partitions.`
      : `The log does NOT verify: ${JSON.stringify(verification.faults)}`,
  );
  process.exitCode = verification.faults.length === 0 ? 0 : 1;

  async function countDeliveries(): Promise<number> {
    const { rows } = await service.node.core.queryPool.query<{ count: number }>(
      `SELECT count(DISTINCT stream_id)::int AS count FROM domain_event WHERE stream_id LIKE 'delivery:%'`,
    );
    return rows[0]?.count ?? 0;
  }
  async function countOpen(): Promise<number> {
    const { pending, waiting } = await countPending(service.node.core.queryPool);
    return pending + waiting;
  }
  /** Told from the log itself, so that no read model has to catch up first. */
  async function outcomes(): Promise<(string | number)[][]> {
    const { rows } = await service.node.core.queryPool.query<{
      subscription_id: string;
      deliveries: number;
      succeeded: number;
      retried: number;
      dead: number;
      cancelled: number;
      requests: number;
    }>(`
      SELECT data->>'subscriptionId' AS subscription_id, count(DISTINCT stream_id)::int AS deliveries,
        count(*) FILTER (WHERE type = 'AttemptSucceeded')::int AS succeeded,
        count(DISTINCT stream_id) FILTER (WHERE type = 'AttemptScheduled' AND data->>'trigger' = 'retry')::int AS retried,
        count(*) FILTER (WHERE type = 'DeliveryDeadLettered')::int AS dead,
        count(*) FILTER (WHERE type = 'DeliveryCancelled')::int AS cancelled,
        count(*) FILTER (WHERE type IN ('AttemptSucceeded', 'AttemptFailed'))::int AS requests
      FROM domain_event WHERE stream_id LIKE 'delivery:%' GROUP BY 1`);
    return [...ids].map(([id, name]) => {
      const row = rows.find(({ subscription_id }) => subscription_id === id);
      return [
        name,
        row?.deliveries ?? 0,
        row?.succeeded ?? 0,
        row?.retried ?? 0,
        row?.dead ?? 0,
        row?.cancelled ?? 0,
        row?.requests ?? 0,
      ];
    });
  }
} finally {
  await receiver.close();
  await service.stop();
  await database.stop();
  await rm(directory, { recursive: true, force: true });
}
