import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { prepareEd25519Key } from '../domain/signature/keys.ts';

/** A root key as the configuration names it: an Ed25519 seed of 32 bytes. */
export type RootKey = { readonly id: string; readonly key: Uint8Array };

export type RootKeys = {
  readonly signing: { readonly id: number; readonly key: KeyObject };
  /** By the number in the token; undefined when there is no such key, or no more. */
  readonly publicKey: (rootKeyId: number | undefined) => KeyObject | undefined;
};

/**
 * The number that a key id has in tokens, where there is room for 32 bits: a decimal number that fits is itself, any other text
 * the first four bytes of its SHA-256.
 */
export const rootKeyIdOf = (id: string): number =>
  /^(0|[1-9]\d{0,9})$/.test(id) && Number(id) <= 0xffff_ffff
    ? Number(id)
    : createHash('sha256').update(id).digest().readUInt32BE();

/** The first key signs, all verify. Throws a RangeError when there is none, or when two would have the same number. */
export const prepareRootKeys = (keys: readonly RootKey[]): RootKeys => {
  const [first] = keys;
  if (!first) throw new RangeError('Tokens need at least one root key.');
  const byNumber = new Map<number, { readonly id: string; readonly publicKey: KeyObject }>();
  for (const { id, key } of keys) {
    const number = rootKeyIdOf(id);
    const other = byNumber.get(number);
    if (other)
      throw new RangeError(
        `The root keys ${other.id} and ${id} would both be number ${number} in tokens. Give one of them another id.`,
      );
    byNumber.set(number, { id, publicKey: createPublicKey(prepareEd25519Key(key)) });
  }
  return {
    signing: { id: rootKeyIdOf(first.id), key: prepareEd25519Key(first.key) },
    publicKey: (rootKeyId) => (rootKeyId === undefined ? undefined : byNumber.get(rootKeyId)?.publicKey),
  };
};
