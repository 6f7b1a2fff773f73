/** Keys of one statement. */
const BATCH_MAX = 1_000;

type Waiting<Key, Value> = {
  readonly key: Key;
  readonly resolve: (value: Value | undefined) => void;
  readonly reject: (error: unknown) => void;
};

/**
 * Gathers the keys that resolvers ask for in one turn and reads them together, each once for as long as the loader lives,
 * which is one operation: so a nested list costs one statement, however long it is.
 */
export const createLoader = <Key, Value>(
  idOf: (key: Key) => string,
  readBatch: (keys: readonly Key[]) => Promise<ReadonlyMap<string, Value>>,
): ((key: Key) => Promise<Value | undefined>) => {
  const known = new Map<string, Promise<Value | undefined>>();
  let waiting: Waiting<Key, Value>[] = [];

  const dispatch = async (batch: readonly Waiting<Key, Value>[]): Promise<void> => {
    try {
      const found = await readBatch(batch.map(({ key }) => key));
      for (const { key, resolve } of batch) resolve(found.get(idOf(key)));
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  };

  const flush = (): void => {
    const all = waiting;
    waiting = [];
    for (let at = 0; at < all.length; at += BATCH_MAX) void dispatch(all.slice(at, at + BATCH_MAX));
  };

  return (key) => {
    const id = idOf(key);
    const before = known.get(id);
    if (before) return before;
    const loading = new Promise<Value | undefined>((resolve, reject) => {
      // After all promises that are settled by now have run: their resolvers may want more keys of this batch.
      if (waiting.length === 0) void Promise.resolve().then(() => process.nextTick(flush));
      waiting.push({ key, resolve, reject });
    });
    known.set(id, loading);
    return loading;
  };
};
