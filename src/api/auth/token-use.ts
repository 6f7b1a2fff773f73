import type { Pool } from 'pg';

/** A token that is used all the time is written down this often. */
const EVERY_MS = 60_000;
const NOTED_MAX = 10_000;
const NOTE = `
  INSERT INTO service_token_use AS u (token_id, last_used_at)
  SELECT t.id, $2 FROM unnest($1::uuid[]) AS t (id)
  ON CONFLICT (token_id) DO UPDATE SET last_used_at = greatest(u.last_used_at, excluded.last_used_at)`;

/** Remembers when service tokens were used last, to the minute. */
export type TokenUse = { readonly note: (tokenId: string) => void; readonly stop: () => Promise<void> };

export const createTokenUse = ({
  pool,
  now,
  onError,
}: {
  pool: Pool;
  now: () => Date;
  onError: (error: unknown) => void;
}): TokenUse => {
  let used = new Set<string>();
  const flush = async (): Promise<void> => {
    if (used.size === 0) return;
    const tokenIds = [...used].sort(); // In one order everywhere, or two processes could block each other.
    used = new Set();
    await pool.query(NOTE, [tokenIds, now()]).catch(onError);
  };
  const timer = setInterval(() => void flush(), EVERY_MS);
  timer.unref();
  return {
    note: (tokenId) => {
      if (used.size < NOTED_MAX) used.add(tokenId);
    },
    stop: async () => {
      clearInterval(timer);
      await flush();
    },
  };
};
