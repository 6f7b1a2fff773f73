import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'pg';
import { readWorkList } from './history.ts';
import { attemptKey, type Receiver } from './receiver.ts';
import { portsTowards } from './sockets.ts';

/** What was already sent takes this long at most to arrive on the loopback. */
const ARRIVAL_MS = 100;

/** Requests that arrived and whose result is not recorded: if their sender is lost, they come again, once each. */
export type Exposed = {
  readonly atMs: number;
  /** See `attemptKey`. */
  readonly keys: ReadonlySet<string>;
  /** Where the process sends from; undefined for all processes. */
  readonly ports: ReadonlySet<number> | undefined;
};

/** Of one process, told by its sockets (so it must still exist when this is called), or of all. */
export const exposedBy = async ({
  receiver,
  pool,
  pid,
}: {
  receiver: Receiver;
  pool: Pool;
  pid: number | undefined;
}): Promise<Exposed> => {
  const atMs = performance.now();
  const ports = pid === undefined ? undefined : portsTowards(pid, receiver.ports);
  await sleep(ARRIVAL_MS);
  const arrived = receiver.received.filter(({ port }) => ports?.has(port) ?? true);
  const pending = new Set(
    (await readWorkList(pool)).map(({ deliveryId, attempt }) => attemptKey({ deliveryId, attempt })),
  );
  return { atMs, ports, keys: new Set(arrived.map(attemptKey).filter((key) => pending.has(key))) };
};

/** How long after it went missing the first and the last of them were sent again, as far as that has happened. */
export const resentAfterMs = (
  { atMs, keys }: Exposed,
  receiver: Receiver,
): { readonly first: number; readonly last: number } => {
  const firsts = new Map<string, number>();
  for (const request of receiver.received) {
    const key = attemptKey(request);
    if (request.atMs > atMs + ARRIVAL_MS && keys.has(key) && !firsts.has(key)) firsts.set(key, request.atMs - atMs);
  }
  return { first: Math.min(...firsts.values()), last: Math.max(0, ...firsts.values()) };
};
