import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Client } from 'pg';
import { startEmbeddedPostgres } from '#src/embedded-postgres/start.ts';

/** Run as a program: starts a server in the directories given, says so in one line of JSON, and stays. */
if (import.meta.main) {
  const [dataDir = '', sharedDirectory = ''] = process.argv.slice(2);
  const say = (message: object) => process.stdout.write(`${JSON.stringify(message)}\n`);
  const began = performance.now();
  const log = (line: string) => say({ line });
  const { url, dataDir: actual } = await startEmbeddedPostgres({ dataDir, log, sharedDirectory });
  say({ url, dataDir: actual, ms: performance.now() - began });
  setInterval(() => {}, 1_000);
}

export type ServerProcess = {
  readonly url: string;
  readonly dataDir: string;
  readonly ms: number;
  readonly pid: number;
  /** SIGKILL by default; settles when the process is gone. */
  readonly kill: (signal?: NodeJS.Signals) => Promise<void>;
};
type Options = { readonly dataDir: string; readonly sharedDirectory: string; readonly uid?: number };

/** Starts a server owned by another Node process, which may then be killed. Rejects with what that one said. */
export const spawnServer = async (options: Options): Promise<ServerProcess> => {
  const child = spawnOwner(options);
  const kill = async (signal: NodeJS.Signals = 'SIGKILL') => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  };
  let errors = '';
  child.stderr?.on('data', (chunk) => {
    errors += chunk;
  });
  for await (const line of createInterface({ input: child.stdout as NonNullable<ChildProcess['stdout']> })) {
    const message = JSON.parse(line);
    if ('url' in message) {
      child.stdout?.resume(); // Nobody reads on, and a full pipe would stop the logging.
      return { ...message, pid: child.pid, kill };
    }
  }
  throw new Error(errors);
};

/** The same without waiting for the server. */
export const spawnOwner = ({ dataDir, sharedDirectory, uid }: Options): ChildProcess =>
  spawn(process.execPath, [import.meta.filename, dataDir, sharedDirectory], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });

/** Numbers of the processes around a running server. */
export const family = (dataDir: string) => {
  const postmaster = Number.parseInt(readFileSync(join(dataDir, 'postgres', 'postmaster.pid'), 'utf8'), 10);
  const stat = readFileSync(`/proc/${postmaster}/stat`, 'utf8');
  const shell = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  const children = readFileSync(`/proc/${shell}/task/${shell}/children`, 'utf8').trim().split(' ').map(Number);
  const watcher = children.find((pid) => pid !== postmaster) ?? Number.NaN;
  return { postmaster, shell, watcher };
};

export const query = async (url: string, text: string): Promise<unknown[][]> => {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query({ text, rowMode: 'array' })).rows;
  } finally {
    await client.end();
  }
};
