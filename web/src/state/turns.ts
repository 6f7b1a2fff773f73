/**
 * Tabs of this browser take turns. Browsers have locks for that only over TLS and on this very machine; elsewhere a row of IndexedDB
 * serves, whose transactions no two tabs are in at once.
 */

const DATABASE = 'posthorn';
const STORE = 'turns';
/** Longer than what is done in a turn may take. A tab that was closed within its turn holds up the others for as long. */
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

const isHeld = (turn: Turn | undefined): boolean => turn !== undefined && turn.until > Date.now();

const inLeasedTurn = async <T>(name: string, run: () => Promise<T>): Promise<T> => {
  const holder = crypto.getRandomValues(new Uint32Array(4)).join('-');
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

/** Runs it while no other tab runs anything of this name. */
export const inTurn = <T>(name: string, run: () => Promise<T>): Promise<T> =>
  'locks' in navigator ? navigator.locks.request(name, run) : inLeasedTurn(name, run);
