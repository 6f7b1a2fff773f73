import { Pool, type PoolConfig } from 'pg';

/**
 * For statements that only ever look up by key in tables which grow and shrink by thousands of rows a second: whatever the
 * statistics of the moment say, the index is right, and one generic plan per statement is enough.
 */
export const BY_KEY_ONLY =
  ' -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c enable_bitmapscan=off -c plan_cache_mode=force_generic_plan';

/**
 * For transactions that lock the heads of the log: a process that is cut off in the midst of one holds everybody up until the
 * server ends it.
 */
export const HOLDS_HEADS = ' -c idle_in_transaction_session_timeout=2s';

/**
 * A pool whose connections act as `posthorn_app`, the role that can append to the log but never change it, or as `posthorn_tenant`,
 * which can only read, and sees the rows of the organizations that it is told. The timeouts
 * are those of docs/operations.md: without them a stuck transaction would hold the heads for ever.
 */
export const createAppPool = ({
  url,
  max,
  name,
  role = 'posthorn_app',
  settings = '',
  queryTimeoutMs = 20_000,
}: {
  url: string;
  max: number;
  name: string;
  role?: 'posthorn_app' | 'posthorn_tenant';
  /** Further `-c name=value` for every connection. */
  settings?: string;
  /** After which a connection that does not answer is given up. */
  queryTimeoutMs?: number;
}): Pool => {
  const config: PoolConfig = {
    connectionString: url,
    max,
    application_name: `posthorn ${name}`,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    // Beyond what the server allows a statement: the connection itself must be gone, so it is closed.
    query_timeout: queryTimeoutMs,
    // Statements sent one after the other without waiting share a round trip.
    pipeline: true,
    options:
      `-c role=${role} -c statement_timeout=15s -c lock_timeout=5s -c idle_in_transaction_session_timeout=10s` +
      settings,
  };
  const pool = new Pool(config);
  // A connection that breaks is replaced, and whatever it was asked is refused with the reason. Both kinds must be listened
  // to, or Node ends the process: those lying idle report to the pool, those in use to nobody but themselves.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
};
