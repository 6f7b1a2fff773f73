import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { eventually } from './eventually.ts';
import { startTestService, type TestService } from './service.ts';

export const PASSWORD = 'correct horse battery staple';

/** What a mail says, its text as people read it. */
export type ReadMail = { readonly to: string; readonly subject: string; readonly text: string };

/** Somebody who is signed in. */
export type Person = {
  readonly userId: string;
  /** The one that came with the registration. */
  readonly organizationId: string;
  readonly email: string;
  /** Access token. */
  readonly token: string;
  readonly refreshToken: string;
};

export type PeopleService = TestService & {
  /** Mails to an address so far, oldest first. */
  readonly mails: (to: string) => Promise<ReadMail[]>;
  /** Waits for a mail whose subject matches and answers with the token of its link. */
  readonly linkOf: (to: string, subject: RegExp) => Promise<string>;
  /** Registers, follows the link of the mail, and is signed in. */
  readonly person: (name: string) => Promise<Person>;
  readonly login: (email: string, password?: string) => Promise<Person>;
};

const decode = (body: string): string =>
  Buffer.from(
    body
      .replaceAll(/=\r?\n/g, '')
      .replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  ).toString();

const readMail = (eml: string): ReadMail => {
  const header = (name: string): string => new RegExp(`^${name}: (.*)$`, 'mi').exec(eml)?.[1] ?? '';
  // A line of a token may begin with two hyphens as well: only those of the boundary end the part.
  const [, boundary = ''] = /boundary="?([^"\r\n;]+)/.exec(eml) ?? [];
  const [, part = ''] = /Content-Type: text\/plain[\s\S]*?\n\n([\s\S]*)/.exec(eml) ?? [];
  const [text = ''] = part.split(`\n--${boundary}`);
  return { to: header('To'), subject: header('Subject'), text: decode(text) };
};

/** A whole service whose mails are read from files. */
export const startPeopleService = async (env: Readonly<Record<string, string>> = {}): Promise<PeopleService> => {
  const directory = await mkdtemp(join(tmpdir(), 'posthorn-mail-'));
  const service = await startTestService({
    POSTHORN_MAIL_DIR: directory,
    POSTHORN_TRUSTED_PROXIES: '127.0.0.1/32',
    ...env,
  });
  let addresses = 0;
  /** Each time from another address: registrations and logins are counted by address. */
  const postFromElsewhere = (path: string, body: unknown) => {
    addresses += 1;
    const headers = { 'x-forwarded-for': `203.0.113.${addresses % 250}` };
    return service.call(path, { method: 'POST', body, token: null, headers });
  };

  const mails = async (to: string): Promise<ReadMail[]> => {
    const names = (await readdir(directory)).filter((name) => name.endsWith('.eml')).sort();
    const all = await Promise.all(names.map(async (name) => readMail(await readFile(join(directory, name), 'utf8'))));
    return all.filter((mail) => mail.to === to);
  };
  const linkOf: PeopleService['linkOf'] = (to, subject) =>
    eventually(async () => {
      const mail = (await mails(to)).filter((candidate) => subject.test(candidate.subject)).at(-1);
      const [, token] = /#(\S+)/.exec(mail?.text ?? '') ?? [];
      expect(token, `a mail to ${to} with a link`).toBeDefined();
      return decodeURIComponent(token ?? '');
    });
  const personOf = async (email: string, answer: { json: Record<string, string> }): Promise<Person> => {
    const token = String(answer.json.access_token);
    const me = await service.get('/auth/me', token);
    return {
      userId: String(answer.json.user_id),
      organizationId: String(me.json.organizations[0]?.organization_id ?? ''),
      email,
      token,
      refreshToken: String(answer.json.refresh_token),
    };
  };
  return {
    ...service,
    mails,
    linkOf,
    login: async (email, password = PASSWORD) => {
      const answer = await postFromElsewhere('/auth/login', { email, password });
      expect(answer.status, answer.text).toBe(201);
      return personOf(email, answer);
    },
    person: async (name) => {
      const email = `${name.toLowerCase()}@example.com`;
      const body = { first_name: name, last_name: 'Tester', email, password: PASSWORD };
      const registered = await postFromElsewhere('/register', body);
      expect(registered.status, registered.text).toBe(201);
      const token = await linkOf(email, /Verify/);
      const answer = await postFromElsewhere('/auth/verify-email', { token });
      expect(answer.status, answer.text).toBe(201);
      return personOf(email, answer);
    },
    stop: async () => {
      await service.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
};

/** The same, stopped when the test is over. */
export const withPeople = async (env?: Readonly<Record<string, string>>): Promise<PeopleService> => {
  const service = await startPeopleService(env);
  onTestFinished(() => service.stop());
  return service;
};
