import { describe, expect, it } from 'vitest';
import { describeConfig } from '#src/config/describe.ts';
import { fields } from '#src/config/load.ts';

const described = (variable: string, env: Record<string, string> = {}) =>
  describeConfig(env).find((entry) => entry.variable === variable);

describe('describing the configuration', () => {
  it('lists every variable once, each with a description', () => {
    const names = describeConfig({}).map(({ variable }) => variable);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBe(fields().length);
    expect(describeConfig({}).every(({ description }) => /^[A-Z].*\.$/.test(description))).toBe(true);
  });

  it('says where a value comes from', () => {
    expect(described('PORT')).toMatchObject({ value: '8080', default: '8080', origin: 'default' });
    expect(described('PORT', { PORT: '1' })).toMatchObject({ value: '1', default: '8080', origin: 'environment' });
    expect(described('POSTHORN_LOG_LEVEL', { LOG_LEVEL: 'warn' })).toMatchObject({
      value: 'warn',
      origin: 'environment',
    });
    expect(described('POSTHORN_MASTER_KEY')).toMatchObject({ value: '***', origin: 'data directory' });
    const env = { DATABASE_URL: 'postgres://db/x' };
    expect(described('POSTHORN_MASTER_KEY', env)).toMatchObject({ value: null, origin: 'default' });
  });

  it('shows no secret', () => {
    const text = JSON.stringify(
      describeConfig({
        POSTHORN_MASTER_KEY: 'hidden-hidden-hidden',
        POSTHORN_ENCRYPTION_KEYS: '1:hidden',
        POSTHORN_BISCUIT_PRIVATE_KEYS: '1:hidden',
        DATABASE_URL: 'postgres://me:hidden@db.example/posthorn?sslpassword=hidden',
        SMTP_URL: 'smtp://not a url hidden',
      }),
    );
    expect(text).not.toContain('hidden');
    expect(text).toContain('postgres://me:***@db.example/posthorn');
  });
});
