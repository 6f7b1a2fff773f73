import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAppPool } from '#src/eventstore/pool.ts';
import { createMailer } from '#src/mail/mailer.ts';
import { addMail } from '#src/mail/outbox.ts';
import { type MailContent, renderMail } from '#src/mail/templates.ts';
import { createFileTransport, createSmtpTransport, type Transport } from '#src/mail/transport.ts';
import { createTestDatabase, type TestDatabase } from '#test/support/database.ts';
import { eventually } from '#test/support/eventually.ts';

type SmtpServer = { readonly url: string; readonly mails: string[]; readonly close: () => Promise<void> };

/** Speaks as much SMTP as a client needs (RFC 5321); refuses the first `refusals` mails for a while. */
const startSmtp = async (refusals = 0): Promise<SmtpServer> => {
  const mails: string[] = [];
  let refused = 0;
  const server: Server = createServer((socket) => {
    let data: string | undefined;
    let rest = '';
    socket.on('error', () => socket.destroy());
    socket.write('220 mail.test ESMTP\r\n');
    socket.on('data', (chunk) => {
      rest += chunk.toString();
      for (let end = rest.indexOf('\r\n'); end >= 0; end = rest.indexOf('\r\n')) {
        const line = rest.slice(0, end);
        rest = rest.slice(end + 2);
        if (data !== undefined) {
          if (line !== '.') data += `${line}\n`;
          else {
            mails.push(data);
            data = undefined;
            socket.write('250 taken\r\n');
          }
        } else if (/^DATA/i.test(line)) {
          data = '';
          socket.write('354 go on\r\n');
        } else if (/^MAIL/i.test(line) && refused < refusals) {
          refused += 1;
          socket.write('451 try again later\r\n');
        } else if (/^QUIT/i.test(line)) socket.end('221 bye\r\n');
        else socket.write('250 ok\r\n');
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    url: `smtp://127.0.0.1:${port}`,
    mails,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
};

let database: TestDatabase;
let pool: Pool;
beforeAll(async () => {
  database = await createTestDatabase();
  pool = createAppPool({ url: database.url, max: 4, name: 'test' });
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

const pageUrl = (path: string, fragment?: string): string =>
  `https://hooks.example${path}${fragment ? `#${fragment}` : ''}`;
const welcome = (firstName: string): MailContent => ({ template: 'welcome', firstName });
const write = (content: MailContent, at = new Date(Date.now() - 1_000), recipient = 'ada@example.com'): Promise<void> =>
  addMail((sql, values) => pool.query(sql, values), {
    mailId: randomUUID(),
    recipient,
    content,
    at,
  });
const left = async (): Promise<number> =>
  Number((await pool.query<{ count: string }>('SELECT count(*) FROM mail')).rows[0]?.count);
const startMailer = (transport: Transport, errors: unknown[] = []) =>
  createMailer({
    pool,
    transport,
    from: 'Posthorn <posthorn@hooks.example>',
    pageUrl,
    signToken: ({ tokenId }) => `signed-${tokenId}`,
    onError: (error) => errors.push(error),
  });

describe('mails', () => {
  it('go to the address as it is, whatever else could be read in it', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'posthorn-mail-'));
    const mailer = startMailer(createFileTransport(directory));
    await write(welcome('Ada'), undefined, 'ada,grace@example.com');
    mailer.hint();
    await eventually(async () => expect(await left()).toBe(0));
    await mailer.stop();
    const [name = ''] = await readdir(directory);
    const [, to] = /^To: (.*)$/m.exec(await readFile(join(directory, name), 'utf8')) ?? [];
    expect(to).toBe('<"ada,grace"@example.com>');
    await rm(directory, { recursive: true });
  });

  it('go to the mail server, in plain text and HTML, with a token that was signed for the mail', async () => {
    const smtp = await startSmtp();
    const mailer = startMailer(createSmtpTransport(smtp.url));
    await write({
      template: 'reset_password',
      firstName: 'Ada',
      userId: 'u',
      tokenId: 't-1',
      createdAt: new Date().toISOString(),
      expiresAt: new Date().toISOString(),
    });
    mailer.hint();
    await eventually(async () => expect([smtp.mails.length, await left()]).toEqual([1, 0]));
    const [mail = ''] = smtp.mails;
    expect(mail).toContain('From: Posthorn <posthorn@hooks.example>');
    expect(mail).toContain('To: ada@example.com');
    expect(mail).toMatch(/text\/plain[\s\S]*text\/html/);
    expect(mail.replaceAll('=\n', '')).toContain('https://hooks.example/reset-password#signed-t-1');
    await mailer.stop();
    await smtp.close();
  });

  it('wait while the mail server refuses them, and are told as errors', async () => {
    const smtp = await startSmtp(1);
    const errors: unknown[] = [];
    const mailer = startMailer(createSmtpTransport(smtp.url), errors);
    await write(welcome('Grace'));
    mailer.hint();
    await eventually(() => expect(errors).toHaveLength(1));
    expect(String(errors[0])).toContain('welcome');
    await eventually(async () => {
      const { rows } = await pool.query('SELECT tries, due_at > clock_timestamp() AS is_later FROM mail');
      expect(rows).toEqual([{ tries: 1, is_later: true }]);
    });
    await pool.query('UPDATE mail SET due_at = clock_timestamp()');
    mailer.hint();
    await eventually(async () => expect([smtp.mails.length, await left()]).toEqual([1, 0]));
    await mailer.stop();
    await smtp.close();
  });

  it('that are refused name nobody where it is logged', async () => {
    const errors: unknown[] = [];
    const refusing: Transport = {
      send: () =>
        Promise.reject(new Error("All recipients were rejected: 550 5.1.1 <ada@example.com>: 'ada@example.com'")),
      close: () => undefined,
    };
    const mailer = startMailer(refusing, errors);
    await write(welcome('Ada'));
    mailer.hint();
    await eventually(() => expect(errors).toHaveLength(1));
    const [error] = errors as Error[];
    expect(error?.message).toContain('550 5.1.1 <…>');
    expect(`${error?.message} ${error?.cause}`).not.toContain('@');
    await mailer.stop();
    await pool.query('DELETE FROM mail');
  });

  it('are sent once by two processes', async () => {
    const smtp = await startSmtp();
    for (let index = 0; index < 20; index += 1) await write(welcome(`Number ${index}`));
    const mailers = [1, 2].map(() => startMailer(createSmtpTransport(smtp.url)));
    await eventually(async () => expect(await left()).toBe(0));
    expect(smtp.mails).toHaveLength(20);
    await Promise.all(mailers.map((mailer) => mailer.stop()));
    await smtp.close();
  });

  it('become files that only their owner reads, where there is no mail server', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'posthorn-mail-'));
    const mailer = startMailer(createFileTransport(join(directory, 'mail')));
    await write(welcome('Edsger'));
    mailer.hint();
    await eventually(async () => expect(await left()).toBe(0));
    const [name = ''] = await readdir(join(directory, 'mail'));
    expect(name).toMatch(/\.eml$/);
    const path = join(directory, 'mail', name);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readFile(path, 'utf8')).toContain('Welcome to Posthorn');
    await mailer.stop();
    await rm(directory, { recursive: true });
  });
});

it('what people choose cannot add a header or markup to a mail', () => {
  const content: MailContent = {
    template: 'invitation',
    organization: 'Acme\r\nBcc: everybody@example.com <script>alert(1)</script>',
    role: 'viewer',
    email: 'ada@example.com',
    hasAccount: false,
  };
  const { subject, html } = renderMail(content, pageUrl);
  expect(subject).not.toMatch(/[\r\n]/);
  expect(html).not.toContain('<script>');
  expect(html).toContain('&lt;script&gt;');
});

it.each([
  ['Ada', 'Hello Ada,'],
  ['J. R. R.', 'Hello J. R. R.,'],
  ['Win at evil.example', 'Hello,'],
  ['https://evil', 'Hello,'],
  ['call@evil', 'Hello,'],
])('a mail greets %s with “%s”: a name never becomes a link', (firstName, greeting) => {
  const { text, html } = renderMail(welcome(firstName), pageUrl);
  expect(text.split('\n')[0]).toBe(greeting);
  expect(html).toContain(`<p>${greeting}</p>`);
});
