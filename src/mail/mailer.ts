import type { Pool } from 'pg';
import type { MailPurpose } from '../identity/mail-tokens.ts';
import { type MailContent, type PageUrl, renderMail } from './templates.ts';
import type { Transport } from './transport.ts';

/** Signs the token that a mail carries. */
export type SignMailToken = (token: {
  purpose: MailPurpose;
  tokenId: string;
  userId: string;
  createdAt: Date;
  expiresAt: Date;
}) => string;

/** Between two looks at what is due; commits of this process are looked at at once. */
const POLL_MS = 5_000;
/** After the first failure, doubled with each further one up to an hour. */
const RETRY_MS = 10_000;
const RETRY_MS_MAX = 3_600_000;
/** Some two days of trying. */
const TRIES_MAX = 60;

/** Locked, so that of several processes one sends it; who dies meanwhile gives it back at once. */
const TAKE = `
  SELECT mail_id, recipient, template, content, created_at, tries FROM mail
  WHERE due_at <= clock_timestamp() ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED`;
const REMOVE = 'DELETE FROM mail WHERE mail_id = $1';
const POSTPONE = `
  UPDATE mail SET tries = tries + 1, due_at = clock_timestamp() + make_interval(secs => $2), error = $3 WHERE mail_id = $1`;

export type MailerDeps = {
  readonly pool: Pool;
  readonly transport: Transport;
  readonly from: string;
  readonly pageUrl: PageUrl;
  readonly signToken: SignMailToken;
  readonly onError: (error: unknown) => void;
};

export type Mailer = {
  /** Something may be due. */
  readonly hint: () => void;
  /** Ends after the mail under way. */
  readonly stop: () => Promise<void>;
};

type Row = {
  mail_id: string;
  recipient: string;
  template: MailContent['template'];
  content: Record<string, unknown>;
  created_at: Date;
  tries: number;
};

/** A mail server's refusal quotes the recipient, who has no place in a log. */
const withoutAddresses = (text: string): string => text.replaceAll(/[^\s<>"'(),:;[\]]+@[^\s<>"'(),:;[\]]+/g, '…');

/**
 * Sends what the outbox holds, one after the other: at least once, under one message id. A mail that cannot be sent is tried
 * again for two days and then dropped with an error.
 */
export const createMailer = ({ pool, transport, from, pageUrl, signToken, onError }: MailerDeps): Mailer => {
  let stopped = false;
  let wanted = false;
  let running: Promise<void> | undefined;

  const tokenOf = (content: MailContent): string | undefined => {
    if (content.template !== 'verify_email' && content.template !== 'reset_password') return undefined;
    const { tokenId, userId, createdAt, expiresAt } = content;
    const purpose = content.template === 'verify_email' ? 'email_verification' : 'password_reset';
    return signToken({ purpose, tokenId, userId, createdAt: new Date(createdAt), expiresAt: new Date(expiresAt) });
  };

  /** True when there was one. */
  const sendNext = async (): Promise<boolean> => {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      // The server may take its time with a mail, and this transaction holds nothing but its row.
      await client.query("SET LOCAL idle_in_transaction_session_timeout = '120s'");
      const { rows } = await client.query<Row>(TAKE);
      const row = rows[0];
      if (row) {
        const error = await send(row).then(
          () => undefined,
          (failure: unknown) => failure,
        );
        if (error === undefined) await client.query(REMOVE, [row.mail_id]);
        else await postpone(client, row, error);
      }
      await client.query('COMMIT');
      client.release();
      return row !== undefined;
    } catch (error) {
      await client.query('ROLLBACK').then(
        () => client.release(),
        () => client.release(true),
      );
      throw error;
    }
  };

  const send = async ({ mail_id: mailId, recipient, template, content: rest }: Row): Promise<void> => {
    const content = { template, ...rest } as MailContent;
    const mail = renderMail(content, pageUrl, tokenOf(content));
    await transport.send({ ...mail, to: recipient, from, messageId: `<${mailId}@posthorn>` });
  };

  const postpone = async (client: Pick<Pool, 'query'>, row: Row, error: unknown): Promise<void> => {
    const why = withoutAddresses(error instanceof Error ? error.message : String(error));
    const isOver = row.tries + 1 >= TRIES_MAX;
    onError(
      new Error(`Mail ${row.mail_id} (${row.template}) could not be sent${isOver ? ' and is given up' : ''}: ${why}`),
    );
    if (isOver) await client.query(REMOVE, [row.mail_id]);
    else
      await client.query(POSTPONE, [
        row.mail_id,
        Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** row.tries) / 1_000,
        why.slice(0, 500),
      ]);
  };

  const run = async (): Promise<void> => {
    while (wanted && !stopped) {
      wanted = false;
      try {
        while (!stopped && (await sendNext()));
      } catch (error) {
        onError(error);
      }
    }
    running = undefined;
  };
  const hint = (): void => {
    wanted = true;
    if (!stopped) running ??= run();
  };
  const timer = setInterval(hint, POLL_MS);
  timer.unref();
  hint();
  return {
    hint,
    stop: async () => {
      stopped = true;
      clearInterval(timer);
      await running;
      transport.close();
    },
  };
};
