import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, it } from 'vitest';

const ROOT = new URL('../../', import.meta.url);
const NODE_ARGS = ['--disable-warning=ExperimentalWarning', 'src/main.ts', 'serve'];

let directory: string;
let posthorn: ChildProcess;
let port: number;

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'posthorn-readme-'));
  await chmod(directory, 0o711);
  mkdirSync(join(directory, '.posthorn'));
  port = await freePort();
  const { DATABASE_URL: _, ...env } = process.env;
  posthorn = spawn(process.execPath, NODE_ARGS, {
    cwd: ROOT,
    env: {
      ...env,
      PORT: String(port),
      POSTHORN_DATA_DIR: join(directory, '.posthorn'),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (!posthorn.stdout) throw new Error('Posthorn has no output.');
  for await (const line of createInterface({ input: posthorn.stdout })) if (line.includes('posthorn is ready')) break;
  posthorn.stdout.resume();
});
afterAll(async () => {
  const ended = new Promise((resolve) => posthorn.once('exit', resolve));
  posthorn.kill('SIGTERM');
  await ended;
  await rm(directory, { recursive: true, force: true });
});

/** The block under the heading as a person would paste it, but for the port. */
const script = (): string => {
  const readme = readFileSync(new URL('README.md', ROOT), 'utf8');
  const block = /<!-- test: first-webhook -->\n```sh\n([\s\S]*?)```/.exec(readme)?.[1];
  if (block === undefined) throw new Error('README.md has lost its first webhook.');
  return block.replaceAll(':8080', `:${port}`);
};

it("delivers the README's first webhook by its very commands", async () => {
  const file = join(directory, 'first-webhook.sh');
  writeFileSync(file, `set -eu\n${script()}`);
  const output = await new Promise<string>((resolve, reject) => {
    execFile('sh', [file], { cwd: directory, timeout: 15_000 }, (error, stdout, stderr) => {
      if (error) reject(new Error(stderr, { cause: error }));
      else resolve(stdout);
    });
  });
  expect(output).toMatch(/"event_id":/);
  expect(output).toMatch(/"event_type_name":"order\.paid".*"http_response_status":200/);
});
