import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { identifyProcess, waitForEnd } from '#src/embedded-postgres/processes.ts';
import { startEmbeddedPostgres } from '#src/embedded-postgres/start.ts';
import { databaseDirectory } from '../support/temporary.ts';
import { family, query, type ServerProcess, spawnOwner, spawnServer } from './server-process.ts';

let root: string;
let dataDir: string;
const start = () => spawnServer({ dataDir, sharedDirectory: join(root, 'shared') });
const killHard = (pid: number) => process.kill(pid, 'SIGKILL');

beforeAll(async () => {
  root = mkdtempSync(join(databaseDirectory(), 'posthorn-killed-'));
  chmodSync(root, 0o755);
  dataDir = join(root, 'data');
  const server = await start();
  await query(server.url, 'CREATE TABLE word (id int)');
  await server.kill();
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Inserts one row after another until the connection breaks; answers with how many were acknowledged. */
const insertUntilBroken = async (url: string, onAcknowledged: () => void): Promise<number> => {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  for (let acknowledged = 0; ; acknowledged++) {
    try {
      await client.query('INSERT INTO word VALUES (1)');
      onAcknowledged();
    } catch {
      await client.end().catch(() => {});
      return acknowledged;
    }
  }
};

const stopQuietly = async (server: ServerProcess) => {
  const { postmaster } = family(server.dataDir);
  await server.kill();
  await waitForEnd(postmaster, 10_000);
};

const eventually = async <T>(attempt: () => Promise<T>): Promise<T> => {
  const deadline = Date.now() + 15_000;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(20);
    }
  }
};

const MEMBERS = ['node', 'shell', 'watcher', 'postmaster'] as const;
const combinations = Array.from({ length: 2 ** MEMBERS.length - 1 }, (_, index) => {
  const killed = MEMBERS.filter((_, bit) => ((index + 1) >> bit) & 1);
  return { names: killed.join(', '), killed };
});

describe('after kill -9', () => {
  it.each(combinations)('of $names every acknowledged row is there, without a hand', async ({ killed }) => {
    const server = await start();
    const [[before]] = (await query(server.url, 'SELECT count(*)::int FROM word')) as [[number]];
    const pids = { node: server.pid, ...family(dataDir) };
    const some = Promise.withResolvers<void>();
    let rows = 0;
    const inserting = insertUntilBroken(server.url, () => {
      if (++rows === 50) some.resolve();
    });
    await some.promise;
    for (const member of killed) killHard(pids[member]);
    if (!killed.includes('node')) {
      if (killed.join() === 'watcher')
        await sleep(100); // Nothing is to happen.
      else await inserting;
      // The same address serves again: the owner has seen to it.
      expect(await eventually(() => query(server.url, 'SELECT 1'))).toStrictEqual([[1]]);
      await server.kill();
    }
    const next = await start();
    const [[after]] = (await query(next.url, 'SELECT count(*)::int FROM word')) as [[number]];
    expect(next.ms).toBeLessThan(3_000); // From then on the last resort would have done it.
    // One more may have been committed whose acknowledgement got lost.
    const acknowledged = await inserting;
    expect(acknowledged).toBeGreaterThanOrEqual(50);
    expect([acknowledged, acknowledged + 1]).toContain(after - before);
    await stopQuietly(next);
  });

  it('of Node, over and over and at once, the next start succeeds', async () => {
    for (let round = 0; round < 8; round++) {
      const server = await start();
      await server.kill();
    }
  });

  it('of Node alone, Postgres ends by itself', async () => {
    const server = await start();
    const { postmaster, watcher } = family(dataDir);
    await server.kill();
    expect(await waitForEnd(postmaster, 5_000)).toBe(true);
    expect(await waitForEnd(watcher, 5_000)).toBe(true);
  });

  it('of the postmaster, over and over, its owner starts it again at the same address', async () => {
    const server = await start();
    for (let round = 0; round < 5; round++) {
      const { postmaster } = await eventually(async () => family(dataDir));
      killHard(postmaster);
      await waitForEnd(postmaster, 5_000);
      await eventually(() => query(server.url, 'SELECT 1'));
    }
    await stopQuietly(server);
  });

  it('in the midst of making the database, the next start makes it', async () => {
    const fresh = { dataDir: join(root, 'fresh'), sharedDirectory: join(root, 'shared') };
    for (const delay of [0, 100, 200, 300, 400, 500, 600, 700]) {
      const owner = spawnOwner(fresh);
      await once(owner.stdout as NonNullable<typeof owner.stdout>, 'data'); // It says that it makes a database.
      await sleep(delay);
      owner.kill('SIGKILL');
      await once(owner, 'exit');
    }
    const server = await spawnServer(fresh);
    expect(await query(server.url, 'SELECT 1')).toStrictEqual([[1]]);
    expect(readdirSync(fresh.dataDir).filter((name) => name.includes('initdb'))).toStrictEqual([]);
    await stopQuietly(server);
  });
});

describe('a postmaster.pid left over', () => {
  const path = () => join(dataDir, 'postgres', 'postmaster.pid');
  const owner = () => statSync(join(dataDir, 'postgres'));
  const leave = (text: string) => {
    writeFileSync(path(), text);
    chownSync(path(), owner().uid, owner().gid);
  };
  /** What a postmaster killed with -9 leaves, with another process's number. */
  const leaveWithPid = async (pid: number) => {
    const server = await start();
    const { postmaster } = family(dataDir);
    const text = readFileSync(path(), 'utf8');
    await server.kill();
    await waitForEnd(postmaster, 10_000);
    leave(text.replace(/^\d+/, String(pid)));
  };
  const startAndStop = async () => {
    const server = await startEmbeddedPostgres({ dataDir, log: () => {}, sharedDirectory: join(root, 'shared') });
    expect(await query(server.url, 'SELECT 1')).toStrictEqual([[1]]);
    await server.stop();
  };

  it('by a zombie holds nothing up', async () => {
    // The first sleep ends and is never waited for by the second one, which took the shell's place.
    const { uid, gid } = owner();
    const script = 'sleep 0.5 & echo $!; exec sleep 1000';
    const parent = spawn('/bin/sh', ['-c', script], { uid, gid, stdio: ['ignore', 'pipe', 'ignore'], cwd: '/' });
    const [chunk] = await once(parent.stdout, 'data');
    const zombie = Number(String(chunk));
    await eventually(async () => expect(readFileSync(`/proc/${zombie}/stat`, 'utf8')).toContain(' Z '));
    expect(identifyProcess(zombie)).toBeUndefined();
    await leaveWithPid(zombie);
    await startAndStop();
    parent.kill('SIGKILL');
  });

  it('whose number a foreign process got holds nothing up, and leaves that one alone', async () => {
    const { uid, gid } = owner();
    const foreign = spawn('sleep', ['1000'], { uid, gid, cwd: '/' });
    await leaveWithPid(foreign.pid ?? 0);
    await startAndStop();
    expect(identifyProcess(foreign.pid ?? 0)).toBeDefined();
    foreign.kill('SIGKILL');
  });

  it.each(['', '\n', 'x'])('cut short to %j holds nothing up', async (text) => {
    leave(text);
    await startAndStop();
  });
});

describe('a lock file left over', () => {
  it.each(['', '{"pid":', 'null', `{"pid":${process.pid},"startedAt":"another boot/1"}`])(
    '%s holds nothing up',
    async (text) => {
      writeFileSync(join(dataDir, 'postgres.lock'), text);
      await stopQuietly(await start());
    },
  );
});
