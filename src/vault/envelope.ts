import { type CipherKey, createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const FORMAT = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** AES-256-GCM as format byte, nonce, tag, ciphertext. `context` must be equal at opening, so that rows cannot be swapped. */
export const seal = (key: CipherKey, plain: Buffer, context: string): Buffer => {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context));
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([Buffer.of(FORMAT), nonce, cipher.getAuthTag(), sealed]);
};

/** Throws when the key or the context is another one, or a byte was changed. */
export const open = (key: CipherKey, envelope: Buffer, context: string): Buffer => {
  if (envelope[0] !== FORMAT) throw new Error(`Sealed value of ${context} has unknown format ${envelope[0]}.`);
  const nonce = envelope.subarray(1, 1 + NONCE_BYTES);
  const tag = envelope.subarray(1 + NONCE_BYTES, 1 + NONCE_BYTES + TAG_BYTES);
  // Without the length a tag cut to a few bytes would do, and those can be guessed.
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES })
    .setAAD(Buffer.from(context))
    .setAuthTag(tag);
  return Buffer.concat([decipher.update(envelope.subarray(1 + NONCE_BYTES + TAG_BYTES)), decipher.final()]);
};
