/**
 * For durable operation on a small machine: whatever makes a commit survive a power loss stays on. Given on the command
 * line, so that they hold whatever the data directory's postgresql.conf says.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1', // The bundled OpenSSL is past its end of life: never reachable from outside.
  unix_socket_directories: '',
  max_connections: '100',
  password_encryption: 'scram-sha-256',

  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',

  shared_buffers: '256MB',
  max_wal_size: '4GB',
  min_wal_size: '512MB', // Segments are reused instead of made and removed all the time.
  checkpoint_timeout: '15min',
  wal_compression: 'off', // The build has pglz only, which costs more CPU than it saves here.
  random_page_cost: '1.1',
  jit: 'off',
  max_parallel_workers_per_gather: '0', // Two cores, short queries; and containers give /dev/shm 64 MB only.

  // Queues and read models turn over quickly: small tables must be vacuumed within seconds.
  autovacuum_naptime: '5s',
  autovacuum_vacuum_scale_factor: '0.05',
  autovacuum_analyze_scale_factor: '0.05',
  autovacuum_vacuum_insert_scale_factor: '0.1',
  autovacuum_vacuum_cost_limit: '2000',

  // A backend whose postmaster and client were both killed must not compute on and hold up the next start.
  client_connection_check_interval: '1s',

  timezone: 'UTC',
  log_timezone: 'UTC',
  log_destination: 'stderr',
  logging_collector: 'off',
  log_checkpoints: 'off',
  log_line_prefix: '',
  // What it prints goes to our log, where neither rows (DETAIL, CONTEXT) nor values in statements may be.
  log_error_verbosity: 'terse',
  log_min_error_statement: 'panic',
};

export const serverArguments = (pgData: string, port: number): string[] => [
  '-D',
  pgData,
  '-p',
  String(port),
  ...Object.entries(SETTINGS).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
];
