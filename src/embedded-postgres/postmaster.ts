import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SUPERUSER } from './cluster.ts';
import { clearLeftovers, killOrphanedBackends, stopPostmaster } from './leftovers.ts';
import type { Place } from './place.ts';
import { connectOnce } from './probe.ts';
import { serverArguments } from './settings.ts';
import { runWatched, type WatchedProcess } from './watched-process.ts';

/** Recovery after a kill replays at most max_wal_size; this is far beyond what that takes. */
const READY_MS = 600_000;
/** Backends that outlived their postmaster normally end within milliseconds. */
const ORPHANS_MS = 10_000;
const ORPHANS_KILLED_AFTER_MS = 3_000;
const PORTS_TRIED = 20;

export type Postmaster = {
  readonly url: string;
  readonly port: number;
  /** Settles when the server has ended, whoever ended it. */
  readonly ended: Promise<unknown>;
  readonly stop: () => Promise<void>;
};

export type Launch = {
  readonly place: Place;
  readonly binaries: string;
  readonly password: string;
  readonly log: (message: string) => void;
  /** The port of the server that ended, to take its place unseen; a free one otherwise. */
  readonly port?: number;
};

/** Starts the server and waits until it answers a query. The caller owns the lock. */
export const launchPostmaster = async (launch: Launch): Promise<Postmaster> => {
  const deadline = Date.now() + ORPHANS_MS;
  for (let attempt = 1; ; attempt++) {
    await clearLeftovers(launch.place);
    const port = launch.port ?? (await findFreePort());
    const started = await start(launch, port);
    if (started.kind === 'ready') return started.postmaster;
    const { text } = started;
    if (/pre-existing shared memory block|lock file "postmaster.pid"/.test(text) && Date.now() < deadline) {
      if (Date.now() > deadline - ORPHANS_MS + ORPHANS_KILLED_AFTER_MS) killOrphanedBackends(launch.place);
      await sleep(50);
    } else if (!/could not bind/.test(text) || launch.port !== undefined || attempt >= PORTS_TRIED) {
      throw new Error(`The embedded Postgres in ${launch.place.pgData} did not start: ${text}`);
    }
  }
};

type Started = { kind: 'ready'; postmaster: Postmaster } | { kind: 'ended'; text: string };

const start = async ({ place, binaries, password, log }: Launch, port: number): Promise<Started> => {
  const url = `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/posthorn`;
  const command = join(binaries, 'bin', 'postgres');
  const server = runWatched({ command, args: serverArguments(place.pgData, port), user: place.user, onLine: log });
  const stop = async () => {
    server.letGo();
    await stopPostmaster(place);
    await server.ended;
  };
  try {
    const ready = await waitUntilReady(server, url);
    if (ready) return { kind: 'ready', postmaster: { url, port, ended: server.ended, stop } };
    return { kind: 'ended', text: server.lastLines() };
  } catch (error) {
    await stop();
    throw error;
  }
};

/** False when the server ended first. */
const waitUntilReady = async (server: WatchedProcess, url: string): Promise<boolean> => {
  const deadline = Date.now() + READY_MS;
  let running = true;
  server.ended.then(() => {
    running = false;
  });
  while (running) {
    if (await connectOnce(url)) return true;
    if (Date.now() > deadline) throw new Error(`Postgres answers no query ${READY_MS / 1000} s after its start.`);
    await sleep(10);
  }
  return false;
};

/**
 * Below the range the kernel takes for outgoing connections (32768 and up by default): a sender opens many of those, and one
 * must not sit on the port when the server comes back to it.
 */
const findFreePort = async (): Promise<number> => {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 17_000);
    if (await isFree(port)) return port;
  }
};

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
