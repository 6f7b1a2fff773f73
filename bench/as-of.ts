/**
 * How long queries of the past take, beside their twins of the present: makes a log, builds the read models from it, and
 * asks each question at several cuts. `--events N` domain events (1,000,000), `--runs N` of each question (9).
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Client } from 'pg';
import { startEmbeddedPostgres } from '../src/embedded-postgres/start.ts';
import { createLogFeed } from '../src/eventstore/feed.ts';
import { initialise } from '../src/eventstore/initialise.ts';
import { migrate } from '../src/eventstore/migrate.ts';
import { createAppPool } from '../src/eventstore/pool.ts';
import { createLogReader } from '../src/eventstore/read.ts';
import { resolveAsOf } from '../src/projections/as-of/cut.ts';
import { asyncProjections } from '../src/projections/index.ts';
import { createProjectionRunner } from '../src/projections/runner.ts';
import { ask, QUESTIONS } from './support/as-of-questions.ts';
import { writeHistory } from './support/history.ts';

const PARTITIONS = 16;
/** Shares of the log that are past at the cut. */
const CUTS = [0.1, 0.5, 0.9, 0.999];

const { values } = parseArgs({
  options: { events: { type: 'string', default: '1000000' }, runs: { type: 'string', default: '9' } },
});
const [events, runs] = [Number(values.events), Number(values.runs)];
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const median = (of: readonly number[]): number => of.toSorted((a, b) => a - b)[Math.floor(of.length / 2)] ?? 0;

const directory = await mkdtemp(join(tmpdir(), 'posthorn-as-of-'));
const server = await startEmbeddedPostgres({
  dataDir: directory,
  log: () => {},
  sharedDirectory: `${directory}-shared`,
});
const pool = createAppPool({ url: server.url, max: 8, name: 'bench', queryTimeoutMs: 120_000 });
try {
  await migrate({ url: server.url });
  await initialise({ url: server.url, partitions: PARTITIONS });
  const began = performance.now();
  const tenant = await writeHistory(pool, { events, partitions: PARTITIONS });
  print(`${events} domain events appended in ${((performance.now() - began) / 1_000).toFixed(1)} s`);
  // As autovacuum would have done by itself while such a log grew.
  const owner = new Client({ connectionString: server.url });
  await owner.connect();
  await owner.query('VACUUM (ANALYZE) domain_event');
  const reader = createLogReader({ db: pool, partitions: PARTITIONS });
  for (const projection of asyncProjections) {
    const from = performance.now();
    const runner = createProjectionRunner({
      pool,
      reader,
      feed: createLogFeed({ reader }),
      projection,
      onError: (error) => {
        throw error;
      },
    });
    for (let partition = 0; partition < PARTITIONS; partition += 1) await runner.take(partition);
    while (runner.lag() > 0) await delay(20);
    await runner.stop();
    const seconds = (performance.now() - from) / 1_000;
    print(
      `${projection.name} built in ${seconds.toFixed(1)} s, ${((seconds * 1e6) / events).toFixed(1)} us per domain event`,
    );
  }
  await owner.query('VACUUM (ANALYZE)');
  await owner.end();
  const { rows } = await pool.query<{ at: Date }>(
    'SELECT recorded_at AS at FROM domain_event WHERE partition_no = $1 ORDER BY position',
    [tenant.partition],
  );
  const instants = CUTS.map((share) => rows[Math.floor((rows.length - 1) * share)]?.at ?? new Date(0));
  const time = async (work: () => Promise<unknown>): Promise<string> => {
    await work(); // Plans and pages.
    const times: number[] = [];
    for (let run = 0; run < runs; run += 1) {
      const from = performance.now();
      await work();
      times.push(performance.now() - from);
    }
    return median(times).toFixed(1);
  };
  print(`\n| Milliseconds, median of ${runs} | now | ${CUTS.map((share) => `${share * 100}%`).join(' | ')} |`);
  print(`| --- | ---: | ${CUTS.map(() => '---: |').join(' ')}`);
  const resolving: string[] = [];
  for (const instant of instants) resolving.push(await time(() => resolveAsOf(pool, instant.toISOString())));
  print(`| the cut itself | – | ${resolving.join(' | ')} |`);
  for (const question of QUESTIONS) {
    const cells = [await time(() => ask(question, { pool, reader, tenant }))];
    for (const instant of instants)
      cells.push(
        await time(async () => {
          const cut = await resolveAsOf(pool, instant.toISOString());
          return ask(question, { pool, reader, tenant, past: { db: pool, reader, cut } });
        }),
      );
    print(`| ${question} | ${cells.join(' | ')} |`);
  }
} finally {
  await pool.end();
  await server.stop();
  await rm(directory, { recursive: true, force: true });
  await rm(`${directory}-shared`, { recursive: true, force: true });
}
