import { createPrivateKey, createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';

/** DER of an Ed25519 PKCS#8 private key and of a SubjectPublicKeyInfo, up to the 32 bytes themselves (RFC 8410). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const ED25519_BYTES = 32;

/**
 * The HMAC key of a subscription secret, for both families: the ASCII bytes of the UUID's lower-case text. Preparing a key
 * once and keeping it is much cheaper than handing its bytes to each signature.
 */
export const prepareSymmetricKey = (secretUuid: string): KeyObject => createSecretKey(secretBytes(secretUuid));

/** The same secret as a Standard Webhooks receiver enters it. */
export const whsecOf = (secretUuid: string): string => `whsec_${secretBytes(secretUuid).toString('base64')}`;

/** An Ed25519 private key from its 32-byte seed; throws a RangeError at any other length. */
export const prepareEd25519Key = (seed: Uint8Array): KeyObject =>
  createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, thirtyTwo(seed)]), format: 'der', type: 'pkcs8' });

/** The public key to publish: `whpk_` and base64 of 32 bytes. Takes the private key or the public one. */
export const whpkOf = (key: KeyObject): string => `whpk_${publicBytes(key).toString('base64')}`;

/** The secret form other implementations read: `whsk_` and base64 of the seed followed by the public key. */
export const whskOf = (seed: Uint8Array): string =>
  `whsk_${Buffer.concat([thirtyTwo(seed), publicBytes(prepareEd25519Key(seed))]).toString('base64')}`;

/** A public key from its `whpk_` form, for verifying; throws a RangeError when it is not one. */
export const publicKeyOfWhpk = (whpk: string): KeyObject => {
  const bytes = Buffer.from(whpk.replace(/^whpk_/, ''), 'base64');
  return createPublicKey({ key: Buffer.concat([SPKI_PREFIX, thirtyTwo(bytes)]), format: 'der', type: 'spki' });
};

const secretBytes = (secretUuid: string): Buffer => {
  if (secretUuid === '') throw new RangeError('An empty secret cannot sign.');
  return Buffer.from(secretUuid.toLowerCase(), 'ascii');
};

const publicBytes = (key: KeyObject): Buffer => {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return publicKey.export({ format: 'der', type: 'spki' }).subarray(-ED25519_BYTES);
};

const thirtyTwo = (bytes: Uint8Array): Uint8Array => {
  if (bytes.length === ED25519_BYTES) return bytes;
  throw new RangeError(`An Ed25519 key has ${ED25519_BYTES} bytes, not ${bytes.length}.`);
};
