import { z } from 'zod';
import { parseRetrySchedule } from '#src/domain/delivery/retry-schedule.ts';
import {
  cidr,
  DEFAULT_RATE_LIMITS,
  dnsServer,
  duration,
  keyList,
  list,
  listOrNone,
  origin,
  ports,
  rateLimits,
  textOf,
  url,
  wholeNumber,
  yesOrNo,
} from './values.ts';

export const ROLES = ['api', 'worker', 'projector'] as const;
export type Role = (typeof ROLES)[number];
const LOGGED_REQUESTS = ['failed', 'all'] as const;
const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/** What is known about a variable besides its type. */
export type Variable = {
  readonly variable: string;
  /** An older or shorter name that counts when the first is not set. */
  readonly alias?: string;
  readonly description: string;
  /** Completes the sentence "it must be ...". */
  readonly expected: string;
  /** As it would be written in the environment; null when the variable may be absent. */
  readonly default: string | null;
  /** Never shown: `all` of it, or the `password` inside a URL. */
  readonly secret?: 'all' | 'password';
  /** Made once and kept in the data directory when absent and the database is embedded. */
  readonly generated?: true;
};

/** Zod keeps what it is told about a field here, typed. */
export const variables = z.registry<Variable>();

const SECOND = 1_000;
const HOUR = 3_600 * SECOND;
const COUNT_MAX = 2_147_483_647;

const whole = (about: Omit<Variable, 'expected'>, min: number, max: number) =>
  wholeNumber(min, max).register(variables, { ...about, expected: `a whole number from ${min} to ${max}` });
const lasting = (about: Omit<Variable, 'expected'>, minMs: number, maxMs: number) =>
  duration(minMs, maxMs).register(variables, {
    ...about,
    expected: `a duration from ${minMs}ms to ${maxMs / SECOND}s, such as 250ms, 15s, 10m or 10h`,
  });
const flag = (about: Omit<Variable, 'expected'>) =>
  yesOrNo().register(variables, { ...about, expected: 'true or false' });
const quota = (name: string, standard: string, what: string) =>
  whole({ variable: `POSTHORN_QUOTA_${name}`, default: standard, description: `Quota: ${what}.` }, 0, COUNT_MAX);

/** All configuration. Fields in the order in which they are shown. */
export const configSchema = z.object({
  host: textOf((text) => (/^[0-9A-Za-z.:_-]+$/.test(text) ? text : undefined)).register(variables, {
    variable: 'HOST',
    default: '127.0.0.1',
    description: 'Address that the HTTP server listens on.',
    expected: 'an IP address or a host name',
  }),
  port: whole(
    { variable: 'PORT', default: '8080', description: 'Port of the HTTP server; 0 takes a free one.' },
    0,
    65_535,
  ),
  publicUrl: url('http:', 'https:').optional().register(variables, {
    variable: 'POSTHORN_PUBLIC_URL',
    default: null,
    description: 'Address under which people reach Posthorn, for links in mails; http://HOST:PORT when absent.',
    expected: 'an http or https URL',
  }),
  roles: list((text) => ROLES.find((role) => role === text)).register(variables, {
    variable: 'POSTHORN_ROLES',
    default: ROLES.join(','),
    description: 'What this process does; any number of processes may share a database.',
    expected: `a list of ${ROLES.join(', ')}`,
  }),
  logLevel: z.enum(LOG_LEVELS).register(variables, {
    variable: 'POSTHORN_LOG_LEVEL',
    alias: 'LOG_LEVEL',
    default: 'info',
    description: 'Least important level that is logged.',
    expected: `one of ${LOG_LEVELS.join(', ')}`,
  }),
  logRequests: z.enum(LOGGED_REQUESTS).register(variables, {
    variable: 'POSTHORN_LOG_REQUESTS',
    default: 'failed',
    description: 'Which requests to the API are logged at level info: those that failed or took a second, or all.',
    expected: `one of ${LOGGED_REQUESTS.join(', ')}`,
  }),
  databaseUrl: url('postgres:', 'postgresql:').optional().register(variables, {
    variable: 'DATABASE_URL',
    default: null,
    description: 'Your own PostgreSQL, 15 or newer; an embedded one runs in the data directory when absent.',
    expected: 'a postgres:// URL',
    secret: 'password',
  }),
  dataDir: z.string().register(variables, {
    variable: 'POSTHORN_DATA_DIR',
    default: './.posthorn',
    description: 'Directory of the embedded database, the generated secrets and the undelivered mail.',
    expected: 'a path',
  }),
  masterKey: textOf((text) => (/^[\x21-\x7e]{16,}$/.test(text) ? text : undefined))
    .optional()
    .register(variables, {
      variable: 'POSTHORN_MASTER_KEY',
      default: null,
      description: 'Bearer key that may do everything on this instance.',
      expected: 'at least 16 characters without spaces, a UUID for instance',
      secret: 'all',
      generated: true,
    }),
  biscuitPrivateKeys: keyList('hex').optional().register(variables, {
    variable: 'POSTHORN_BISCUIT_PRIVATE_KEYS',
    default: null,
    description: 'Ed25519 keys of the access tokens; the first one signs, all of them verify.',
    expected: 'a list of id:key with different ids, each key 64 hexadecimal digits',
    secret: 'all',
    generated: true,
  }),
  encryptionKeys: keyList('base64').optional().register(variables, {
    variable: 'POSTHORN_ENCRYPTION_KEYS',
    default: null,
    description: 'Keys of the secrets at rest; the first one encrypts, all of them decrypt.',
    expected: 'a list of id:key with different ids, each key 32 bytes in base64',
    secret: 'all',
    generated: true,
  }),
  partitions: whole(
    {
      variable: 'POSTHORN_PARTITIONS',
      default: '16',
      description: 'Number of log partitions; fixed when the database is created.',
    },
    1,
    1_024,
  ),
  leaseMs: lasting(
    {
      variable: 'POSTHORN_LEASE',
      default: '5s',
      description: 'How long a process owns a log partition without renewing.',
    },
    500,
    600 * SECOND,
  ),
  retrySchedule: textOf((text) => parseRetrySchedule(text) && text).register(variables, {
    variable: 'POSTHORN_RETRY_SCHEDULE',
    default: 'exponential(30s, 2, 10h, 16)',
    description: 'Delays before the retries of a failed delivery; a subscription may carry its own.',
    expected: 'exponential(first delay, factor, longest delay, retries) or a list of delays such as 3s,10s,30m,10h×17',
  }),
  attemptTimeoutMs: lasting(
    {
      variable: 'POSTHORN_ATTEMPT_TIMEOUT',
      default: '15s',
      description: 'Time for one request: DNS, connect, TLS, headers and body together.',
    },
    10,
    600 * SECOND,
  ),
  concurrency: whole(
    { variable: 'POSTHORN_CONCURRENCY', default: '1024', description: 'Requests in flight per process, at most.' },
    1,
    65_536,
  ),
  subscriptionConcurrency: whole(
    {
      variable: 'POSTHORN_SUBSCRIPTION_CONCURRENCY',
      default: '32',
      description: 'Requests in flight per subscription, at most.',
    },
    1,
    65_536,
  ),
  payloadBytesMax: whole(
    {
      variable: 'POSTHORN_MAX_PAYLOAD_BYTES',
      default: '524288',
      description: 'Largest payload of an event, in bytes.',
    },
    1,
    64 * 1_048_576,
  ),
  allowHttpTargets: flag({
    variable: 'POSTHORN_ALLOW_HTTP_TARGETS',
    default: 'true',
    description: 'Whether targets may be http:// and not only https://.',
  }),
  builtInReceiver: flag({
    variable: 'POSTHORN_BUILT_IN_RECEIVER',
    default: 'true',
    description: 'Whether http://receiver.posthorn.internal may be a target, which each worker answers itself.',
  }),
  allowTargetCidrs: listOrNone(cidr).register(variables, {
    variable: 'POSTHORN_ALLOW_TARGET_CIDRS',
    default: 'none',
    description: 'Networks that deliveries may go to although the egress guard denies them.',
    expected: 'a list of networks such as 127.0.0.9/32 or fd00::/8, or none',
  }),
  denyTargetPorts: listOrNone(ports)
    .transform((ranges) => ranges.flat())
    .register(variables, {
      variable: 'POSTHORN_DENY_TARGET_PORTS',
      default: '2375-2380,3306,5432,5984,6379,6443,8500,9200,9300,10250,11211,27017',
      description: 'Ports that targets may not have; below 1024 only 80 and 443 are open in any case.',
      expected: 'a list of ports and ranges such as 3306,6000-6063, or none',
    }),
  dnsServers: listOrNone(dnsServer).register(variables, {
    variable: 'POSTHORN_DNS_SERVERS',
    default: 'none',
    description: 'Resolvers of the egress guard; those of the system when none.',
    expected: 'a list of ip:port such as 9.9.9.9:53 or [2620:fe::fe]:53, or none',
  }),
  signatureHeader: textOf((text) => (/^[0-9A-Za-z-]{1,64}$/.test(text) ? text : undefined)).register(variables, {
    variable: 'POSTHORN_SIGNATURE_HEADER',
    default: 'X-Hook0-Signature',
    description: 'Header of the Hook0 signature.',
    expected: 'a header name of letters, digits and hyphens',
  }),
  signatureV0: flag({
    variable: 'POSTHORN_SIGNATURE_V0',
    default: 'false',
    description: 'Whether that header carries the old v0 signature too.',
  }),
  corsOrigins: listOrNone(origin).register(variables, {
    variable: 'POSTHORN_CORS_ORIGINS',
    default: 'none',
    description: 'Origins whose pages may use the API from a browser, besides our own.',
    expected: 'a list of origins such as https://app.example.com, or none',
  }),
  trustedProxies: listOrNone(cidr).register(variables, {
    variable: 'POSTHORN_TRUSTED_PROXIES',
    default: 'none',
    description: 'Networks of the proxies whose X-Forwarded-For, -Proto and -Host are believed.',
    expected: 'a list of networks such as 10.0.0.0/8 or fd00::/8, or none',
  }),
  rateLimits: rateLimits().register(variables, {
    variable: 'POSTHORN_RATE_LIMITS',
    default: DEFAULT_RATE_LIMITS,
    description: 'Requests per second of a token, of an organization, and of an address without a token.',
    expected: `off, or a list such as ${DEFAULT_RATE_LIMITS}`,
  }),
  retentionDays: whole(
    {
      variable: 'POSTHORN_RETENTION_DAYS',
      default: '90',
      description: 'Days (UTC) that payloads and what receivers answered are kept, unless quotas are enforced.',
    },
    1,
    36_500,
  ),
  quotas: flag({
    variable: 'POSTHORN_QUOTAS',
    default: 'off',
    description: 'Whether the quotas of plans are enforced.',
  }),
  quotaMembers: quota('MEMBERS', '1', 'members per organization'),
  quotaApplications: quota('APPLICATIONS', '1', 'applications per organization'),
  quotaEventsPerDay: quota('EVENTS_PER_DAY', '100', 'events per day (UTC)'),
  quotaRetentionDays: quota('RETENTION_DAYS', '7', 'days that events are kept'),
  quotaSubscriptions: quota('SUBSCRIPTIONS', '10', 'subscriptions per application'),
  quotaEventTypes: quota('EVENT_TYPES', '10', 'event types per application'),
  shutdownTimeoutMs: lasting(
    {
      variable: 'POSTHORN_SHUTDOWN_TIMEOUT',
      default: '20s',
      description: 'Time for what is in flight to end after SIGTERM.',
    },
    0,
    HOUR,
  ),
  healthKey: z.string().optional().register(variables, {
    variable: 'POSTHORN_HEALTH_KEY',
    default: null,
    description: "Opens Hook0's GET /api/v1/health?key=…, which answers 404 when this is absent; /readyz needs no key.",
    expected: 'a text',
    secret: 'all',
  }),
  registration: flag({
    variable: 'POSTHORN_REGISTRATION',
    default: 'on',
    description: 'Whether people may make accounts; off, none can be made.',
  }),
  supportEmail: textOf((text) => (/^[^\s@]+@[^\s@]+$/.test(text) ? text : undefined))
    .optional()
    .register(variables, {
      variable: 'POSTHORN_SUPPORT_EMAIL',
      default: null,
      description: 'Address that clients are told for questions.',
      expected: 'a mail address',
    }),
  smtpUrl: url('smtp:', 'smtps:').optional().register(variables, {
    variable: 'SMTP_URL',
    default: null,
    description: 'Mail server; without one every mail is written to the mail directory.',
    expected: 'an smtp:// or smtps:// URL',
    secret: 'password',
  }),
  mailFrom: textOf((text) => (/^[^\r\n]+$/.test(text) && text.includes('@') ? text : undefined)).register(variables, {
    variable: 'POSTHORN_MAIL_FROM',
    default: 'Posthorn <posthorn@localhost>',
    description: 'Sender of mails.',
    expected: 'a mail address, with a name before it if wanted: Posthorn <posthorn@example.com>',
  }),
  mailDir: z.string().optional().register(variables, {
    variable: 'POSTHORN_MAIL_DIR',
    default: null,
    description: 'Where mails are written (.eml) without a mail server; <data dir>/mail when absent.',
    expected: 'a path',
  }),
});
