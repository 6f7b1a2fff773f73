import { spawnSync } from 'node:child_process';
import { realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readFileIfAny } from './files.ts';
import type { Place } from './place.ts';
import { argumentsOf, identifyProcess, signal, waitForEnd } from './processes.ts';
import { currentUser } from './user.ts';

/** More than any process number can be (the kernel's PID_MAX_LIMIT is 4,194,304). */
const DEAD_PID = 99_999_999;
/** A fast shutdown writes a checkpoint; after that an immediate one, which the next start recovers from. */
const FAST_SHUTDOWN_MS = 30_000;
const IMMEDIATE_SHUTDOWN_MS = 10_000;

/** Number of the postmaster that runs on this data directory now, if one does. */
export const findPostmaster = ({ pgData }: Place): number | undefined => {
  const pid = Number.parseInt(readFileIfAny(join(pgData, 'postmaster.pid')) ?? '', 10);
  if (!(pid > 0) || identifyProcess(pid) === undefined) return undefined;
  // Its command line names the data directory; a foreign process that got the number has another one.
  return argumentsOf(pid).includes(pgData) || argumentsOf(pid).includes(realpathSync(pgData)) ? pid : undefined;
};

/**
 * Asks the postmaster to end, ever less politely. Every way is safe for what was committed. SIGKILL is the last one: a
 * postmaster that was stopped (SIGSTOP) or hangs in the kernel hears nothing else.
 */
export const stopPostmaster = async (place: Place): Promise<void> => {
  const pid = findPostmaster(place);
  if (pid === undefined) return;
  signal(pid, 'SIGINT');
  if (await waitForEnd(pid, FAST_SHUTDOWN_MS)) return;
  signal(pid, 'SIGQUIT');
  if (await waitForEnd(pid, IMMEDIATE_SHUTDOWN_MS)) return;
  signal(pid, 'SIGKILL');
  if (!(await waitForEnd(pid, IMMEDIATE_SHUTDOWN_MS))) throw new Error(`Process ${pid} (Postgres) does not end.`);
};

/**
 * Makes the data directory ready for a start, whatever was killed before. Only the owner of the lock may call this: a
 * postmaster that runs here now has lost its Node, and is ended (or, on its way out already, waited for).
 */
export const clearLeftovers = async (place: Place): Promise<void> => {
  await stopPostmaster(place);
  const path = join(place.pgData, 'postmaster.pid');
  const text = readFileIfAny(path);
  if (text === undefined) return;
  const pid = Number.parseInt(text, 10);
  if (Number.isNaN(pid)) return rmSync(path, { force: true }); // Cut short by a kill: Postgres would refuse it.
  // A zombie, or a foreign process that got the number: Postgres would take either for a running postmaster. Only the
  // number is taken out, since by the shared memory key further down Postgres finds backends that outlived theirs. Written in place, to keep the file's owner.
  writeFileSync(path, text.replace(/^-?\d+/, String(DEAD_PID)));
};

/**
 * Kills backends that outlived their postmaster and do not notice. They are found by their working directory, which only
 * their own user may look up (root in a container may not): hence a shell of that user.
 */
export const killOrphanedBackends = ({ pgData, user }: Place): void => {
  const script = 'cd /proc && for p in [0-9]*; do [ "$p/cwd" -ef "$1" ] && kill -9 "$p"; done 2>/dev/null';
  spawnSync('/bin/sh', ['-c', script, 'sh', pgData], { cwd: '/', ...(user.uid === currentUser().uid ? {} : user) });
};
