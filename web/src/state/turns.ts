/**
 * Tabs of this browser take turns. Browsers have locks for that only over TLS and on this very machine; elsewhere a row of IndexedDB
 * serves, whose transactions no two tabs are in at once.
 */

const DATABASE = 'posthorn';
const STORE = 'turns';
/** Longer than what is done in a turn may take. */
const LEASE_MS = 30_000;
const AGAIN_MS = 50;

/** Who has the turn, and until when at the latest, by the clock that all tabs share. */
type Turn = { readonly holder: string; readonly until: number };

const settled = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** Null in a browser that keeps nothing for this page. */
const open = async (): Promise<IDBDatabase | null> => {
  try {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    return await settled(request);
  } catch {
    return null;
  }
};

/** Reads the turn and changes it as told, as one step for all tabs; answers with what it was. Null takes it away. */
const change = (
  database: IDBDatabase,
  name: string,
  next: (turn: Turn | undefined) => Turn | null | undefined,
): Promise<Turn | undefined> =>
  new Promise((resolve, reject) => {
    const transaction = database.transaction(STORE, 'readwrite');
    const store = transaction.objectStore(STORE);
    const found: IDBRequest<Turn | undefined> = store.get(name);
    found.onsuccess = () => {
      const turn = next(found.result);
      if (turn === null) store.delete(name);
      else if (turn) store.put(turn, name);
    };
    transaction.oncomplete = () => resolve(found.result);
    transaction.onabort = () => reject(transaction.error);
  });

/** Which turn a page was in when it was left, and when that was; kept in the browser. */
const LEFT = 'posthorn.left.';
/** What a page has asked for goes on when it is left, and nobody can tell when it has arrived: so long is it waited for. */
const ARRIVAL_MS = 2_000;

/** Turns that this page is in, by name. */
const holders = new Map<string, string>();
addEventListener('pagehide', () => {
  for (const [name, holder] of holders) localStorage.setItem(LEFT + name, `${Date.now()} ${holder}`);
});
const lastLeft = (name: string): { readonly atMs: number; readonly holder: string } => {
  const [at, holder = ''] = (localStorage.getItem(LEFT + name) ?? '').split(' ');
  return { atMs: Number(at), holder };
};

const asHolder = async <T>(name: string, holder: string, run: () => Promise<T>): Promise<T> => {
  const agoMs = Date.now() - lastLeft(name).atMs;
  if (agoMs >= 0 && agoMs < ARRIVAL_MS) await new Promise((resolve) => setTimeout(resolve, ARRIVAL_MS - agoMs));
  holders.set(name, holder);
  try {
    return await run();
  } finally {
    holders.delete(name);
  }
};

const inLeasedTurn = async <T>(name: string, holder: string, run: () => Promise<T>): Promise<T> => {
  const isHeld = (turn: Turn | undefined): boolean =>
    turn !== undefined && turn.until > Date.now() && turn.holder !== lastLeft(name).holder;
  const database = await open();
  if (!database) return run();
  try {
    const take = (turn: Turn | undefined): Turn | undefined =>
      isHeld(turn) ? undefined : { holder, until: Date.now() + LEASE_MS };
    while (isHeld(await change(database, name, take))) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    try {
      return await run();
    } finally {
      // Otherwise it ends by itself.
      await change(database, name, (turn) => (turn?.holder === holder ? null : undefined)).catch(() => undefined);
    }
  } finally {
    database.close();
  }
};

/** Runs it while no other tab runs anything of this name, nor waits for what it asked for when it was left. */
export const inTurn = <T>(name: string, run: () => Promise<T>): Promise<T> => {
  const holder = crypto.getRandomValues(new Uint32Array(4)).join('-');
  const held = (): Promise<T> => asHolder(name, holder, run);
  return 'locks' in navigator ? navigator.locks.request(name, held) : inLeasedTurn(name, holder, held);
};
