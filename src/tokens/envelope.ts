import { LIMITS } from './limits.ts';
import { TokenRefused } from './refused.ts';
import { field, Message, malformed } from './wire.ts';

/** The outer half of a token (schema.proto of Biscuit: `Biscuit`, `SignedBlock`, `Proof`); blocks are bytes still. */

export type SignedBlock = {
  readonly payload: Uint8Array;
  readonly nextKey: { readonly algorithm: number; readonly key: Uint8Array };
  readonly signature: Uint8Array;
  readonly isThirdParty: boolean;
  /** Which of the two ways the signature was made in. */
  readonly signatureVersion: number;
  /** As it stands in the token. */
  readonly raw: Uint8Array;
};

export type Envelope = {
  readonly bytes: Uint8Array;
  readonly rootKeyId: number | undefined;
  /** The authority block first. */
  readonly blocks: readonly SignedBlock[];
  /** A secret lets its holder append; a seal does not. */
  readonly proof: { readonly nextSecret: Uint8Array } | { readonly seal: Uint8Array };
};

export const ED25519 = 0;
const SECP256R1 = 1;

/** Throws TokenRefused: `too_big` or `malformed`. */
export const openEnvelope = (token: string, charactersMax: number = LIMITS.base64Characters): Envelope => {
  if (token.length > charactersMax)
    throw new TokenRefused('too_big', `The token has ${token.length} characters; ${charactersMax} are the most.`);
  const bytes = decodeBase64(token);
  const message = new Message(bytes, [1, 2, 3, 4]);
  const raws = [message.bytes(2), ...message.list(3)];
  const proof = new Message(message.bytes(4), [1, 2]);
  if (proof.present.length !== 1) throw malformed('its proof is not one of a secret and a seal');
  return {
    bytes,
    rootKeyId: message.optionalNumber(1),
    blocks: raws.map(readSignedBlock),
    proof: proof.has(1) ? { nextSecret: proof.bytes(1) } : { seal: proof.bytes(2) },
  };
};

/** URL-safe base64, padded or not, in the one way that encodes its bytes: one token has one text. */
const decodeBase64 = (token: string): Uint8Array => {
  const [, text = ''] = /^([A-Za-z0-9_-]+)={0,2}$/.exec(token) ?? [];
  const bytes = Buffer.from(text, 'base64url');
  const isPadded = token.length === text.length || token.length % 4 === 0;
  if (bytes.length === 0 || bytes.toString('base64url') !== text || !isPadded)
    throw malformed('it is not URL-safe base64');
  return bytes;
};

const readSignedBlock = (raw: Uint8Array): SignedBlock => {
  const message = new Message(raw, [1, 2, 3, 4, 5]);
  const key = new Message(message.bytes(2), [1, 2]);
  const signatureVersion = message.optionalNumber(5);
  if (signatureVersion === 0) throw malformed('a signature version is written out that goes without saying');
  return {
    raw,
    payload: message.bytes(1),
    nextKey: { algorithm: key.number(1, SECP256R1), key: key.bytes(2) },
    signature: message.bytes(3),
    isThirdParty: message.has(4),
    signatureVersion: signatureVersion ?? 0,
  };
};

/** The identifiers by which blocks are revoked: their signatures. */
export const revocationIdsOf = ({ blocks }: Envelope): string[] =>
  blocks.map(({ signature }) => Buffer.from(signature).toString('hex'));

export const isEd25519 = ({ nextKey }: SignedBlock): boolean =>
  nextKey.algorithm === ED25519 && nextKey.key.length === 32;

type NewBlock = {
  readonly payload: Uint8Array;
  readonly nextKey: Uint8Array;
  readonly signature: Uint8Array;
  readonly signatureVersion: number;
};

export const writeSignedBlock = ({ payload, nextKey, signature, signatureVersion }: NewBlock): Buffer =>
  Buffer.concat([
    field(1, payload),
    field(2, Buffer.concat([field(1, ED25519), field(2, nextKey)])),
    field(3, signature),
    ...(signatureVersion === 0 ? [] : [field(5, signatureVersion)]),
  ]);

/** A token of blocks as they stand in it, the authority block first. */
export const writeEnvelope = (
  rootKeyId: number | undefined,
  blocks: readonly Uint8Array[],
  proof: Envelope['proof'],
): Buffer =>
  Buffer.concat([
    ...(rootKeyId === undefined ? [] : [field(1, rootKeyId)]),
    ...blocks.map((block, index) => field(index === 0 ? 2 : 3, block)),
    field(4, 'seal' in proof ? field(2, proof.seal) : field(1, proof.nextSecret)),
  ]);

/** Padded, as the library writes it. */
export const textOfToken = (bytes: Uint8Array): string => {
  const text = Buffer.from(bytes).toString('base64url');
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=');
};
