import { parseArgs } from 'node:util';
import { type Result, summary, table } from './report.ts';
import { openRig } from './rig.ts';
import { type Scenario, scenarios } from './scenarios/index.ts';
import { type Server, startServer } from './server.ts';

const FINDINGS_SHOWN = 8;

const { values: options } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    only: { type: 'string' },
    seed: { type: 'string' },
    verbose: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});
const say = (text: string): void => void process.stdout.write(`${text}\n`);

const isWanted = ({ name, isShort }: Scenario): boolean =>
  options.only === undefined ? isShort || !options.short : options.only.split(',').includes(name);

const runScenario = async (scenario: Scenario, server: Server, seed: number): Promise<Result> => {
  const startedAt = performance.now();
  const { run, name, ...settings } = scenario;
  const tell = (text: string): void => {
    if (options.verbose) process.stderr.write(`${((performance.now() - startedAt) / 1000).toFixed(2)} ${text}\n`);
  };
  const rig = await openRig({ server, seed, say: tell, ...settings });
  try {
    await run(rig, { short: options.short });
    await rig.settle();
    const verdict = await rig.finish();
    return { ...verdict, ...rig.tally, name, seed, seconds: (performance.now() - startedAt) / 1000 };
  } finally {
    await rig.close();
  }
};

const attempt = async (scenario: Scenario, server: Server, seed: number): Promise<Result> => {
  try {
    return await runScenario(scenario, server, seed);
  } catch (error) {
    const text = (error as Error).stack ?? String(error);
    return {
      name: scenario.name,
      seed,
      findings: [{ rule: 'scenario', text }],
      acknowledged: 0,
      delivered: 0,
      duplicates: 0,
      duplicatesMax: 0,
      lost: 0,
      phantom: 0,
      faults: 0,
      takeOverMs: undefined,
      seconds: 0,
    };
  }
};

const main = async (): Promise<number> => {
  const wanted = scenarios.filter(isWanted);
  if (options.list || wanted.length === 0) {
    for (const { name, title } of scenarios) say(`${name.padEnd(20)} ${title}`);
    return options.list ? 0 : 2;
  }
  const seed = Number(options.seed ?? Math.floor(Math.random() * 2 ** 31));
  const server = await startServer();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void server.stop().finally(() => process.exit(130)));
  const results: Result[] = [];
  try {
    for (const scenario of wanted) {
      const result = await attempt(scenario, server, seed);
      results.push(result);
      say(summary(result));
      const shown = result.findings.slice(0, FINDINGS_SHOWN);
      for (const { rule, text } of shown) say(`    ${rule}: ${text}`);
      if (shown.length < result.findings.length) say(`    ... and ${result.findings.length - shown.length} more`);
    }
  } finally {
    await server.stop();
  }
  const failed = results.filter(({ findings }) => findings.length > 0);
  say(`\n${table(results)}\n`);
  for (const { name } of failed) say(`Repeat with: npm run test:chaos -- --only ${name} --seed ${seed}`);
  say(`${results.length - failed.length} passed, ${failed.length} failed`);
  return failed.length === 0 ? 0 : 1;
};

process.exit(await main());
