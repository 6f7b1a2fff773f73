import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PASSWORD, type PeopleService, startPeopleService } from '#test/support/people.ts';

let service: PeopleService;
// Guesses are counted per address, and all of this comes from one.
beforeAll(async () => {
  service = await startPeopleService();
});
afterAll(() => service.stop());

const ada = { first_name: 'Ada', last_name: 'Lovelace', email: 'ada@example.com', password: PASSWORD };

describe('registration', () => {
  it('makes an account with an organization of its own, closed until the address is verified', async () => {
    const registered = await service.post('/register', ada, null);
    expect(registered.status).toBe(201);
    const { organization_id: organizationId, user_id: userId } = registered.json;

    const early = await service.post('/auth/login', { email: ada.email, password: PASSWORD }, null);
    expect([early.status, early.json.id]).toEqual([401, 'AuthEmailNotVerified']);

    const token = await service.linkOf(ada.email, /Verify/);
    const verified = await service.post('/auth/verify-email', { token }, null);
    expect(verified.status).toBe(201);
    expect(verified.json).toMatchObject({
      user_id: userId,
      email: ada.email,
      first_name: 'Ada',
      last_name: 'Lovelace',
    });
    const again = await service.post('/auth/verify-email', { token }, null);
    expect([again.status, again.json.id]).toEqual([401, 'AuthEmailExpired']);

    const organizations = await service.get('/organizations', verified.json.access_token);
    expect(organizations.json).toEqual([
      { organization_id: organizationId, name: 'Personal organization', role: 'owner', plan: null },
    ]);
    const info = await service.get(`/organizations/${organizationId}`, verified.json.access_token);
    expect(info.json).toMatchObject({
      users: [{ user_id: userId, email: ada.email, first_name: 'Ada', last_name: 'Lovelace', role: 'owner' }],
      consumption: { members: 1 },
    });
  });

  it('is refused for an address that has an account, however it is written', async () => {
    const again = await service.post('/register', { ...ada, email: 'ADA@Example.com' }, null);
    expect([again.status, again.json.id]).toEqual([409, 'UserAlreadyExist']);
  });

  it('takes one mailbox and nothing that hides another in it', async () => {
    const strange = [
      'a<ada@example.com>',
      '(a)ada@example.com',
      'a,ada@example.com',
      'a:ada@example.com;',
      '"ada"@example.com',
      'ada@example.com,',
      'ada@example.com.',
      'ada@example。com',
      'ada@[127.0.0.1]',
      'a\u200bda@example.com',
    ];
    for (const email of strange) {
      const refused = await service.post('/register', { ...ada, email }, null);
      expect([refused.status, refused.json.id], email).toEqual([422, 'Validation']);
    }
    for (const email of ["o'brien+1@mail.example.com", 'jürgen@müller.example']) {
      const taken = await service.post('/register', { ...ada, email, password: 'too short' }, null);
      expect(taken.json.id, email).toBe('PasswordTooShort');
    }
  });

  it.each([
    ['brief-one', 'PasswordTooShort'],
    ['aaaaaaaaaaaaaaaa', 'PasswordNotDiverseEnough'],
    ['grace.hopper', 'PasswordSimilarToEmail'],
  ])('refuses the password %s', async (password, id) => {
    const refused = await service.post('/register', { ...ada, email: 'grace.hopper@example.com', password }, null);
    expect([refused.status, refused.json.id]).toEqual([400, id]);
    expect(refused.text).not.toContain(password);
  });

  it('puts neither names, addresses nor hashes into the log', async () => {
    const client = new Client({ connectionString: service.databaseUrl });
    await client.connect();
    const { rows } = await client.query<{ text: string }>(
      'SELECT data::text || metadata::text AS text FROM domain_event',
    );
    const { rows: accounts } = await client.query('SELECT password_hash FROM user_account');
    await client.end();
    const log = rows.map(({ text }) => text).join('\n');
    expect(log).toContain('registeredAt');
    expect(log).not.toContain('Lovelace');
    expect(log).not.toContain('example.com');
    expect(log).not.toContain('argon2');
    expect(accounts[0].password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  });
});
