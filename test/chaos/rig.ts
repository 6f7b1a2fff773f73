import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'pg';
import { initialise } from '#src/eventstore/initialise.ts';
import { migrate } from '#src/eventstore/migrate.ts';
import { check, type End, type Finding, type Verdict } from './checker.ts';
import { type ClientOptions, type Clients, startClients } from './clients.ts';
import { type Exposed, exposedBy } from './exposure.ts';
import { readHistory, readLag, readWorkList } from './history.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { type Exit, type Posthorn, startPosthorn } from './processes.ts';
import { type DatabaseProxy, startProxy } from './proxy.ts';
import { createRandom, type Random } from './random.ts';
import { RECEIVER_HOST, type Receiver, startReceiver } from './receiver.ts';
import { type Database, openEmbeddedDatabase, type Server } from './server.ts';
import { createTenant, type Tenant } from './tenant.ts';

export const LEASE_MS = 2_000;
/**
 * How long taking over may last: twice the lease, as promised. The short run is a gate on machines that do other things as
 * well, so it only refuses what would not come back by itself.
 */
export const takeOverMsMax = (short: boolean): number => (short ? 5 : 2) * LEASE_MS;
const PARTITIONS = 16;
const SHUTDOWN_MS = 10_000;
const SETTLE_MS = 30_000;

export type RigOptions = {
  readonly server: Server;
  readonly seed: number;
  readonly subscriptions?: number;
  /** Of the receiver: subscriptions are spread over them. */
  readonly origins?: number;
  /** True when the process under test runs its own Postgres. */
  readonly isEmbedded?: boolean;
  /** Told of what happens as it happens. */
  readonly say: (text: string) => void;
  /** Over the settings that all scenarios share. */
  readonly env?: Readonly<Record<string, string>>;
};

type StartOptions = { readonly proxy?: DatabaseProxy; readonly env?: Readonly<Record<string, string>> };

/** One scenario's world: a database, processes, a receiver, clients, and what is known of them from outside. */
export type Rig = {
  readonly random: Random;
  readonly receiver: Receiver;
  readonly ledger: Ledger;
  readonly tenant: Tenant;
  readonly server: Server;
  /** The scenario's counts; the checker reads them. */
  readonly tally: { faults: number; faultsMin: number; duplicatesMax: number; takeOverMs: number | undefined };
  mayEnd: (eventId: string, subscriptionId: string) => readonly End[];
  /** Says that something is wrong which no rule of the checker knows. */
  readonly fail: (text: string) => void;
  /** Tells what happens, for whoever watches with --verbose. */
  readonly say: (text: string) => void;
  readonly proxy: () => Promise<DatabaseProxy>;
  readonly start: (name: string, roles: string, options?: StartOptions) => Promise<Posthorn>;
  /** The running process of that name. */
  readonly process: (name: string) => Posthorn;
  /** `/metrics` or any other page of a process with the role `api`. */
  readonly urlOf: (name: string) => string;
  readonly load: (options: Pick<ClientOptions, 'clients' | 'pauseMs'> & Partial<ClientOptions>) => Clients;
  /** Kills with SIGKILL; what it had in flight may come twice, and nothing else. */
  readonly crash: (process: Posthorn) => Promise<Exposed>;
  /** Tells a process to stop; it has to, with 0, in time. */
  readonly stop: (process: Posthorn, timeoutMs?: number) => Promise<Exit>;
  /** What would come twice if this process (or every one) lost its results now. */
  readonly exposed: (process?: Posthorn) => Promise<Exposed>;
  /** Waits until nothing is owed any more and the read models know. */
  readonly settle: () => Promise<void>;
  readonly waitFor: (what: string, timeoutMs: number, condition: () => boolean | Promise<boolean>) => Promise<void>;
  readonly query: <Row extends Record<string, unknown>>(sql: string, values?: unknown[]) => Promise<Row[]>;
  /** Stops everything politely and compares. */
  readonly finish: () => Promise<Verdict>;
  readonly close: () => Promise<void>;
};

/** Two events of a hundred always fail; of the others, one of ten fails at first. */
export const fateOf = (eventId: string): 'dead' | 'flaky' | 'well' => {
  const drawn = Number.parseInt(eventId.slice(0, 4), 16) % 100;
  if (drawn < 2) return 'dead';
  return drawn < 12 ? 'flaky' : 'well';
};

/** Connections of the runner itself; another pool when the database has come back elsewhere. */
const createPools = (database: Database) => {
  const pools = new Map<string, Pool>();
  return {
    current: (): Pool => {
      const url = database.url();
      const pool = pools.get(url) ?? new Pool({ connectionString: url, max: 2 });
      if (!pools.has(url)) pool.on('error', () => undefined);
      pools.set(url, pool);
      return pool;
    },
    end: async (): Promise<void> => {
      for (const [url, pool] of pools) {
        pools.delete(url);
        await pool.end();
      }
    },
  };
};

const freePort = (random: Random): number => 15_000 + random.between(0, 16_999);

/** Opens the world of a scenario: migrated, with a tenant, and no process yet. */
export const openRig = async ({
  server,
  seed,
  say,
  subscriptions = 2,
  origins = 1,
  isEmbedded = false,
  env = {},
}: RigOptions): Promise<Rig> => {
  const random = createRandom(seed);
  const database = isEmbedded ? await openEmbeddedDatabase() : await server.openDatabase();
  const receiver = await startReceiver(origins);
  const encryptionKey = { id: '1', key: randomBytes(32) };
  const tenant = await database.use(async (url) => {
    await migrate({ url });
    await initialise({ url, partitions: PARTITIONS });
    return createTenant({ url, partitions: PARTITIONS, encryptionKey, targetUrls: receiver.urls, subscriptions });
  });
  for (const { path, secret } of tenant.subscriptions) receiver.trust(path, secret);
  const ledger = createLedger();
  const masterKey = randomUUID();
  const pools = createPools(database);
  const proxies: DatabaseProxy[] = [];
  const processes = new Set<Posthorn>();
  const ports = new Map<string, number>();
  const findings: Finding[] = [];
  /** True once a process has ended that nobody told to. */
  let isBroken = false;
  const shared: Record<string, string> = {
    POSTHORN_MASTER_KEY: masterKey,
    POSTHORN_BISCUIT_PRIVATE_KEYS: `1:${randomBytes(32).toString('hex')}`,
    POSTHORN_ENCRYPTION_KEYS: `1:${encryptionKey.key.toString('base64')}`,
    POSTHORN_ALLOW_TARGET_CIDRS: `${RECEIVER_HOST}/32`,
    POSTHORN_LEASE: `${LEASE_MS}ms`,
    POSTHORN_ATTEMPT_TIMEOUT: '2s',
    POSTHORN_RETRY_SCHEDULE: '200ms,400ms,800ms',
    POSTHORN_RATE_LIMITS: 'off',
    POSTHORN_SHUTDOWN_TIMEOUT: `${SHUTDOWN_MS}ms`,
    ...env,
  };
  const fail = (text: string): void => {
    findings.push({ rule: 'scenario', text });
    say(`wrong: ${text}`);
  };
  const portOf = (name: string): number => {
    const port = ports.get(name) ?? freePort(random);
    ports.set(name, port);
    return port;
  };
  const urlOf = (name: string): string => `http://127.0.0.1:${portOf(name)}`;

  const waitFor: Rig['waitFor'] = async (what, timeoutMs, condition) => {
    const deadline = performance.now() + timeoutMs;
    while (!(await condition())) {
      if (isBroken) return; // Said already; what is waited for will not come.
      if (performance.now() > deadline) {
        fail(`${what} did not happen within ${timeoutMs} ms`);
        return;
      }
      await sleep(25);
    }
  };

  const start: Rig['start'] = async (name, roles, options = {}) => {
    const process = await startPosthorn({
      name,
      env: {
        ...shared,
        ...database.env,
        ...(options.proxy ? { DATABASE_URL: options.proxy.url } : {}),
        POSTHORN_ROLES: roles,
        PORT: String(portOf(name)),
        ...options.env,
      },
    });
    processes.add(process);
    say(`${name} (${process.pid}) is ready after ${process.readyMs.toFixed(0)} ms`);
    void process.exit.then(({ code, signal }) => {
      // Taken off the list before it is killed or stopped on purpose.
      if (!processes.delete(process)) return;
      isBroken = true;
      fail(`${name} ended by itself with ${code ?? signal}: ${process.complaints.slice(-12).join(' | ')}`);
    });
    return process;
  };

  const exposed: Rig['exposed'] = (process) => exposedBy({ receiver, pool: pools.current(), pid: process?.pid });

  const stop: Rig['stop'] = async (process, timeoutMs = SHUTDOWN_MS) => {
    processes.delete(process);
    process.signal('SIGTERM');
    const late = sleep(timeoutMs + 2_000, undefined, { ref: false });
    const exit = await Promise.race([process.exit, late]);
    if (exit?.code !== 0)
      fail(`${process.name} was told to stop and ${exit ? `ended with ${exit.code ?? exit.signal}` : 'did not'}`);
    process.signal('SIGKILL');
    return exit ?? process.exit;
  };

  const rig: Rig = {
    random,
    receiver,
    ledger,
    tenant,
    server,
    tally: { faults: 0, faultsMin: 1, duplicatesMax: 0, takeOverMs: undefined },
    mayEnd: (eventId) => (fateOf(eventId) === 'dead' ? ['dead_lettered'] : ['succeeded']),
    fail,
    say,
    proxy: async () => {
      const proxy = await startProxy(database.url(), random);
      proxies.push(proxy);
      return proxy;
    },
    start,
    process: (name) => {
      const found = [...processes].find((process) => process.name === name);
      if (!found) throw new Error(`No process ${name} is running.`);
      return found;
    },
    urlOf,
    load: (options) =>
      startClients({
        apiUrl: () => urlOf('api'),
        token: masterKey,
        applicationId: tenant.applicationId,
        eventType: tenant.eventType,
        ledger,
        random,
        ...options,
      }),
    crash: async (process) => {
      processes.delete(process);
      process.signal('SIGSTOP'); // Its sockets, and its database where it has its own, are asked before they are gone.
      const found = await exposed(process);
      process.signal('SIGKILL');
      await process.exit;
      rig.tally.duplicatesMax += found.keys.size;
      say(`${process.name} killed, ${found.keys.size} requests in flight`);
      return found;
    },
    stop,
    exposed,
    settle: async () => {
      say(`settling, ${ledger.acknowledged()} of ${ledger.entries.size} events acknowledged`);
      await waitFor(
        'the end of every delivery',
        SETTLE_MS,
        async () => (await readWorkList(pools.current())).length === 0,
      );
      await waitFor('the end of every projection', SETTLE_MS, async () => (await readLag(pools.current())) === 0);
    },
    waitFor,
    query: async (sql, values = []) => (await pools.current().query(sql, values)).rows,
    finish: async () => {
      say('stopping');
      for (const { name, complaints } of processes)
        say(`${name} complained ${complaints.length} times${complaints.length > 0 ? `: ${complaints.at(-1)}` : ''}`);
      await Promise.all([...processes].map((process) => stop(process)));
      await pools.end();
      const verdict = check({
        entries: ledger.entries,
        received: receiver.received,
        history: await database.use(readHistory),
        subscriptionIds: tenant.subscriptions.map(({ subscriptionId }) => subscriptionId),
        mayEnd: rig.mayEnd,
        ...rig.tally,
      });
      return { ...verdict, findings: [...findings, ...verdict.findings] };
    },
    close: async () => {
      for (const process of processes) {
        processes.delete(process);
        process.signal('SIGKILL');
        await process.exit;
      }
      await receiver.close();
      await pools.end();
      for (const proxy of proxies) await proxy.close();
      await database.close();
    },
  };
  receiver.behave(replying(0, 0, random));
  return rig;
};

/** Answers each event by its fate, after a time between two bounds. */
export const replying =
  (holdMinMs: number, holdMaxMs: number, random: Random): Parameters<Receiver['behave']>[0] =>
  ({ eventId, attempt }) => {
    const fate = fateOf(eventId);
    const fails = fate === 'dead' || (fate === 'flaky' && attempt === 1);
    return { status: fails ? 500 : 200, holdMs: random.between(holdMinMs, holdMaxMs) };
  };
