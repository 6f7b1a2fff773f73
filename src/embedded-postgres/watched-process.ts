import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { currentUser, type ServerUser } from './user.ts';

/**
 * Runs the command, and a watcher that reads a pipe held by Node alone. However Node dies, the kernel closes its end, the
 * read returns, and the command is told to end (SIGINT: Postgres's fast shutdown). The first shell stays for the exit
 * status. No member of the trio needs another one alive to notice its death, except Postgres its watcher.
 */
const WATCH = `
exec 3<&0 </dev/null
"$@" 3<&- &
child=$!
{ read -r _ <&3; kill -INT "$child"; } 2>/dev/null &
watcher=$!
exec 3<&-
wait "$child"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
`;
const LINES_KEPT = 20;

export type WatchedProcess = {
  /** Settles when the command, or the shell around it, has ended; with the exit status, null after a signal. */
  readonly ended: Promise<number | null>;
  /** The last lines it wrote, for an error's text. */
  readonly lastLines: () => string;
  /** Lets the watcher end it. */
  readonly letGo: () => void;
};

type Options = {
  readonly command: string;
  readonly args: readonly string[];
  readonly user: ServerUser;
  readonly onLine?: (line: string) => void;
};

export const runWatched = ({ command, args, user, onLine }: Options): WatchedProcess => {
  const child = spawn('/bin/sh', ['-c', WATCH, 'posthorn-postgres', command, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true, // Ctrl-C goes to Node, which ends the database last.
    cwd: '/', // Ours may be closed to the server's user.
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' }, // No PG* variable leaks in.
    ...(user.uid === currentUser().uid ? {} : user),
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      if (lines.length > LINES_KEPT) lines.shift();
      onLine?.(line);
    });
  }
  child.stdin.on('error', () => {}); // EPIPE when the watcher is gone already.
  child.once('exit', () => child.stdin.destroy()); // If only the shell was killed, the watcher ends what is left.
  const drained = Promise.race([once(child, 'close'), once(child, 'exit').then(() => sleep(200))]);
  return {
    ended: once(child, 'exit').then(async ([status]) => {
      await drained; // What it wrote last says why.
      return status as number | null;
    }),
    lastLines: () => lines.join('\n'),
    letGo: () => child.stdin.destroy(),
  };
};
