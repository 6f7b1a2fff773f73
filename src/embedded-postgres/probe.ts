import { Client } from 'pg';

const CONNECT_MS = 5_000;

/**
 * True when the database answers; makes it when the server is there and the database is not yet. False while the server
 * starts or does not listen; throws on everything else, such as a wrong password.
 */
export const connectOnce = async (url: string): Promise<boolean> => {
  try {
    await query(url, 'SELECT 1');
    return true;
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === '3D000') return createDatabase(url);
    if (isNotThereYet(code)) return false;
    throw error;
  }
};

/** Like `connectOnce`, for an address that anybody may be behind by now: makes nothing, throws nothing. */
export const answers = async (url: string): Promise<boolean> => {
  try {
    await query(url, 'SELECT 1');
    return true;
  } catch {
    return false;
  }
};

/** 57P03: starting up, shutting down, or in recovery. Class 08 and no code at all: the connection broke. */
const isNotThereYet = (code: string | undefined): boolean =>
  code === undefined || code === '57P03' || code === '57P01' || code.startsWith('08') || /^E[A-Z]+$/.test(code);

const createDatabase = async (url: string): Promise<boolean> => {
  const { pathname } = new URL(url);
  const maintenance = new URL('/postgres', url).href;
  await query(maintenance, `CREATE DATABASE "${pathname.slice(1)}"`);
  return true;
};

const query = async (connectionString: string, text: string): Promise<void> => {
  const client = new Client({ connectionString, connectionTimeoutMillis: CONNECT_MS, query_timeout: CONNECT_MS * 6 });
  client.on('error', () => {}); // The server went while the connection was idle: the query says so too.
  try {
    await client.connect();
    await client.query(text);
  } finally {
    await client.end().catch(() => {});
  }
};
