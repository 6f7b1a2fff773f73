import type { Pool } from 'pg';
import { createAppPool } from '../eventstore/pool.ts';

/** Counting a day that is to be dropped reads all of it, once, and nobody waits for it. */
const STATEMENT_TIMEOUT_S = 900;

/** Connections for cleaning alone. */
export const createRetentionPool = (url: string): Pool =>
  createAppPool({
    url,
    max: 2,
    name: 'retention',
    settings: ` -c statement_timeout=${STATEMENT_TIMEOUT_S}s`,
    queryTimeoutMs: (STATEMENT_TIMEOUT_S + 5) * 1_000,
  });
