import type { Block } from './block.ts';
import {
  type Claims,
  type MailClaims,
  type MailPurpose,
  type RefreshClaims,
  readClaims,
  type ServiceClaims,
  type UserAccessClaims,
} from './claims.ts';
import { openEnvelope, revocationIdsOf } from './envelope.ts';
import { passGate } from './gate.ts';
import { prepareRootKeys, type RootKey } from './keys.ts';
import { type MintedToken, mintMail, mintRefresh, mintService, mintUserAccess } from './mint.ts';
import { type Decision, decide } from './permits.ts';
import { TokenRefused } from './refused.ts';
import { passSignatures } from './signatures.ts';
import type { TokenRequest } from './vocabulary.ts';

/**
 * A token whose signatures hold, which passed the gate and had not expired. May be cached by the text of the token: `expiresAt` and
 * `revocationIds` are the caller's to look at each time.
 */
export type VerifiedToken = Claims & {
  /** Of every block: revoking any of them revokes the token. The first is the one the token was minted with. */
  readonly revocationIds: readonly string[];
  readonly rootKeyId: number;
  readonly isAttenuated: boolean;
  readonly [BLOCKS]?: readonly Block[];
};

/**
 * The blocks of an attenuated token: on the token itself but in nobody's way, since a WeakMap holds on to what it knows until the
 * garbage collector looks through all memory, 150 MB later (measured 2026-11-22).
 */
const BLOCKS: unique symbol = Symbol('blocks');

export type Tokens = {
  /** Roles beyond the first 20 are left out: see `LIMITS`. */
  readonly mintUserAccess: (claims: UserAccessClaims) => MintedToken;
  readonly mintRefresh: (claims: RefreshClaims) => MintedToken;
  readonly mintService: (claims: ServiceClaims) => MintedToken;
  readonly mintMail: (claims: MailClaims & { readonly purpose: MailPurpose }) => MintedToken;
  /** Throws TokenRefused, whatever it is given. */
  readonly verify: (token: string, now: Date) => VerifiedToken;
  /** Whether the restrictions of an attenuated token allow the request; costs nothing for one that has none. */
  readonly permits: (token: VerifiedToken, request: TokenRequest) => Decision;
};

/** The first key signs, all verify. Throws a RangeError when there is none, or when two cannot be told apart in tokens. */
export const createTokens = ({ keys }: { readonly keys: readonly RootKey[] }): Tokens => {
  const roots = prepareRootKeys(keys);

  const verify = (token: string, now: Date): VerifiedToken => {
    const envelope = openEnvelope(token);
    const { rootKeyId } = envelope;
    const root = roots.publicKey(rootKeyId);
    if (root === undefined || rootKeyId === undefined)
      throw new TokenRefused('unknown_key', 'The token is signed with a key that is not known here, or no more.');
    const blocks = passGate(envelope);
    passSignatures(envelope, root);
    const claims = readAuthority(blocks);
    if ('expiresAt' in claims && claims.expiresAt <= now)
      throw new TokenRefused('expired', `The token expired at ${claims.expiresAt.toISOString()}.`);
    const isAttenuated = blocks.length > 1;
    const verified = { ...claims, revocationIds: revocationIdsOf(envelope), rootKeyId, isAttenuated };
    return isAttenuated ? Object.defineProperty(verified, BLOCKS, { value: blocks }) : verified;
  };

  const permits = (token: VerifiedToken, request: TokenRequest): Decision => {
    if ('expiresAt' in token && token.expiresAt <= request.now)
      return { allowed: false, because: 'checks', failed: [`time, ${token.expiresAt.toISOString()}`] };
    if (!token.isAttenuated) return { allowed: true };
    const blocks = token[BLOCKS];
    if (!blocks) throw new Error('permits takes what verify returned, and no copy of it.');
    return decide(blocks, request);
  };

  return {
    mintUserAccess: (claims) => mintUserAccess(roots, claims),
    mintRefresh: (claims) => mintRefresh(roots, claims),
    mintService: (claims) => mintService(roots, claims),
    mintMail: (claims) => mintMail(roots, claims),
    verify,
    permits,
  };
};

/** What the authority block says; only service tokens may have others behind it. */
const readAuthority = (blocks: readonly Block[]): Claims => {
  const [authority] = blocks;
  if (!authority) throw new Error('A token without blocks came through the gate.');
  const claims = readClaims(authority);
  if (blocks.length > 1 && claims.kind !== 'service_access')
    throw new TokenRefused('gate', `A token of type ${claims.kind} cannot be attenuated.`);
  return claims;
};
