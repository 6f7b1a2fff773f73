import { Pool, type PoolConfig } from 'pg';

/**
 * A pool whose connections act as `posthorn_app`, the role that can append to the log but never change it. The timeouts
 * are those of docs/operations.md: without them a stuck transaction would hold the heads for ever.
 */
export const createAppPool = ({ url, max, name }: { url: string; max: number; name: string }): Pool => {
  const config: PoolConfig = {
    connectionString: url,
    max,
    application_name: `posthorn ${name}`,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    options:
      '-c role=posthorn_app -c statement_timeout=15s -c lock_timeout=5s -c idle_in_transaction_session_timeout=10s',
  };
  const pool = new Pool(config);
  // An idle connection that breaks is replaced at the next use, which reports what is wrong.
  pool.on('error', () => undefined);
  return pool;
};
