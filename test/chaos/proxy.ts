import { connect, createServer, type Socket } from 'node:net';
import type { Random } from './random.ts';

/** The end of the simple query `COMMIT` on the wire: its text and the zero byte behind it. */
const COMMIT = Buffer.from('COMMIT\0');

type Link = {
  readonly client: Socket;
  readonly server: Socket;
  /** Its packets are lost for good, whatever happens to the network. */
  isDead: boolean;
};

/** `reply`: the commit happens and nobody is told; `request`: it never arrives. */
export type CommitCut = { readonly what: 'reply' | 'request'; readonly share: number };

export type DatabaseProxy = {
  /** The database as reached through this proxy. */
  readonly url: string;
  readonly counters: {
    readonly connections: number;
    readonly resets: number;
    readonly commits: number;
    readonly cuts: number;
  };
  /** Breaks every connection with RST; answers how many there were. */
  readonly resetAll: () => number;
  /** From now on nothing passes in either direction, and nobody is told. */
  readonly blackhole: () => void;
  /** Lets everything pass again. Without `keep`, connections from before stay dead without a word: a firewall forgot them. */
  readonly heal: (options?: { readonly keep: boolean }) => void;
  /** Holds every chunk from the server back for so long. */
  readonly delay: (ms: number) => void;
  readonly cutCommits: (cut: CommitCut | undefined) => void;
  readonly close: () => Promise<void>;
};

/** Stands between one process and Postgres, and breaks what it is told to. */
export const startProxy = async (databaseUrl: string, random: Random): Promise<DatabaseProxy> => {
  const target = new URL(databaseUrl);
  const links = new Set<Link>();
  const counters = { connections: 0, resets: 0, commits: 0, cuts: 0 };
  let isBlack = false;
  let delayMs = 0;
  let cut: CommitCut | undefined;

  const drop = (link: Link): void => {
    links.delete(link);
    link.client.resetAndDestroy();
    link.server.destroy();
  };

  /** True when the client has just lost its connection over this commit. */
  const isCut = (link: Link, chunk: Buffer): boolean => {
    if (!chunk.subarray(-COMMIT.length).equals(COMMIT)) return false;
    counters.commits += 1;
    if (!cut || !random.chance(cut.share)) return false;
    counters.cuts += 1;
    if (cut.what === 'reply') {
      link.server.removeAllListeners('data');
      link.server.once('data', () => link.server.destroy()); // Only once it is committed.
      link.server.resume();
      link.server.write(chunk);
    } else link.server.destroy();
    links.delete(link);
    link.client.resetAndDestroy();
    return true;
  };

  const listener = createServer({ noDelay: true }, (client) => {
    const server = connect({ host: target.hostname, port: Number(target.port), noDelay: true });
    const link: Link = { client, server, isDead: false };
    links.add(link);
    counters.connections += 1;
    client.on('data', (chunk) => {
      if (!isCut(link, chunk)) server.write(chunk);
    });
    server.on('data', (chunk) => {
      if (delayMs === 0) client.write(chunk);
      else setTimeout(() => client.write(chunk), delayMs);
    });
    const isOver = (): boolean => isBlack || link.isDead || !links.has(link);
    client.on('end', () => isOver() || server.end());
    server.on('end', () => isOver() || client.end());
    for (const socket of [client, server]) {
      socket.on('error', () => undefined); // Followed by close.
      socket.on('close', () => isOver() || drop(link));
    }
    if (isBlack) pause(link);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('The proxy has no port.');

  return {
    url: Object.assign(new URL(databaseUrl), { hostname: '127.0.0.1', port: String(address.port) }).href,
    counters,
    resetAll: () => {
      const all = [...links];
      for (const link of all) drop(link);
      counters.resets += all.length;
      return all.length;
    },
    blackhole: () => {
      isBlack = true;
      for (const link of links) pause(link);
    },
    heal: ({ keep } = { keep: true }) => {
      isBlack = false;
      for (const link of links) {
        if (!keep) link.isDead = true;
        if (link.isDead) continue;
        if (link.client.destroyed || link.server.destroyed) drop(link);
        else for (const socket of [link.client, link.server]) socket.resume();
      }
    },
    delay: (ms) => {
      delayMs = ms;
    },
    cutCommits: (wanted) => {
      cut = wanted;
    },
    close: async () => {
      for (const link of [...links]) drop(link);
      await new Promise((resolve) => listener.close(resolve));
    },
  };
};

const pause = ({ client, server }: Link): void => {
  client.pause();
  server.pause();
};
