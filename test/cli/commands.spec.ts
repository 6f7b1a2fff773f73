import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS, runCommand } from '#src/cli/run.ts';
import { allProjections } from '#src/projections/index.ts';
import { startRunners } from '../projections/support.ts';
import {
  applicationCreated,
  applicationId,
  deliveredEvent,
  openTestLog,
  organizationCreated,
  type TestLog,
} from '../support/builders.ts';
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';

const masterKey = randomUUID();
const signingKey = randomBytes(32).toString('hex');
const encryptionKey = randomBytes(32).toString('base64');
const PASSWORD = 'not-to-be-shown';

let database: TestDatabase;
let directory: string;
let log: TestLog;
let owner: Pool;
let env: Record<string, string>;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'posthorn-cli-'));
  database = await createTestDatabase();
  env = {
    DATABASE_URL: database.url,
    POSTHORN_DATA_DIR: directory,
    POSTHORN_PARTITIONS: '4',
    POSTHORN_MASTER_KEY: masterKey,
    POSTHORN_BISCUIT_PRIVATE_KEYS: `one:${signingKey}`,
    POSTHORN_ENCRYPTION_KEYS: `one:${encryptionKey}`,
  };
  log = await openTestLog(database.url);
  owner = new Pool({ connectionString: database.url, max: 1 });
  owner.on('connect', (client) => client.on('error', () => undefined)); // Dropping the database may end it first.
  const running = await startRunners(log);
  await log.append(organizationCreated());
  await Promise.all(Array.from({ length: 10 }, (_, index) => log.append(...deliveredEvent(`event ${index}`))));
  await eventually(() => expect(running.lag()).toBe(0), { timeout: 10_000, interval: 20 });
  await running.stop();
});
afterAll(async () => {
  await log.stop();
  await owner.end();
  await database.drop();
  await rm(directory, { recursive: true, force: true });
});

const run = async (words: string, changes: Record<string, string> = {}) => {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCommand(words === '' ? [] : words.split(' '), {
    env: { ...env, ...changes },
    version: '1.2.3',
    out: (text) => out.push(text),
    err: (text) => err.push(text),
    isTerminal: false,
  });
  return { code, out: out.join('\n'), err: err.join(''), json: () => JSON.parse(out.join('\n')) };
};

describe('the command line', () => {
  it.each(['', '--help', '-h'])('shows all commands for "%s"', async (words) => {
    const { code, out, err } = await run(words);
    expect([code, err]).toEqual([0, '']);
    for (const { name, summary } of COMMANDS) {
      expect(out).toContain(name);
      expect(out).toContain(summary);
    }
  });

  it('tells its version', async () => expect(await run('--version')).toMatchObject({ code: 0, out: '1.2.3' }));

  it.each(['fly', 'audit', 'audit fly', 'projections', '--verbose'])('refuses "%s"', async (words) => {
    const { code, out, err } = await run(words);
    expect([code, out]).toEqual([2, '']);
    expect(err).toBe(`posthorn: there is no command ${words}; see \`posthorn --help\`.\n`);
  });

  it.each(COMMANDS.map(({ name }) => name))('%s explains itself, and does nothing', async (name) => {
    for (const help of ['--help', '-h']) {
      const { code, out, err } = await run(`${name} ${help}`, { DATABASE_URL: 'postgres://127.0.0.1:1/nowhere' });
      expect([code, err]).toEqual([0, '']);
      expect(out).toContain(`posthorn ${name}`);
    }
  });

  it.each(COMMANDS.map(({ name }) => name))('%s refuses an option that it does not have', async (name) => {
    const { code, out, err } = await run(`${name} --no-such-option`);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/^posthorn: .*no-such-option.*\n$/s);
  });

  it.each(['serve now', 'migrate now', 'config all', 'audit verify all', 'projections list event'])(
    'refuses "%s", which has a word too many',
    async (words) => expect(await run(words)).toMatchObject({ code: 2, out: '' }),
  );

  it.each(['audit verify', 'projections list', 'migrate', 'serve'])(
    '%s names the variable that is wrong',
    async (words) => {
      const { code, err } = await run(words, { POSTHORN_LEASE: 'long' });
      expect(code).toBe(2);
      expect(err).toMatch(/^posthorn: POSTHORN_LEASE has the wrong value "long"/);
    },
  );

  it('fails in one sentence when the database cannot be reached', async () => {
    const { code, out, err } = await run('audit verify', { DATABASE_URL: `postgres://me:${PASSWORD}@127.0.0.1:1/no` });
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(/^posthorn: .*ECONNREFUSED.*\n$/);
    expect(err).not.toContain(PASSWORD);
  });
});

describe('posthorn config', () => {
  it('shows values and where they come from, and masks secrets', async () => {
    const { code, json, out } = await run('config --json', {
      DATABASE_URL: `postgres://me:${PASSWORD}@db.example/posthorn`,
      SMTP_URL: `smtp://me:${PASSWORD}@mail.example`,
      POSTHORN_LEASE: '7s',
    });
    expect(code).toBe(0);
    for (const secret of [masterKey, signingKey, encryptionKey, PASSWORD]) expect(out).not.toContain(secret);
    const shown = Object.fromEntries(json().map((entry: { variable: string }) => [entry.variable, entry]));
    expect(shown.POSTHORN_LEASE).toMatchObject({ value: '7s' });
    expect(shown.POSTHORN_LEASE.origin).not.toBe(shown.POSTHORN_CONCURRENCY.origin);
    expect(shown.DATABASE_URL.value).toContain('db.example');
  });

  it('is a table for people, without secrets either', async () => {
    const { code, out } = await run('config');
    expect(code).toBe(0);
    expect(out).toMatch(/^VARIABLE +VALUE +FROM +MEANING\n/);
    for (const secret of [masterKey, signingKey, encryptionKey]) expect(out).not.toContain(secret);
  });

  it('names a wrong value', async () => {
    const { code, err } = await run('config', { PORT: '99999' });
    expect(code).toBe(2);
    expect(err).toContain('PORT has the wrong value "99999"');
  });
});

describe('posthorn migrate', () => {
  it('brings an empty database up to date, and finds it so the next time', async () => {
    const empty = await createEmptyDatabase();
    try {
      const first = await run('migrate --json', { DATABASE_URL: empty.url, POSTHORN_PARTITIONS: '3' });
      expect(first.code).toBe(0);
      expect(first.json()).toMatchObject({ partitions: 3, messages: expect.arrayContaining([expect.any(String)]) });
      const again = await run('migrate --json', { DATABASE_URL: empty.url, POSTHORN_PARTITIONS: '3' });
      expect(again.json()).toMatchObject({ partitions: 3, instance_id: first.json().instance_id, messages: [] });
    } finally {
      await empty.drop();
    }
  });
});

describe('posthorn projections', () => {
  it('lists all read models, and none is behind', async () => {
    const { code, json } = await run('projections list --json');
    expect(code).toBe(0);
    expect(json().map(({ name, lag }: { name: string; lag: number }) => [name, lag])).toEqual(
      expect.arrayContaining(allProjections.map(({ name }) => [name, 0])),
    );
    expect((await run('projections list')).out).toMatch(/^NAME +VERSION +MODE +LAG +STATE\n/);
  });

  it.each(allProjections.map(({ name }) => name))('finds %s equal to a rebuild from zero', async (name) => {
    const { code, json } = await run(`projections check ${name} --json`);
    expect(code).toBe(0);
    expect(json()).toMatchObject({ name, is_equal: true });
  });

  it('finds a row that the log knows nothing of, and mends it', async () => {
    await owner.query(`UPDATE delivery SET event_type = 'made.up' WHERE ctid = (SELECT ctid FROM delivery LIMIT 1)`);
    const check = await run('projections check delivery --json');
    expect(check.code).toBe(1);
    expect(check.json()).toMatchObject({ is_equal: false });
    expect((await run('projections check delivery')).out).toContain('NOT what the log says');
    const rebuilt = await run('projections rebuild delivery --json');
    expect(rebuilt.code).toBe(0);
    expect(rebuilt.json()).toMatchObject({ name: 'delivery', was_equal: false });
    expect((await run('projections check delivery')).code).toBe(0);
  });

  it.each(['projections check', 'projections rebuild', 'projections check event delivery'])(
    '"%s" asks for one name',
    async (words) => {
      const { code, err } = await run(words);
      expect(code).toBe(2);
      expect(err).toContain('Name one projection');
    },
  );

  it('knows no other names', async () => {
    const { code, err } = await run('projections check weather');
    expect(code).not.toBe(0);
    expect(err).toContain('There is no projection weather');
  });
});

describe('posthorn audit', () => {
  it('finds a sound log sound', async () => {
    const { code, out } = await run('audit verify');
    expect(code).toBe(0);
    expect(out).toContain('The log is sound');
    expect((await run('audit verify --json')).json()).toMatchObject({
      is_sound: true,
      events: 31,
      partitions: 4,
      faults: [],
    });
  });

  it('compares with a checkpoint that was kept elsewhere, and names the position of a change', async () => {
    const checkpoint = await run('audit checkpoint');
    expect(checkpoint.code).toBe(0);
    const path = join(directory, 'checkpoint.json');
    await writeFile(path, checkpoint.out);
    expect((await run(`audit verify --checkpoint ${path}`)).code).toBe(0);

    const tampered = await owner.query(
      `UPDATE domain_event SET data = '{"amount":1}' WHERE type = 'AttemptSucceeded' AND position =
         (SELECT max(position) FROM domain_event WHERE type = 'AttemptSucceeded')
       RETURNING partition_no, position::int`,
    );
    const { partition_no: partition, position } = tampered.rows[0];
    const { code, out } = await run('audit verify');
    expect(code).toBe(1);
    expect(out).toContain(`log partition ${partition}: the domain event at position ${position} `);
    expect(out).toContain('The log does NOT verify');
    const found = await run(`audit verify --json --checkpoint ${path}`);
    expect(found.code).toBe(1);
    expect(found.json()).toMatchObject({ is_sound: false, faults: [{ partition, position }] });
  });

  it('says so when a checkpoint cannot be read', async () => {
    const { code, err } = await run(`audit verify --checkpoint ${join(directory, 'missing.json')}`);
    expect(code).toBe(1);
    expect(err).toContain('missing.json');
  });
});

describe('posthorn retention', () => {
  it('plans and cleans, and the log tells it', async () => {
    const day = new Date(Date.now() - 200 * 86_400_000).toISOString().slice(0, 10);
    await log.append(applicationCreated());
    await owner.query('SELECT posthorn_make_days($1::date, 1)', [day]);
    await owner.query(
      `INSERT INTO payload (day, partition_no, application_id, event_id, body)
       VALUES ($1, 0, $2, gen_random_uuid(), 'body')`,
      [day, applicationId],
    );
    const planned = await run('retention plan');
    expect(planned).toMatchObject({ code: 0, err: '' });
    expect(planned.out).toMatch(new RegExp(`drop the day +payload +${day} +1 `));
    expect((await run('retention plan --json')).json().drops).toHaveLength(2);
    expect((await run('retention plan', { POSTHORN_RETENTION_DAYS: '300' })).out).toBe('Nothing is over.');

    const applied = await run('retention apply --json');
    expect(applied).toMatchObject({ code: 0, err: '' });
    expect(applied.json().cleaned).toMatchObject({
      droppedDays: { payload: [day], response: [day] },
      counts: { payload: 1 },
    });
    expect((await run('retention apply')).out).toBe('Nothing was over.');
    const { rows } = await owner.query(
      `SELECT metadata ->> 'actor' AS actor FROM domain_event WHERE type = 'RetentionApplied'`,
    );
    expect(rows).toEqual([{ actor: 'system:retention' }]);
  });
});
