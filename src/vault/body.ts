import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  type KeyObject,
  randomFillSync,
} from 'node:crypto';
import { promisify } from 'node:util';
import { deflateRaw, deflateRawSync, inflateRaw, inflateRawSync } from 'node:zlib';

/** The first byte of a sealed body: how the plain text is kept. */
const AS_IS = 1;
const DEFLATED = 2;

const SALT_BYTES = 16;
const TAG_BYTES = 16;
const HEAD_BYTES = 1 + SALT_BYTES + TAG_BYTES;
/** Each key seals one body, so that its nonce need not differ. */
const NONCE = Buffer.alloc(12);

/** From where on Postgres would have compressed the clear bytes itself, which it cannot once they are sealed. */
const DEFLATE_FROM_BYTES = 2_048;
/** Up to here it takes less than a millisecond, and a thread would cost more than it takes off the event loop. */
const DEFLATE_HERE_BYTES = 65_536;
const FAST = { level: 1 };
const deflateElsewhere = promisify(deflateRaw);
const inflateElsewhere = promisify(inflateRaw);

/** Random bytes are cheapest by the page. */
const salts = Buffer.alloc(4_096);
let saltsUsed = salts.length;
const newSalt = (): Buffer => {
  if (saltsUsed === salts.length) {
    randomFillSync(salts);
    saltsUsed = 0;
  }
  saltsUsed += SALT_BYTES;
  return salts.subarray(saltsUsed - SALT_BYTES, saltsUsed);
};

/**
 * A body has a key of its own, which follows from the data key and a salt kept with the body alone: when the row goes, so does the
 * key. And however many bodies there are, none shares key and nonce with another; under one key random nonces would be used up after
 * 2^32 of them (NIST SP 800-38D, 8.3).
 */
const keyOf = (dataKey: KeyObject, salt: Buffer): KeyObject =>
  createSecretKey(createHmac('sha256', dataKey).update(salt).digest());

const additionalData = (form: number, context: string): Buffer => Buffer.from(`${form} ${context}`);

const deflated = async (plain: Buffer): Promise<Buffer | undefined> => {
  if (plain.length < DEFLATE_FROM_BYTES) return undefined;
  const smaller =
    plain.length <= DEFLATE_HERE_BYTES ? deflateRawSync(plain, FAST) : await deflateElsewhere(plain, FAST);
  return smaller.length < plain.length ? smaller : undefined;
};

/** Form, salt, tag and ciphertext (AES-256-GCM). `context` must be equal at opening, so that rows cannot be swapped. */
export const sealBody = async (dataKey: KeyObject, plain: Buffer, context: string): Promise<Buffer> => {
  const smaller = await deflated(plain);
  const form = smaller ? DEFLATED : AS_IS;
  const sealed = Buffer.allocUnsafe(HEAD_BYTES);
  sealed[0] = form;
  const salt = newSalt();
  salt.copy(sealed, 1);
  const cipher = createCipheriv('aes-256-gcm', keyOf(dataKey, salt), NONCE).setAAD(additionalData(form, context));
  const ciphertext = cipher.update(smaller ?? plain);
  cipher.final(); // Empty in this mode, but makes the tag.
  cipher.getAuthTag().copy(sealed, 1 + SALT_BYTES);
  return Buffer.concat([sealed, ciphertext]);
};

/** Throws when the key or the context is another one, or a byte was changed. */
export const openBody = async (dataKey: KeyObject, sealed: Buffer, context: string): Promise<Buffer> => {
  const form = sealed[0];
  if (form !== AS_IS && form !== DEFLATED) throw new Error(`The sealed body of ${context} has unknown form ${form}.`);
  const salt = sealed.subarray(1, 1 + SALT_BYTES);
  // Without the length a tag cut to a few bytes would do, and those can be guessed.
  const decipher = createDecipheriv('aes-256-gcm', keyOf(dataKey, salt), NONCE, { authTagLength: TAG_BYTES })
    .setAAD(additionalData(form, context))
    .setAuthTag(sealed.subarray(1 + SALT_BYTES, HEAD_BYTES));
  const kept = decipher.update(sealed.subarray(HEAD_BYTES));
  decipher.final(); // Throws unless the tag fits: nothing is inflated before.
  if (form === AS_IS) return kept;
  return kept.length <= DEFLATE_HERE_BYTES ? inflateRawSync(kept) : inflateElsewhere(kept);
};
