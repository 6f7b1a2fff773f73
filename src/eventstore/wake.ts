import { Client } from 'pg';

const CHANNEL = 'posthorn_log';
/** At most one NOTIFY in this time, whatever is committed: eager wake-ups cost more than they bring. */
const COALESCE_MS = 10;
const RECONNECT_MS = 1_000;
/** A server that says nothing for so long holds up neither later hints nor the end. */
const ANSWERS_WITHIN_MS = 2_000;

export type Wake = {
  /** Tells the other processes that these log partitions have grown; sent soon, on a connection of its own. */
  announce(partitions: Iterable<number>): void;
  /** Sends first what is announced already: the others would find the last work of this process later otherwise. */
  stop(): Promise<void>;
};

/**
 * The hint between processes: a coalesced NOTIFY naming log partitions. A lost one costs nothing but time, since every
 * reader polls as well; so a broken connection is only opened again.
 */
export const createWake = ({
  url,
  onWake,
  onError,
}: {
  url: string;
  /** Partitions that another process has appended to. */
  onWake: (partitions: readonly number[]) => void;
  onError: (error: unknown) => void;
}): Wake => {
  let client: Client | undefined;
  let stopped = false;
  let retry: NodeJS.Timeout | undefined;
  let timer: NodeJS.Timeout | undefined;
  const pending = new Set<number>();
  /** The last hint to be sent; a connection sends one after the other. */
  let sending: Promise<unknown> = Promise.resolve();

  const send = (): void => {
    timer = undefined;
    if (!client || pending.size === 0) return;
    const payload = [...pending].join(',');
    pending.clear();
    sending = client.query('SELECT pg_notify($1, $2)', [CHANNEL, payload]).catch(onError);
  };

  const connect = async (): Promise<void> => {
    if (stopped) return;
    const next = new Client({
      connectionString: url,
      application_name: 'posthorn wake',
      keepAlive: true,
      query_timeout: ANSWERS_WITHIN_MS,
      // A hint need not survive a crash, so its commit waits for no disk.
      options: '-c role=posthorn_app -c synchronous_commit=off',
    });
    const lost = (error?: unknown): void => {
      if (client === next) client = undefined;
      if (stopped) return;
      if (error) onError(error);
      clearTimeout(retry);
      retry = setTimeout(() => void connect(), RECONNECT_MS);
    };
    next.on('error', lost);
    next.on('end', () => lost());
    next.on('notification', ({ payload, processId }) => {
      if (!payload || processId === backend(next)) return;
      onWake(payload.split(',').map(Number));
    });
    try {
      await next.connect();
      await next.query(`LISTEN ${CHANNEL}`);
      client = next;
    } catch (error) {
      lost(error);
    }
  };
  void connect();

  return {
    announce: (partitions) => {
      if (stopped) return;
      for (const partition of partitions) pending.add(partition);
      timer ??= setTimeout(send, COALESCE_MS);
    },
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      clearTimeout(retry);
      send();
      await sending;
      await client?.end().catch(onError);
    },
  };
};

/** The server process behind a connection; `pg` keeps it without a type. */
const backend = (client: Client): number | undefined => (client as unknown as { processID?: number }).processID;
