import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '#src/config/load.ts';
import { loadOrCreateSecrets } from '#src/config/secrets.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'posthorn-secrets-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const load = (env: Record<string, string> = {}) => loadOrCreateSecrets(join(directory, 'data'), loadConfig(env));

describe('the secrets of an instance', () => {
  it('are made once, and readable by their owner only', () => {
    const made = load();
    expect(made.masterKey).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/);
    expect(made.biscuitPrivateKeys).toMatchObject([{ id: '1', key: { length: 32 } }]);
    expect(made.encryptionKeys).toMatchObject([{ id: '1', key: { length: 32 } }]);
    expect(load()).toStrictEqual(made);
    expect(statSync(join(directory, 'data', 'secrets.json')).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(directory, 'data'))).toStrictEqual(['secrets.json']);
  });

  it('from the environment win over kept ones', () => {
    const made = load();
    const masterKey = 'given-given-given';
    expect(load({ POSTHORN_MASTER_KEY: masterKey })).toStrictEqual({ ...made, masterKey });
  });

  it('must be given with a database of one’s own', () => {
    expect(() => load({ DATABASE_URL: 'postgres://db/x', POSTHORN_MASTER_KEY: 'given-given-given' })).toThrow(
      'POSTHORN_BISCUIT_PRIVATE_KEYS is missing: with DATABASE_URL it must be given, the same for every process.',
    );
  });

  it('are not made anew over a file that cannot be read', () => {
    load();
    writeFileSync(join(directory, 'data', 'secrets.json'), '{"masterKey":');
    expect(load).toThrow('unreadable secrets file');
  });
});
