import type { Biscuit as Parsed, PublicKey } from '@biscuit-auth/biscuit-wasm';
import { attenuate } from './attenuate.ts';
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
import { type Envelope, openEnvelope, revocationIdsOf } from './envelope.ts';
import { passGate } from './gate.ts';
import { prepareRootKeys, type RootKey } from './keys.ts';
import { AuthorizerBuilder, Biscuit } from './library.ts';
import { isSignatureError, textOfError } from './library-error.ts';
import { LIMITS } from './limits.ts';
import { type MintedToken, mintMail, mintRefresh, mintService, mintUserAccess } from './mint.ts';
import { type Decision, decide } from './permits.ts';
import { TokenRefused } from './refused.ts';
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
};

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
  /** To be done before the first request: the first evaluation takes longer than evaluations may. */
  readonly warmUp: () => void;
};

type Opened = { readonly bytes: Uint8Array; readonly root: PublicKey; readonly blocks: readonly Block[] };

/** The first key signs, all verify. Throws a RangeError when there is none, or when two cannot be told apart in tokens. */
export const createTokens = ({ keys }: { readonly keys: readonly RootKey[] }): Tokens => {
  const roots = prepareRootKeys(keys);
  const opened = new WeakMap<VerifiedToken, Opened>();
  const parsed = parsedTokens();

  const verify = (token: string, now: Date): VerifiedToken => {
    const envelope = openEnvelope(token);
    const { rootKeyId, bytes } = envelope;
    const root = roots.publicKey(rootKeyId);
    if (root === undefined || rootKeyId === undefined)
      throw new TokenRefused('unknown_key', 'The token is signed with a key that is not known here, or no more.');
    const blocks = passGate(envelope);
    const claims = readVerified(envelope, blocks, root);
    if ('expiresAt' in claims && claims.expiresAt <= now)
      throw new TokenRefused('expired', `The token expired at ${claims.expiresAt.toISOString()}.`);
    const isAttenuated = blocks.length > 1;
    const verified = { ...claims, revocationIds: revocationIdsOf(envelope), rootKeyId, isAttenuated };
    if (isAttenuated) opened.set(verified, { bytes, root, blocks });
    return verified;
  };

  const permits = (token: VerifiedToken, request: TokenRequest): Decision => {
    if ('expiresAt' in token && token.expiresAt <= request.now)
      return { allowed: false, because: 'checks', failed: [`time, ${token.expiresAt.toISOString()}`] };
    if (!token.isAttenuated) return { allowed: true };
    return run(token, request, LIMITS.runMicroseconds);
  };

  const run = (token: VerifiedToken, request: TokenRequest, runMicroseconds: number): Decision => {
    const inner = opened.get(token);
    if (!inner) throw new Error('permits takes what verify returned, and no copy of it.');
    return decide({ blocks: inner.blocks, parse: () => parsed(token, inner), runMicroseconds }, request);
  };

  const warmUp = (): void => {
    const now = new Date();
    const { token } = mintService(roots, { tokenId: 'warm-up', organizationId: 'warm-up', createdAt: now });
    const attenuated = attenuate(token, { applicationId: 'warm-up', actions: ['event:ingest'] });
    const request: TokenRequest = { action: 'event:ingest', applicationId: 'warm-up', now };
    for (let round = 0; round < WARM_UP_ROUNDS; round += 1) run(verify(attenuated, now), request, WARM_UP_MICROSECONDS);
  };

  return {
    mintUserAccess: (claims) => mintUserAccess(roots, claims),
    mintRefresh: (claims) => mintRefresh(roots, claims),
    mintService: (claims) => mintService(roots, claims),
    mintMail: (claims) => mintMail(roots, claims),
    verify,
    permits,
    warmUp,
  };
};

/** Enough rounds for the engine to have compiled the library (measured 2026-11-22: the first takes some 70 ms). */
const WARM_UP_ROUNDS = 20;
const WARM_UP_MICROSECONDS = 10_000_000;

/** Checks the signatures, then reads the authority block. */
const readVerified = ({ bytes }: Envelope, blocks: readonly Block[], root: PublicKey): Claims => {
  const biscuit = parse(bytes, root);
  try {
    // The library reads what was appended only now, and refuses some that we take, such as features of a later version.
    if (blocks.length > 1) orMalformed(() => new AuthorizerBuilder().buildAuthenticated(biscuit)).free();
  } finally {
    biscuit.free();
  }
  const [authority] = blocks;
  if (!authority) throw new Error('A token without blocks came through the gate.');
  const claims = readClaims(authority);
  if (blocks.length > 1 && claims.kind !== 'service_access')
    throw new TokenRefused('gate', `A token of type ${claims.kind} cannot be attenuated.`);
  return claims;
};

const parse = (bytes: Uint8Array, root: PublicKey): Parsed => orMalformed(() => Biscuit.fromBytes(bytes, root));

const REASON_CHARACTERS_MAX = 200;

const orMalformed = <T>(read: () => T): T => {
  try {
    return read();
  } catch (error) {
    if (isSignatureError(error))
      throw new TokenRefused('signature', 'A signature of the token does not hold.', { cause: error });
    if (error instanceof Error) throw error; // The library itself broke: no word about the token.
    const why = textOfError(error).slice(0, REASON_CHARACTERS_MAX);
    throw new TokenRefused('malformed', `The token is not well-formed: ${why}.`, { cause: error });
  }
};

/** Some tens of kilobytes of the library's memory each. */
const PARSED_MAX = 256;

/**
 * The library's own form of attenuated tokens, the latest used ones: freed as soon as they are pushed out, because waiting for the
 * garbage collector to do it let the library's memory, which never shrinks, grow to hundreds of megabytes (measured 2026-11-22).
 */
const parsedTokens = () => {
  const tokens = new Map<VerifiedToken, Parsed>();
  return (token: VerifiedToken, { bytes, root }: Opened): Parsed => {
    const biscuit = tokens.get(token) ?? parse(bytes, root);
    tokens.delete(token);
    tokens.set(token, biscuit);
    const [oldest] = tokens;
    if (tokens.size > PARSED_MAX && oldest) {
      tokens.delete(oldest[0]);
      oldest[1].free();
    }
    return biscuit;
  };
};
