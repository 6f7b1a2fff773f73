import type { Biscuit as Parsed } from '@biscuit-auth/biscuit-wasm';
import type { Envelope } from './envelope.ts';
import { writeEnvelope } from './envelope.ts';
import { Biscuit, PublicKey, SignatureAlgorithm } from './library.ts';
import { generateSigningKey, signBlock } from './signing.ts';

/**
 * The same blocks under keys made for the moment, so that the library, which opens no token without its root key, can print and
 * extend them for somebody who has none. Proves nothing, opens nothing; `use` gets it for as long as it runs.
 */
export const withCopy = <T>({ blocks }: Pick<Envelope, 'blocks'>, use: (copy: Parsed) => T): T => {
  const { privateKey: key, publicKey, seed } = generateSigningKey();
  let previousSignature: Buffer | undefined;
  const raws = blocks.map(({ payload }) => {
    const { raw, signature } = signBlock(key, { payload, nextKey: publicKey, previousSignature });
    previousSignature = signature;
    return raw;
  });
  const root = PublicKey.fromBytes(publicKey, SignatureAlgorithm.Ed25519);
  try {
    const copy = Biscuit.fromBytes(writeEnvelope(undefined, raws, { nextSecret: seed }), root);
    try {
      return use(copy);
    } finally {
      copy.free();
    }
  } finally {
    root.free();
  }
};
