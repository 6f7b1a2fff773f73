import { createPublicKey, type JsonWebKeyInput, type KeyObject, verify } from 'node:crypto';
import { prepareEd25519Key } from '../domain/signature/keys.ts';
import type { Envelope, SignedBlock } from './envelope.ts';
import { TokenRefused } from './refused.ts';
import { sealedBytes, signedBytes } from './signing.ts';
import { malformed } from './wire.ts';

/**
 * Checks the signature of each block by the key that the block before it names (of the first by the root key), and that whoever
 * made the token knew the last key: without that, blocks could be taken off. For tokens that passed the gate, whose keys are all
 * of Ed25519. Throws TokenRefused `signature` or `malformed`.
 */
export const passSignatures = ({ blocks, proof }: Envelope, root: KeyObject): void => {
  let key: Key = root;
  let last: SignedBlock | undefined;
  for (const block of blocks) {
    const { payload, nextKey, signature, signatureVersion } = block;
    const content = { payload, nextKey: nextKey.key, previousSignature: last?.signature };
    passSignature(signedBytes(signatureVersion, content), signature, key);
    key = keyOf(nextKey.key);
    last = block;
  }
  if (!last) throw malformed('it has no block');
  const { payload, nextKey, signature } = last;
  if ('seal' in proof) passSignature(sealedBytes(payload, nextKey.key, signature), proof.seal, key);
  else if (!isPublicKeyOf(proof.nextSecret, nextKey.key)) throw refused();
};

/** The key of a block is used once or twice: no KeyObject, which waits outside of the heap for the garbage collector. */
type Key = KeyObject | JsonWebKeyInput;

const keyOf = (publicKey: Uint8Array): Key => ({
  key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') },
  format: 'jwk',
});

const SIGNATURE_BYTES = 64;
const SEED_BYTES = 32;

const passSignature = (signed: Uint8Array, signature: Uint8Array, key: Key): void => {
  if (signature.length !== SIGNATURE_BYTES) throw malformed('a signature is not of 64 bytes');
  if (!verify(null, signed, key, signature)) throw refused();
};

const isPublicKeyOf = (seed: Uint8Array, publicKey: Uint8Array): boolean => {
  if (seed.length !== SEED_BYTES) throw malformed('its key is not of 32 bytes');
  const { x } = createPublicKey(prepareEd25519Key(seed)).export({ format: 'jwk' });
  return x === Buffer.from(publicKey).toString('base64url');
};

const refused = (): TokenRefused => new TokenRefused('signature', 'A signature of the token does not hold.');
