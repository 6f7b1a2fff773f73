import { readBlock } from './block.ts';
import { readClaims, type TokenKind } from './claims.ts';
import { withCopy } from './copy.ts';
import { type Envelope, openEnvelope, revocationIdsOf } from './envelope.ts';
import { passGate } from './gate.ts';
import { printBlock } from './print.ts';
import { type TokenRefusal, TokenRefused } from './refused.ts';

export type Inspection = {
  /** Always: only who has the public root key can say whether a token is genuine. */
  readonly isSignatureChecked: false;
  readonly characters: number;
  readonly bytes: number;
  readonly rootKeyId: number | undefined;
  /** Nothing can be appended any more. */
  readonly isSealed: boolean;
  /** What the authority block claims; undefined when it is none of Posthorn's. */
  readonly kind: TokenKind | undefined;
  readonly blocks: readonly {
    readonly revocationId: string;
    readonly bytes: number;
    readonly isThirdParty: boolean;
    /** Datalog; undefined when it cannot be shown, as in a token with blocks of third parties. */
    readonly source: string | undefined;
  }[];
  readonly gate:
    | { readonly passes: true }
    | { readonly passes: false; readonly reason: TokenRefusal; readonly why: string };
};

/** More than the gate lets through, so that what it refuses can be looked at. */
const CHARACTERS_MAX = 65_536;

/**
 * What is in a token, without its root key. Throws TokenRefused when it is no token at all. What the gate refuses is printed by the
 * library, whose memory grows by some 20 KiB each time and never shrinks: without `showsRefused` it is not.
 */
export const inspect = (token: string, { showsRefused = true } = {}): Inspection => {
  const envelope = openEnvelope(token, CHARACTERS_MAX);
  const gated = unlessRefused(() => {
    openEnvelope(token);
    return passGate(envelope);
  });
  const sources =
    gated instanceof TokenRefused ? (showsRefused ? sourcesOf(envelope) : undefined) : gated.map(printBlock);
  const revocationIds = revocationIdsOf(envelope);
  return {
    isSignatureChecked: false,
    characters: token.length,
    bytes: envelope.bytes.length,
    rootKeyId: envelope.rootKeyId,
    isSealed: 'seal' in envelope.proof,
    kind: kindOf(envelope),
    blocks: envelope.blocks.map(({ payload, isThirdParty }, index) => ({
      revocationId: revocationIds[index] ?? '',
      bytes: payload.length,
      isThirdParty,
      source: sources?.[index],
    })),
    gate:
      gated instanceof TokenRefused ? { passes: false, reason: gated.reason, why: gated.message } : { passes: true },
  };
};

const unlessRefused = <T>(attempt: () => T): T | TokenRefused => {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof TokenRefused) return error;
    throw error;
  }
};

const kindOf = ({ blocks }: Envelope): TokenKind | undefined => {
  const claims = unlessRefused(() => readClaims(readBlock(blocks[0]?.payload ?? new Uint8Array(), [])));
  return claims instanceof TokenRefused ? undefined : claims.kind;
};

/**
 * By the library, which knows all of Datalog. Blocks that cannot be read by us are not given to the library either: it has no limit
 * on how deep it goes.
 */
const sourcesOf = (envelope: Envelope): string[] | undefined => {
  const { blocks } = envelope;
  if (blocks.some(({ isThirdParty }) => isThirdParty)) return undefined;
  const symbols: string[] = [];
  const readable = unlessRefused(() => {
    for (const { payload } of blocks) symbols.push(...readBlock(payload, symbols).symbols);
  });
  if (readable instanceof TokenRefused) return undefined;
  try {
    return withCopy(envelope, (copy) => blocks.map((_, index) => copy.getBlockSource(index).trimEnd()));
  } catch {
    return undefined; // The library takes fewer tokens than we read: a version it does not know, symbols that overlap.
  }
};
