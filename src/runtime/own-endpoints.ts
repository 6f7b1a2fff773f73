import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Config } from '../config/load.ts';
import { type OwnEndpoint, parseAddress } from '../domain/target/address.ts';

const POSTGRES_PORT = 5432;
const EVERY_ADDRESS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);
/** Between two looks; a name that a failover moved is followed within this time. */
const EVERY_MS = 30_000;
/** A name may answer with some of its addresses at a time: one that it has not named for so long is not ours any more. */
const KEPT_MS = 3_600_000;
/** Of one host; beyond, those that were seen longest ago go first. */
const KEPT_MAX = 200;

/** Finds the addresses of a name; rejects, or answers with none, when it cannot. */
export type Lookup = (host: string) => Promise<readonly string[]>;

/** As the operating system resolves it. */
const lookUp: Lookup = async (host) => (await lookup(host, { all: true })).map(({ address }) => address);

const ownAddresses = (): string[] =>
  Object.values(networkInterfaces()).flatMap((found) => (found ?? []).map(({ address }) => address));

type Place = { readonly host: string; readonly port: number; readonly isWhole: boolean };

/** Where this process listens, and where its database is; of the latter nothing else may be reached either. */
const placesOf = ({ host, port }: Pick<Config, 'host' | 'port'>, databaseUrl: string): Place[] => {
  const database = URL.parse(databaseUrl);
  // As the driver reads it: a parameter wins over the name before the path, and a directory is a socket.
  const named = database?.searchParams.get('host') ?? database?.hostname ?? '';
  const databaseHost = named.replace(/^\[|\]$/g, '');
  const databasePort = Number(database?.searchParams.get('port') ?? (database?.port || POSTGRES_PORT));
  return [
    { host, port, isWhole: false },
    ...(databaseHost === '' || databaseHost.startsWith('/')
      ? []
      : [{ host: databaseHost, port: databasePort, isWhole: true }]),
  ];
};

/** Every address that a host was seen to have lately. */
const createSeen = (host: string, find: Lookup, nowMs: () => number) => {
  const seen = new Map<string, number>();
  const look = async (): Promise<readonly string[]> => {
    if (EVERY_ADDRESS.has(host)) return ownAddresses();
    return isIP(host) === 0 ? find(host) : [host];
  };
  return async (): Promise<readonly string[]> => {
    const found = await look().catch(() => []);
    const now = nowMs();
    for (const address of found) {
      seen.delete(address); // To the end: the first is the one that was seen longest ago.
      seen.set(address, now);
    }
    // Only a look that found something says that another address is gone: while DNS is down all stay.
    if (found.length > 0) for (const [address, at] of seen) if (now - at > KEPT_MS) seen.delete(address);
    for (const address of seen.keys()) if (seen.size > KEPT_MAX) seen.delete(address);
    return [...seen.keys()];
  };
};

export type OwnEndpoints = {
  /** Always the same list, whose content changes with what the names stand for. */
  readonly current: readonly OwnEndpoint[];
  readonly look: () => Promise<void>;
  readonly stop: () => void;
};

/**
 * Where this process listens and where its database is, for the egress guard: no target may be either, even on a public address
 * that a firewall closes to everybody else. Names are looked up again and again, since they may move. Resolves after the first look.
 */
export const watchOwnEndpoints = async (
  config: Pick<Config, 'host' | 'port'>,
  databaseUrl: string,
  {
    find = lookUp,
    nowMs = () => performance.now(),
    everyMs = EVERY_MS,
  }: { readonly find?: Lookup; readonly nowMs?: () => number; readonly everyMs?: number } = {},
): Promise<OwnEndpoints> => {
  const places = placesOf(config, databaseUrl).map((place) => ({
    ...place,
    addresses: createSeen(place.host, find, nowMs),
  }));
  const current: OwnEndpoint[] = [];
  const look = async (): Promise<void> => {
    const found = await Promise.all(
      places.map(async ({ port, isWhole, addresses }) =>
        (await addresses()).flatMap((text): OwnEndpoint[] => {
          const address = parseAddress(text);
          return address ? [{ address, port, isWhole }] : [];
        }),
      ),
    );
    current.splice(0, current.length, ...found.flat());
  };
  await look();
  let isStopped = false;
  let timer: NodeJS.Timeout;
  /** One look at a time, however long the resolver takes. */
  const wait = (): void => {
    timer = setTimeout(() => void look().finally(() => isStopped || wait()), everyMs);
    timer.unref();
  };
  wait();
  return {
    current,
    look,
    stop: () => {
      isStopped = true;
      clearTimeout(timer);
    },
  };
};
