import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { table } from '#src/cli/table.ts';
import { readMetrics } from './metrics.ts';
import { openRig, replying } from './rig.ts';
import { startServer } from './server.ts';

/**
 * Runs one process with every role under a steady load for a long time, with receivers that fail now and then, and watches
 * what must not grow. At the end every delivery is accounted for, as in the scenarios.
 */
const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    clients: { type: 'string', default: '16' },
    'pause-ms': { type: 'string', default: '40' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
  },
});
const minutes = Number(options.minutes);
const SAMPLES = 60;
/** Growth from the second quarter of the run to the last that is no longer taken for noise. */
const GROWTH_MAX = 1.25;
const MIB = 2 ** 20;

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

/** What is watched: its metric, how it is shown, and whether it must stay where it is. */
const WATCHED = [
  { name: 'RSS MiB', metric: 'posthorn_process_resident_memory_bytes', per: MIB, isBounded: true },
  { name: 'heap MiB', metric: 'posthorn_nodejs_heap_size_used_bytes', per: MIB, isBounded: true },
  { name: 'files', metric: 'posthorn_process_open_fds', per: 1, isBounded: true },
  { name: 'loop p99 ms', metric: 'posthorn_nodejs_eventloop_lag_p99_seconds', per: 1e-3, isBounded: false },
  { name: 'pending', metric: 'posthorn_deliveries_pending', per: 1, isBounded: false },
  { name: 'lag', metric: 'posthorn_projection_lag', per: 1, isBounded: false },
] as const;

const server = await startServer();
const rig = await openRig({ server, seed: Number(options.seed), say, subscriptions: 6, origins: 3 });
try {
  rig.receiver.behave(replying(0, 40, rig.random));
  rig.tally.faultsMin = 0;
  await rig.start('api', 'api,worker,projector');
  const clients = rig.load({ clients: Number(options.clients), pauseMs: Number(options['pause-ms']) });
  const samples: number[][] = [];
  say(
    `${minutes} minutes, seed ${options.seed}\n${['minute', 'events', ...WATCHED.map(({ name }) => name)].join('\t')}`,
  );
  for (let sample = 1; sample <= SAMPLES; sample += 1) {
    await sleep((minutes * 60_000) / SAMPLES);
    const metric = await readMetrics(rig.urlOf('api')); // At once: some figures are those since they were last asked for.
    const row = WATCHED.map(({ metric: name, per }) => metric(name) / per);
    samples.push(row);
    const figures = row.map((value) => value.toFixed(0));
    say([((sample / SAMPLES) * minutes).toFixed(1), rig.ledger.acknowledged(), ...figures].join('\t'));
  }
  await clients.stop();
  await rig.settle();
  const quarter = SAMPLES / 4;
  const growth = WATCHED.map(({ name, isBounded }, index) => {
    const early = median(samples.slice(quarter, 2 * quarter).map((row) => row[index] ?? Number.NaN));
    const late = median(samples.slice(-quarter).map((row) => row[index] ?? Number.NaN));
    if (isBounded && !(late <= early * GROWTH_MAX))
      rig.fail(`${name} grew from ${early.toFixed(0)} to ${late.toFixed(0)}`);
    return [name, early.toFixed(0), late.toFixed(0)];
  });
  const verdict = await rig.finish();
  say(`\n${table([['', 'second quarter', 'last quarter'], ...growth])}`);
  const { acknowledged, delivered, duplicates, lost, phantom } = verdict;
  say(
    `acknowledged ${acknowledged}  delivered ${delivered}  duplicates ${duplicates}  lost ${lost}  phantom ${phantom}`,
  );
  for (const { rule, text } of verdict.findings) say(`${rule}: ${text}`);
  process.exitCode = verdict.findings.length === 0 ? 0 : 1;
} finally {
  await rig.close();
  await server.stop();
}
