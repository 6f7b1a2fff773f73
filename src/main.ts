import { readFileSync } from 'node:fs';
import { runCommand } from './cli/run.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const exitCode = await runCommand(process.argv.slice(2), {
  env: process.env,
  version,
  out: (text) => process.stdout.write(`${text}\n`),
  err: (text) => process.stderr.write(text),
  isTerminal: process.stderr.isTTY === true,
});
// Whatever is still open by now (a request beyond the shutdown timeout) must not keep the process.
process.exit(exitCode);
