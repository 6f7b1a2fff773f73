import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '#test/support/eventually.ts';
import { PASSWORD, type PeopleService, type Person, startPeopleService } from '#test/support/people.ts';

let service: PeopleService;
let ada: Person;
beforeAll(async () => {
  service = await startPeopleService();
  ada = await service.person('Ada');
});
afterAll(() => service.stop());

const refresh = (token: string) => service.post('/auth/refresh', undefined, token);

describe('signing in', () => {
  it('answers alike for a wrong password and for nobody', async () => {
    const wrong = await service.post('/auth/login', { email: ada.email, password: 'not the one at all' }, null);
    const nobody = await service.post('/auth/login', { email: 'nobody@example.com', password: 'not the one' }, null);
    const { request_id: _, ...said } = wrong.json;
    expect(said).toMatchObject({ status: 401, id: 'AuthFailedLogin' });
    expect(nobody.json).toEqual({ ...said, request_id: nobody.json.request_id });
  });

  it('is limited to five tries a minute for an account, whoever tries', async () => {
    const tries = await Promise.all(
      Array.from({ length: 8 }, () =>
        service.post('/auth/login', { email: 'target@example.com', password: 'guess after guess' }, null),
      ),
    );
    const refused = tries.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThanOrEqual(3);
    expect(refused[0]?.json.id).toBe('RateLimited');
  });
});

describe('a session', () => {
  it('is refreshed once with each token, and ends when one comes again', async () => {
    const person = await service.person('Grace');
    const second = await refresh(person.refreshToken);
    expect(second.status).toBe(201);
    expect((await service.get('/auth/me', second.json.access_token)).json.email).toBe(person.email);

    const stolen = await refresh(person.refreshToken);
    expect([stolen.status, stolen.json.id]).toEqual([401, 'AuthFailedRefresh']);
    // The thief and the owner are both out: nobody can tell them apart.
    expect((await refresh(second.json.refresh_token)).status).toBe(401);
    const closed = await service.get('/auth/me', second.json.access_token);
    expect([closed.status, closed.json.id]).toEqual([403, 'AuthInvalidBiscuit']);
  });

  it('lets one of two through who come with the same token at once', async () => {
    const person = await service.person('Edsger');
    const both = await Promise.all([refresh(person.refreshToken), refresh(person.refreshToken)]);
    expect(both.map(({ status }) => status).sort()).toEqual([201, 401]);
  });

  it('opens nothing after its logout', async () => {
    const person = await service.person('Barbara');
    expect((await service.post('/auth/logout', undefined, person.token)).status).toBe(204);
    expect((await service.get('/auth/me', person.token)).status).toBe(403);
    expect((await refresh(person.refreshToken)).status).toBe(401);
  });

  it('is not opened by a token of another kind', async () => {
    expect((await service.get('/organizations', ada.refreshToken)).json.id).toBe('AuthInvalidBiscuit');
    expect((await refresh(ada.token)).json.id).toBe('AuthFailedRefresh');
  });

  it('lives in a cookie that pages cannot read, and moves only for this site', async () => {
    const login = await service.post('/auth/login', { email: ada.email, password: PASSWORD, cookie: true }, null);
    expect(login.json.refresh_token).toBeNull();
    const set = String(login.headers['set-cookie']);
    expect(set).toMatch(/^posthorn-session=[^;]+; Path=\/; HttpOnly; SameSite=Strict; Expires=/);
    const cookie = set.split(';')[0] ?? '';

    const withCookie = (headers: Readonly<Record<string, string>>) =>
      service.call('/auth/refresh', { method: 'POST', token: null, headers: { cookie, ...headers } });
    expect((await withCookie({})).status).toBe(403);
    expect((await withCookie({ 'posthorn-csrf': '1', origin: 'https://evil.example' })).status).toBe(403);
    const own = await withCookie({ 'posthorn-csrf': '1', origin: service.address });
    expect(own.status).toBe(201);
    expect(own.headers['set-cookie']).toContain('posthorn-session=');
  });
});

describe('the password', () => {
  it('is changed with the old one, which ends every session', async () => {
    const person = await service.person('Alan');
    const change = (body: object) => service.post('/auth/password', body, person.token);
    const next = 'a wholly different sentence';
    expect((await change({ new_password: next, current_password: 'not the old one' })).json.id).toBe('AuthFailedLogin');
    expect((await change({ new_password: next, current_password: PASSWORD })).status).toBe(204);
    expect((await service.get('/auth/me', person.token)).status).toBe(403);
    expect((await service.login(person.email, next)).userId).toBe(person.userId);
    await eventually(async () =>
      expect((await service.mails(person.email)).map(({ subject }) => subject)).toContain('Your password was changed'),
    );
  });

  it('is reset by a mail whose link works once', async () => {
    const person = await service.person('Donald');
    const begun = await service.post('/auth/begin-reset-password', { email: person.email }, null);
    const unknown = await service.post('/auth/begin-reset-password', { email: 'nobody@example.com' }, null);
    expect([begun.status, unknown.status]).toEqual([204, 204]);
    expect(begun.text).toBe(unknown.text);
    const token = await service.linkOf(person.email, /new password/);
    const next = 'one more unlikely sentence';
    const reset = () => service.post('/auth/reset-password', { token, new_password: next }, null);
    const tries = await Promise.all([reset(), reset()]);
    expect(tries.map(({ status }) => status).sort()).toEqual([204, 401]);
    expect((await service.get('/auth/me', person.token)).status).toBe(403);
    await service.login(person.email, next);
  });
});

it('counts guesses from the addresses of one IPv6 network together', async () => {
  const guess = (n: number) =>
    service.call('/auth/login', {
      method: 'POST',
      body: { email: `nobody-${n}@example.com`, password: 'a guess of many' },
      token: null,
      headers: { 'x-forwarded-for': `2001:db8:1:2::${n.toString(16)}` },
    });
  const answers = await Promise.all(Array.from({ length: 24 }, (_, n) => guess(n)));
  expect(answers.filter(({ json }) => json.id === 'AuthFailedLogin')).toHaveLength(20);
  expect(answers.filter(({ status }) => status === 429)).toHaveLength(4);
});
