import { type ChildProcess, fork } from 'node:child_process';

export type Child = {
  readonly pid: number;
  /** What the child said when it was ready. */
  readonly ready: Record<string, unknown>;
  readonly stop: () => Promise<void>;
};

/** Starts a module in a process of its own and waits for its first message. */
export const startChild = async (
  module: URL,
  env: Readonly<Record<string, string>>,
  flags: readonly string[] = ['--disable-warning=ExperimentalWarning'],
): Promise<Child> => {
  const child: ChildProcess = fork(module, {
    env: { ...process.env, ...env },
    execArgv: [...flags],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const ready = await new Promise<Record<string, unknown>>((resolve, reject) => {
    child.once('message', (message) => resolve(message as Record<string, unknown>));
    child.once('exit', (code) => reject(new Error(`${module.pathname} ended with ${code} before it was ready.`)));
  });
  return {
    pid: child.pid ?? 0,
    ready,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
};

/** For the child's side: says that it is ready, and ends when told to. */
export const reportReady = (ready: Record<string, unknown>, stop: () => Promise<unknown>): void => {
  process.once('SIGTERM', () => void stop().finally(() => process.exit(0)));
  process.once('disconnect', () => process.exit(0));
  process.send?.(ready);
};
