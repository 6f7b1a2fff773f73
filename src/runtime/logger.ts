import { DatabaseError } from 'pg';
import { type DestinationStream, type Logger, pino } from 'pino';
import type { Config } from '../config/load.ts';

/** All that a line may hold besides its message: what is not named here is dropped, whoever logs it. */
const FIELDS: ReadonlySet<string> = new Set([
  ...[
    'request_id',
    'client_request_id',
    'trace_id',
    'method',
    'route',
    'status',
    'ms',
    'ip',
    'actor',
    'problem',
    'path',
    'err',
  ],
  ...['processor', 'partition', 'epoch', 'deliveryId', 'subscriptionId'],
  ...['address', 'roles', 'partitions', 'version', 'signal'],
]);

const named = (line: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(line).filter(([name]) => FIELDS.has(name)));

/** SQLSTATE class 22: the value that could not be read is in the message. */
const quotesData = (error: Error): boolean =>
  error instanceof SyntaxError || (error instanceof DatabaseError && error.code?.startsWith('22') === true);

/** What parsers and Postgres quote in a message may be a payload or a secret. */
const messageOf = (error: Error): string =>
  quotesData(error) ? error.message.replace(/["'].*["']/s, '…') : error.message;

/** The stack begins with the message, which is told already, and not as it was. */
const framesOf = ({ stack = '' }: Error): string =>
  stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .join('\n');

const code = (error: Error): unknown => ('code' in error ? error.code : undefined);

/** Never what else an error carries: `detail`, `where` and `hint` of Postgres quote rows. */
const errorFields = (error: unknown): Readonly<Record<string, unknown>> =>
  error instanceof Error
    ? {
        type: error.name,
        code: code(error),
        message: messageOf(error),
        stack: framesOf(error),
        cause: error.cause instanceof Error ? `${error.cause.name}: ${messageOf(error.cause)}` : undefined,
      }
    : { type: typeof error };

/** JSON lines on standard output, or where it is told. */
export const createLogger = ({ logLevel }: Pick<Config, 'logLevel'>, destination?: DestinationStream): Logger => {
  const options = {
    level: logLevel,
    base: { pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { log: named },
    serializers: { err: errorFields },
  };
  return destination ? pino(options, destination) : pino(options);
};
