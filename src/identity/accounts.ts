import type { RunQuery } from '../eventstore/types.ts';
import type { Queryable } from '../projections/page.ts';
import { emailKeyOf } from './email.ts';

/** A person. All of it can be erased; the log names nothing but the id. */
export type Account = {
  readonly userId: string;
  readonly email: string;
  readonly firstName: string;
  readonly lastName: string;
  /** PHC string. */
  readonly passwordHash: string;
  readonly createdAt: Date;
  readonly verifiedAt: Date | null;
};

const COLUMNS = 'user_id, email, first_name, last_name, password_hash, created_at, verified_at';
type Row = {
  user_id: string;
  email: string;
  first_name: string;
  last_name: string;
  password_hash: string;
  created_at: Date;
  verified_at: Date | null;
};
const toAccount = (row: Row): Account => ({
  userId: row.user_id,
  email: row.email,
  firstName: row.first_name,
  lastName: row.last_name,
  passwordHash: row.password_hash,
  createdAt: row.created_at,
  verifiedAt: row.verified_at,
});

const first = async (db: Queryable, where: string, values: unknown[]): Promise<Account | undefined> => {
  const { rows } = await db.query<Row>(`SELECT ${COLUMNS} FROM user_account WHERE ${where}`, values);
  return rows[0] && toAccount(rows[0]);
};

export const findAccount = (db: Queryable, userId: string): Promise<Account | undefined> =>
  first(db, 'user_id = $1', [userId]);

export const findAccountByEmail = (db: Queryable, email: string): Promise<Account | undefined> =>
  first(db, 'email_key = $1', [emailKeyOf(email)]);

/** What people who share an organization see of each other. */
export type Person = Pick<Account, 'email' | 'firstName' | 'lastName'>;

/** By their ids; those who were erased are missing. */
export const findPeople = async (db: Queryable, userIds: readonly string[]): Promise<ReadonlyMap<string, Person>> => {
  const { rows } = await db.query<Pick<Row, 'user_id' | 'email' | 'first_name' | 'last_name'>>(
    'SELECT user_id, email, first_name, last_name FROM user_account WHERE user_id = ANY($1::uuid[])',
    [[...userIds]],
  );
  return new Map(
    rows.map((row) => [row.user_id, { email: row.email, firstName: row.first_name, lastName: row.last_name }]),
  );
};

/** Where mails to these people go; of those who never verified an address nothing. */
export const findVerifiedAddresses = async (db: Queryable, userIds: readonly string[]): Promise<readonly string[]> => {
  const { rows } = await db.query<{ email: string }>(
    'SELECT email FROM user_account WHERE user_id = ANY($1::uuid[]) AND verified_at IS NOT NULL',
    [[...userIds]],
  );
  return rows.map(({ email }) => email);
};

/** False when the address has an account already. */
export const addAccount = async (run: RunQuery, account: Omit<Account, 'verifiedAt'>): Promise<boolean> => {
  const { rows } = await run(
    `INSERT INTO user_account (user_id, email, email_key, first_name, last_name, password_hash, created_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (email_key) DO NOTHING RETURNING user_id`,
    [
      account.userId,
      account.email,
      emailKeyOf(account.email),
      account.firstName,
      account.lastName,
      account.passwordHash,
      account.createdAt,
    ],
  );
  return rows.length > 0;
};

export const markVerified = async (run: RunQuery, userId: string, at: Date): Promise<void> => {
  await run('UPDATE user_account SET verified_at = $2 WHERE user_id = $1 AND verified_at IS NULL', [userId, at]);
};

export const setPasswordHash = async (run: RunQuery, userId: string, passwordHash: string): Promise<void> => {
  await run('UPDATE user_account SET password_hash = $2 WHERE user_id = $1', [userId, passwordHash]);
};

/** Until the end of the transaction nobody erases the account. False when it was erased. */
export const holdAccount = async (run: RunQuery, userId: string): Promise<boolean> => {
  const { rows } = await run('SELECT user_id FROM user_account WHERE user_id = $1 FOR KEY SHARE', [userId]);
  return rows.length > 0;
};

/**
 * In the place of this very hash; false when another has taken it meanwhile. A password that was checked before it was changed must
 * not come back.
 */
export const replacePasswordHash = async (
  run: RunQuery,
  { userId, passwordHash }: Pick<Account, 'userId' | 'passwordHash'>,
  next: string,
): Promise<boolean> => {
  const { rows } = await run(
    'UPDATE user_account SET password_hash = $3 WHERE user_id = $1 AND password_hash = $2 RETURNING user_id',
    [userId, passwordHash, next],
  );
  return rows.length > 0;
};

/** Everything that is known of a person, with sessions and tokens of mails. */
export const eraseAccount = async (run: RunQuery, userId: string): Promise<void> => {
  await run('DELETE FROM user_account WHERE user_id = $1', [userId]);
};
