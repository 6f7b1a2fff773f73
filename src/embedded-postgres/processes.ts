import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process, told apart from a later one under the same number: by boot, by start tick, by number. */
export type ProcessIdentity = { readonly pid: number; readonly startedAt: string };

/**
 * Undefined when no process runs under that number. A zombie counts as not running: where nobody reaps (a container
 * without an init) it stays for good, and holds nothing any more.
 */
export const identifyProcess = (pid: number): ProcessIdentity | undefined => {
  const stat = readProc(`${pid}/stat`);
  if (stat === undefined) return undefined;
  // The second field is the name in parentheses, which may hold spaces and parentheses itself: count from the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startTicks] = [fields[0], fields[19]];
  if (state === 'Z' || state === 'X') return undefined;
  return { pid, startedAt: `${readProc('sys/kernel/random/boot_id')?.trim()}/${startTicks}` };
};

/** World-readable even where another user's `cwd` and `exe` are not (root in a container without CAP_SYS_PTRACE). */
export const argumentsOf = (pid: number): string[] => (readProc(`${pid}/cmdline`) ?? '').split('\0');

/** Waits until the process is gone; answers false when it still runs after `timeoutMs`. */
export const waitForEnd = async (pid: number, timeoutMs: number): Promise<boolean> => {
  const deadline = Date.now() + timeoutMs;
  while (identifyProcess(pid) !== undefined) {
    if (Date.now() > deadline) return false;
    await sleep(10);
  }
  return true;
};

/** Sends a signal to a process that may be gone already. */
export const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
};

const readProc = (path: string): string | undefined => {
  try {
    return readFileSync(`/proc/${path}`, 'utf8');
  } catch {
    return undefined; // Gone meanwhile, or (with hidepid) not ours to see.
  }
};
