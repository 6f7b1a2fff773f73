import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

/** As `posthorn serve` is started. */
const PRODUCT_FLAGS = readFileSync(new URL('../../scripts/node-flags', import.meta.url), 'utf8')
  .trim()
  .split(' ');
const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
const READY_MS = 30_000;
const LINES_KEPT = 400;
/** Level of `warn` in pino's numbers. */
const WARN = 40;

export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

export type Posthorn = {
  readonly name: string;
  readonly pid: number;
  /** From the start of the process until it said that it is ready. */
  readonly readyMs: number;
  readonly exit: Promise<Exit>;
  readonly isRunning: () => boolean;
  readonly signal: (signal: NodeJS.Signals) => void;
  /** What it complained about last. */
  readonly complaints: readonly string[];
};

export type ProcessOptions = { readonly name: string; readonly env: Readonly<Record<string, string>> };

const living = new Set<ChildProcess>();
/** Whatever happens to the runner, as long as it can still say so: nothing is left behind. */
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

const inherited = (): Record<string, string | undefined> =>
  Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(POSTHORN_|DATABASE_URL$|HOST$|PORT$|LOG_LEVEL$|SMTP_URL$)/.test(name),
    ),
  );

/** Starts `posthorn serve` in a process of its own and waits until it is ready. */
export const startPosthorn = async ({ name, env }: ProcessOptions): Promise<Posthorn> => {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [...PRODUCT_FLAGS, MAIN, 'serve'], {
    env: { ...inherited(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  living.add(child);
  let running = true;
  const exit = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      running = false;
      living.delete(child);
      resolve({ code, signal });
    });
  });
  const complaints: string[] = [];
  const ready = Promise.withResolvers<void>();
  for (const stream of [child.stdout, child.stderr])
    createInterface({ input: stream }).on('line', (line) => {
      const level = Number(/^\{"level":(\d+)/.exec(line)?.[1] ?? WARN);
      if (line.includes('"posthorn is ready"')) ready.resolve();
      if (level < WARN || line.trim() === '') return;
      complaints.push(line);
      if (complaints.length > LINES_KEPT) complaints.shift();
    });
  const failed = exit.then(({ code, signal }) => {
    throw new Error(`${name} ended with ${code ?? signal} before it was ready: ${complaints.slice(-5).join('\n')}`);
  });
  const tooLate = sleep(READY_MS, undefined, { ref: false }).then(() => {
    throw new Error(`${name} was not ready after ${READY_MS} ms: ${complaints.slice(-5).join('\n')}`);
  });
  failed.catch(() => undefined);
  tooLate.catch(() => undefined);
  await Promise.race([ready.promise, failed, tooLate]);
  return {
    name,
    pid: child.pid ?? 0,
    readyMs: performance.now() - startedAt,
    exit,
    isRunning: () => running,
    signal: (signal) => child.kill(signal),
    complaints,
  };
};
