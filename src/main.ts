import { readFileSync } from 'node:fs';
import { serve } from './cli/serve.ts';
import { ConfigError } from './config/load.ts';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

try {
  process.exitCode = await serve({
    env: process.env,
    version,
    args: process.argv.slice(3),
    out: (text) => process.stdout.write(`${text}\n`),
    err: (text) => process.stderr.write(`${text}\n`),
    isTerminal: process.stderr.isTTY === true,
  });
} catch (error) {
  process.stderr.write(`posthorn: ${error instanceof ConfigError ? error.message : (error as Error).stack}\n`);
  process.exitCode = error instanceof ConfigError ? 2 : 1;
}
