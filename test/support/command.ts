import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

const ROOT = new URL('../../', import.meta.url);

/** A command of Posthorn in a process of its own, so that it can be killed. */
export const startCommand = (
  words: readonly string[],
  env: Readonly<Record<string, string>>,
): { readonly child: ChildProcess; readonly kill: () => Promise<void> } => {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'src/main.ts', ...words], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout?.resume();
  child.stderr?.resume();
  const gone = once(child, 'exit');
  return {
    child,
    kill: async () => {
      child.kill('SIGKILL');
      await gone;
    },
  };
};
