import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { prepareBinaries } from './binaries.ts';
import { prepareCluster } from './cluster.ts';
import { readFileIfAny, writeFileAtomically } from './files.ts';
import { clearLeftovers } from './leftovers.ts';
import { acquireLock } from './lock.ts';
import { findPlace, preparePlace, SHARED_DIRECTORY } from './place.ts';
import { type Launch, launchPostmaster, type Postmaster } from './postmaster.ts';
import { answers } from './probe.ts';
import { currentUser } from './user.ts';

export type EmbeddedPostgres = {
  /** Stays the same until `stop`, also over a restart of a killed server. */
  readonly url: string;
  /** Where the data really lies: elsewhere than asked for when the server's user could not get there. */
  readonly dataDir: string;
  readonly stop: () => Promise<void>;
};

export type EmbeddedPostgresOptions = {
  readonly dataDir: string;
  readonly log: (message: string) => void;
  /** Where root keeps copies and data that the server's user cannot reach otherwise; /var/lib/posthorn. */
  readonly sharedDirectory?: string;
};

/**
 * Starts a real PostgreSQL on a free port of 127.0.0.1, making its data directory the first time. It ends with `stop`, and
 * with this process however that dies; killed itself, it is started again on the same port. Throws one sentence when another
 * live process owns the data directory.
 */
export const startEmbeddedPostgres = async ({
  dataDir,
  log,
  sharedDirectory = SHARED_DIRECTORY,
}: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> => {
  const place = preparePlace(resolve(dataDir), sharedDirectory);
  const lock = await acquireLock(place);
  try {
    const copyTo = currentUser().uid === 0 ? sharedDirectory : place.dataDir;
    const binaries = prepareBinaries({ user: place.user, copyTo }).directory;
    await clearLeftovers(place);
    const password = await prepareCluster({ place, binaries, log });
    const supervised = await supervise({ place, binaries, password, log });
    writeFileAtomically(place.urlFile, `${supervised.url}\n`);
    const stop = async () => {
      await rm(place.urlFile, { force: true });
      await supervised.stop();
      await lock.release();
    };
    let stopped: Promise<void> | undefined;
    return {
      url: supervised.url,
      dataDir: place.dataDir,
      stop: () => {
        stopped ??= stop();
        return stopped;
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
};

/** For command-line tools: the address of the server that another process runs on this data directory, if it answers. */
export const findRunningEmbeddedPostgres = async (dataDir: string): Promise<string | undefined> => {
  const url = readFileIfAny(findPlace(resolve(dataDir)).urlFile)?.trim();
  return url !== undefined && (await answers(url)) ? url : undefined;
};

/** Keeps a server running: one that ends without being told to (kill -9, out of memory) is started again. */
const supervise = async (launch: Launch): Promise<{ url: string; stop: () => Promise<void> }> => {
  let stopping = false;
  let current: Postmaster | undefined = await launchPostmaster(launch);
  const { url, port } = current;
  const watch = async () => {
    while (current !== undefined) {
      await current.ended;
      if (stopping) return;
      launch.log('Postgres ended without being told to; starting it again');
      current = await relaunch({ ...launch, port }, () => stopping);
    }
  };
  const watching = watch();
  return {
    url,
    stop: async () => {
      stopping = true;
      await current?.stop();
      await watching; // A restart under way ends first ...
      await current?.stop(); // ... and what it started is stopped as well.
    },
  };
};

/** Tries for as long as the process lives: nobody else can bring the database back. */
const relaunch = async (launch: Launch, isStopping: () => boolean): Promise<Postmaster | undefined> => {
  for (let attempt = 1; !isStopping(); attempt++) {
    try {
      return await launchPostmaster(launch);
    } catch (error) {
      launch.log(String(error));
      await sleep(Math.min(attempt * 200, 5_000));
    }
  }
  return undefined;
};
