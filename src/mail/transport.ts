import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import type { Mail } from './templates.ts';

/** A mail with its addresses; `messageId` is the same each time that it is tried. */
export type Letter = Mail & { readonly to: string; readonly from: string; readonly messageId: string };

export type Transport = {
  /** Resolves once the mail server has taken it, or the file is there. */
  send(letter: Letter): Promise<void>;
  close(): void;
};

/** Taken as it is: as text it would be read for names, comments and further addresses. */
const addressed = (letter: Letter) => ({ ...letter, to: { name: '', address: letter.to } });

/** Over each phase of talking to the mail server. */
const TIMEOUT_MS = 15_000;

/** Sends through the mail server of `smtp://` or `smtps://`, with credentials and options of nodemailer in the URL. */
export const createSmtpTransport = (smtpUrl: string): Transport => {
  const smtp = createTransport({
    url: smtpUrl,
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    // What a template is given by a stranger never names a file or an address to fetch.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return { send: async (letter) => void (await smtp.sendMail(addressed(letter))), close: () => smtp.close() };
};

/** Without a mail server: one `.eml` per mail, complete or not there. */
export const createFileTransport = (directory: string): Transport => {
  const stream = createTransport({
    streamTransport: true,
    buffer: true,
    newline: 'unix',
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    send: async (letter) => {
      const { message } = await stream.sendMail(addressed(letter));
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const name = letter.messageId.replaceAll(/[^0-9A-Za-z-]/g, '-').replaceAll(/^-+|-+$/g, '');
      const path = join(directory, `${name}.eml`);
      // Tokens are in it: nobody else may read it.
      await writeFile(`${path}.tmp`, message as Buffer, { mode: 0o600 });
      await rename(`${path}.tmp`, path);
    },
    close: () => stream.close(),
  };
};
