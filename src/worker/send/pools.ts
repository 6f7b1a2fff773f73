import { type buildConnector, Pool } from 'undici';

export type PoolsDeps = {
  readonly connect: buildConnector.connector;
  readonly connectionsPerOrigin: number;
  readonly originsMax: number;
};
export type OriginPool = { readonly pool: Pool; readonly openedAt: number; active: number; usedAt: number };
export type Pools = {
  readonly acquire: (origin: string) => OriginPool;
  readonly release: (entry: OriginPool) => void;
  readonly size: () => number;
  /** Waits for what is in flight, which its own deadline ends. */
  readonly close: () => Promise<void>;
};

/** Below the 5 s after which common servers close an idle connection: the side that closes first wins no race. */
const KEEP_ALIVE_MS = 4_000;
const IDLE_MS_MAX = 2 * KEEP_ALIVE_MS;
/** A busy socket never asks the DNS again, so a receiver that moved is found after this long at the latest. */
const AGE_MS_MAX = 300_000;
const HEADER_BYTES_MAX = 16_384;

/** One pool per origin, as few as are in use: the least recently used go first, and idle ones close by themselves. */
export const createPools = ({ connect, connectionsPerOrigin, originsMax }: PoolsDeps): Pools => {
  const entries = new Map<string, OriginPool>(); // In the order of last use.

  const retire = (origin: string, { pool }: OriginPool): Promise<void> => {
    entries.delete(origin);
    return pool.close();
  };

  const open = (origin: string): OriginPool => {
    for (const [other, entry] of entries) {
      if (entries.size < originsMax) break;
      if (entry.active === 0) retire(other, entry);
    }
    const pool = new Pool(origin, { ...POOL_SETTINGS, connect, connections: connectionsPerOrigin });
    return { pool, openedAt: performance.now(), active: 0, usedAt: 0 };
  };

  const sweep = (): void => {
    const before = performance.now() - IDLE_MS_MAX;
    for (const [origin, entry] of entries) {
      if (entry.usedAt > before) break;
      if (entry.active === 0) retire(origin, entry);
    }
  };
  const sweeper = setInterval(sweep, KEEP_ALIVE_MS).unref();

  return {
    acquire: (origin) => {
      const now = performance.now();
      let entry = entries.get(origin);
      if (entry !== undefined && now - entry.openedAt > AGE_MS_MAX) {
        retire(origin, entry);
        entry = undefined;
      }
      entry ??= open(origin);
      entries.delete(origin);
      entries.set(origin, entry);
      entry.active += 1;
      entry.usedAt = now;
      return entry;
    },
    release: (entry) => {
      entry.active -= 1;
    },
    size: () => entries.size,
    close: async () => {
      clearInterval(sweeper);
      await Promise.all([...entries].map(([origin, entry]) => retire(origin, entry)));
    },
  };
};

/** undici's own timeouts are off: a byte now and then resets them, and our deadline covers all that they would. */
const POOL_SETTINGS = {
  allowH2: false,
  bodyTimeout: 0,
  headersTimeout: 0,
  keepAliveMaxTimeout: KEEP_ALIVE_MS,
  keepAliveTimeout: KEEP_ALIVE_MS,
  maxHeaderSize: HEADER_BYTES_MAX,
  pipelining: 1,
  useMilo: false, // Else an environment variable would choose the parser.
} as const;
