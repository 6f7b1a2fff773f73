import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { prepareEd25519Key } from '../domain/signature/keys.ts';
import { ED25519, writeSignedBlock } from './envelope.ts';

/** Signatures of blocks (Biscuit's specification, "Signature of one block" and "Sealed token"). */

const littleEndian = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

export const publicKeyOfSeed = (seed: Uint8Array): Buffer => publicBytes(prepareEd25519Key(seed));

const publicBytes = (key: KeyObject): Buffer =>
  createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);

const seedOf = (key: KeyObject): Buffer => key.export({ format: 'der', type: 'pkcs8' }).subarray(-32);

export type SigningKey = { readonly privateKey: KeyObject; readonly publicKey: Buffer; readonly seed: Buffer };

export const generateSigningKey = (): SigningKey => {
  const { privateKey } = generateKeyPairSync('ed25519');
  return { privateKey, publicKey: publicBytes(privateKey), seed: seedOf(privateKey) };
};

export type SignedContent = {
  readonly payload: Uint8Array;
  readonly nextKey: Uint8Array;
  /** Undefined for an authority block. */
  readonly previousSignature: Uint8Array | undefined;
};

/** What is signed of a block, in the first way (which all of Biscuit's libraries know) and in the second. */
export const signedBytes = (
  signatureVersion: number,
  { payload, nextKey, previousSignature }: SignedContent,
): Buffer => {
  if (signatureVersion === 0) return Buffer.concat([payload, littleEndian(ED25519), nextKey]);
  return Buffer.concat([
    Buffer.from('\0BLOCK\0\0VERSION\0'),
    littleEndian(signatureVersion),
    Buffer.from('\0PAYLOAD\0'),
    payload,
    Buffer.from('\0ALGORITHM\0'),
    littleEndian(ED25519),
    Buffer.from('\0NEXTKEY\0'),
    nextKey,
    ...(previousSignature === undefined ? [] : [Buffer.from('\0PREVSIG\0'), previousSignature]),
  ]);
};

/** What the last key signs to seal a token. */
export const sealedBytes = (payload: Uint8Array, nextKey: Uint8Array, signature: Uint8Array): Buffer =>
  Buffer.concat([payload, littleEndian(ED25519), nextKey, signature]);

/** A signed block that hands on to `nextKey`. */
export const signBlock = (
  key: KeyObject,
  content: SignedContent,
  signatureVersion = 1,
): { readonly raw: Buffer; readonly signature: Buffer } => {
  const signature = sign(null, signedBytes(signatureVersion, content), key);
  const { payload, nextKey } = content;
  return { raw: writeSignedBlock({ payload, nextKey, signature, signatureVersion }), signature };
};
