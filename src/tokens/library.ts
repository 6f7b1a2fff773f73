import { without } from './quiet.ts';

/** biscuit-wasm, which greets whoever loads it. */
export const { AuthorizerBuilder, Biscuit, BiscuitBuilder, BlockBuilder, PrivateKey, PublicKey, SignatureAlgorithm } =
  await without('biscuit-wasm loading', () => import('@biscuit-auth/biscuit-wasm'));
