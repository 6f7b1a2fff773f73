import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { prepareEd25519Key } from '../domain/signature/keys.ts';
import { writeSignedBlock } from './envelope.ts';

/** Signatures of blocks (Biscuit's specification, "Signature of one block", version 1), for tokens whose root key is elsewhere. */

const SIGNATURE_VERSION = 1;

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

/** A signed block that hands on to `nextKey`. `previousSignature` is undefined for an authority block. */
export const signBlock = (
  payload: Uint8Array,
  {
    key,
    nextKey,
    previousSignature,
  }: { key: KeyObject; nextKey: Uint8Array; previousSignature: Uint8Array | undefined },
): { readonly raw: Buffer; readonly signature: Buffer } => {
  const message = Buffer.concat([
    Buffer.from('\0BLOCK\0\0VERSION\0'),
    littleEndian(SIGNATURE_VERSION),
    Buffer.from('\0PAYLOAD\0'),
    payload,
    Buffer.from('\0ALGORITHM\0'),
    littleEndian(0),
    Buffer.from('\0NEXTKEY\0'),
    nextKey,
    ...(previousSignature === undefined ? [] : [Buffer.from('\0PREVSIG\0'), previousSignature]),
  ]);
  const signature = sign(null, message, key);
  return { raw: writeSignedBlock({ payload, nextKey, signature, signatureVersion: SIGNATURE_VERSION }), signature };
};
