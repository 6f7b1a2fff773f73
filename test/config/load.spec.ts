import { describe, expect, it } from 'vitest';
import { ConfigError, loadConfig } from '#src/config/load.ts';
import { DENIED_PORTS } from '#src/domain/target/target.ts';

const HEX = 'ab'.repeat(32);
const BASE64 = Buffer.alloc(32, 7).toString('base64');

const refusal = (env: Record<string, string>): string => {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return 'accepted';
};

describe('loading the configuration', () => {
  it('needs nothing to be set', () => {
    expect(loadConfig({})).toStrictEqual({
      host: '127.0.0.1',
      port: 8080,
      publicUrl: 'http://127.0.0.1:8080',
      roles: ['api', 'worker', 'projector'],
      logLevel: 'info',
      logRequests: 'failed',
      databaseUrl: undefined,
      dataDir: `${process.cwd()}/.posthorn`,
      masterKey: undefined,
      biscuitPrivateKeys: undefined,
      encryptionKeys: undefined,
      healthKey: undefined,
      partitions: 16,
      leaseMs: 5_000,
      retrySchedule: 'exponential(30s, 2, 10h, 16)',
      attemptTimeoutMs: 15_000,
      concurrency: 1_024,
      subscriptionConcurrency: 32,
      payloadBytesMax: 524_288,
      allowHttpTargets: true,
      builtInReceiver: true,
      allowTargetCidrs: [],
      denyTargetPorts: [...DENIED_PORTS],
      dnsServers: [],
      signatureHeader: 'X-Hook0-Signature',
      signatureV0: false,
      corsOrigins: [],
      trustedProxies: [],
      rateLimits: { token: 5_000, organization: 10_000, address: 200 },
      retentionDays: 90,
      quotas: {
        enabled: false,
        members: 1,
        applications: 1,
        eventsPerDay: 100,
        retentionDays: 7,
        subscriptions: 10,
        eventTypes: 10,
      },
      shutdownTimeoutMs: 20_000,
      registration: true,
      supportEmail: undefined,
      smtpUrl: undefined,
      mailFrom: 'Posthorn <posthorn@localhost>',
      mailDir: `${process.cwd()}/.posthorn/mail`,
    });
  });

  it('takes an empty variable for an absent one', () => {
    expect(loadConfig({ PORT: '', DATABASE_URL: ' ', LOG_LEVEL: '' })).toStrictEqual(loadConfig({}));
  });

  it('reads every kind of value', () => {
    const config = loadConfig({
      HOST: '::1',
      PORT: '0',
      POSTHORN_ROLES: 'worker, api',
      POSTHORN_LEASE: '1.5s',
      POSTHORN_ATTEMPT_TIMEOUT: '250ms',
      POSTHORN_ALLOW_TARGET_CIDRS: '127.0.0.9/32,fd00::/8',
      POSTHORN_DNS_SERVERS: '9.9.9.9,[::1]:5353,10.0.0.1:53',
      POSTHORN_RATE_LIMITS: 'address=7/s',
      POSTHORN_QUOTAS: 'on',
      POSTHORN_QUOTA_MEMBERS: '3',
      POSTHORN_BISCUIT_PRIVATE_KEYS: `new:${HEX}, old:${'00'.repeat(32)}`,
      POSTHORN_ENCRYPTION_KEYS: `1:${BASE64}`,
    });
    expect(config).toMatchObject({
      publicUrl: 'http://[::1]:0',
      roles: ['worker', 'api'],
      leaseMs: 1_500,
      attemptTimeoutMs: 250,
      allowTargetCidrs: ['127.0.0.9/32', 'fd00::/8'],
      dnsServers: ['9.9.9.9:53', '[::1]:5353', '10.0.0.1:53'],
      rateLimits: { token: 5_000, organization: 10_000, address: 7 },
      quotas: { enabled: true, members: 3 },
      biscuitPrivateKeys: [
        { id: 'new', key: Buffer.from(HEX, 'hex') },
        { id: 'old', key: Buffer.alloc(32) },
      ],
      encryptionKeys: [{ id: '1', key: Buffer.alloc(32, 7) }],
    });
  });

  it('lets the full name of the log level win over the short one', () => {
    expect(loadConfig({ LOG_LEVEL: 'debug' }).logLevel).toBe('debug');
    expect(loadConfig({ LOG_LEVEL: 'debug', POSTHORN_LOG_LEVEL: 'warn' }).logLevel).toBe('warn');
  });
});

describe('a wrong value', () => {
  it('is named in one sentence, with what is expected', () => {
    expect(refusal({ PORT: '70000' })).toBe(
      'PORT has the wrong value "70000": it must be a whole number from 0 to 65535.',
    );
    expect(refusal({ LOG_LEVEL: 'loud' })).toMatch(/^LOG_LEVEL has the wrong value "loud": it must be one of fatal, /);
  });

  it.each([
    ['HOST', 'two words'],
    ['PORT', '80a'],
    ['PORT', '-1'],
    ['PORT', '1e3'],
    ['POSTHORN_PUBLIC_URL', 'ftp://here'],
    ['POSTHORN_ROLES', 'api,cook'],
    ['POSTHORN_ROLES', 'api,'],
    ['POSTHORN_PARTITIONS', '0'],
    ['POSTHORN_LEASE', '5'],
    ['POSTHORN_LEASE', '5 parsecs'],
    ['POSTHORN_LEASE', '0s'],
    ['POSTHORN_RETRY_SCHEDULE', 'sometimes'],
    ['POSTHORN_ALLOW_TARGET_CIDRS', '127.0.0.1'],
    ['POSTHORN_ALLOW_TARGET_CIDRS', '10.0.0.0/33'],
    ['POSTHORN_ALLOW_TARGET_CIDRS', 'localhost/8'],
    ['POSTHORN_DNS_SERVERS', '9.9.9.9:0'],
    ['POSTHORN_DNS_SERVERS', 'dns.example:53'],
    ['POSTHORN_SIGNATURE_HEADER', 'X Sig'],
    ['POSTHORN_SIGNATURE_V0', 'maybe'],
    ['POSTHORN_RATE_LIMITS', 'token=0/s'],
    ['POSTHORN_RATE_LIMITS', 'tokens=5/s'],
    ['POSTHORN_QUOTA_MEMBERS', 'many'],
    ['SMTP_URL', 'mail.example'],
    ['DATABASE_URL', 'mysql://x'],
  ])('of %s is refused: %s', (variable, value) => {
    expect(refusal({ [variable]: value })).toMatch(new RegExp(`^${variable} has the wrong value.*: it must be .*\\.$`));
  });

  it.each([
    ['POSTHORN_MASTER_KEY', 'short'],
    ['POSTHORN_BISCUIT_PRIVATE_KEYS', `1:${HEX}00`],
    ['POSTHORN_BISCUIT_PRIVATE_KEYS', `1:${HEX},1:${'00'.repeat(32)}`],
    ['POSTHORN_ENCRYPTION_KEYS', BASE64],
    ['POSTHORN_ENCRYPTION_KEYS', `1:${Buffer.alloc(31).toString('base64')}`],
    ['DATABASE_URL', 'http://me:hidden@here/'],
    ['SMTP_URL', 'http://me:hidden@here/'],
  ])('of the secret %s is refused without being shown', (variable, value) => {
    const message = refusal({ [variable]: value });
    expect(message).toMatch(new RegExp(`^${variable} has the wrong value: it must be`));
    expect(message).not.toContain(value);
  });
});
