import { sign } from 'node:crypto';
import type { Predicate } from './block.ts';
import {
  CLAIMS_VERSION,
  type MailClaims,
  type MailPurpose,
  type RefreshClaims,
  type ServiceClaims,
  type UserAccessClaims,
} from './claims.ts';
import { textOfToken, writeEnvelope } from './envelope.ts';
import type { RootKeys } from './keys.ts';
import { LIMITS } from './limits.ts';
import { generateSigningKey, sealedBytes, signBlock } from './signing.ts';
import { dateOf, writeAuthorityBlock } from './write-block.ts';

export type MintedToken = {
  readonly token: string;
  /** Of the authority block, in hex: revoking it revokes every token made of this one. */
  readonly revocationId: string;
};

/** Facts by name, in the order of the block. They are written as data: no text of a client is ever read as Datalog. */
type Facts = readonly (readonly [name: string, ...values: (string | Date)[]])[];

export const mintUserAccess = (keys: RootKeys, claims: UserAccessClaims): MintedToken =>
  mint(keys, {
    kind: 'user_access',
    expiresAt: claims.expiresAt,
    facts: [
      ['session_id', claims.sessionId],
      ['token_id', claims.tokenId],
      ['created_at', claims.createdAt],
      ['authenticated_at', claims.authenticatedAt],
      ['user_id', claims.userId],
      ['email', claims.email],
      ['first_name', claims.firstName],
      ['last_name', claims.lastName],
      ...claims.roles
        .slice(0, LIMITS.organizationRoles)
        .map(({ organizationId, role }) => ['organization_role', organizationId, role] as const),
    ],
  });

export const mintRefresh = (keys: RootKeys, claims: RefreshClaims): MintedToken =>
  mint(keys, {
    kind: 'refresh',
    expiresAt: claims.expiresAt,
    facts: [
      ['session_id', claims.sessionId],
      ['token_id', claims.tokenId],
      ['created_at', claims.createdAt],
      ['user_id', claims.userId],
    ],
  });

export const mintService = (keys: RootKeys, { tokenId, organizationId, createdAt }: ServiceClaims): MintedToken =>
  mint(keys, {
    kind: 'service_access',
    expiresAt: undefined,
    facts: [
      ['token_id', tokenId],
      ['created_at', createdAt],
      ['organization_id', organizationId],
    ],
  });

export const mintMail = (keys: RootKeys, claims: MailClaims & { readonly purpose: MailPurpose }): MintedToken =>
  mint(keys, {
    kind: claims.purpose,
    expiresAt: claims.expiresAt,
    facts: [
      ['token_id', claims.tokenId],
      ['created_at', claims.createdAt],
      ['user_id', claims.userId],
      ['expired_at', claims.expiresAt],
    ],
  });

type Content = { readonly kind: string; readonly expiresAt: Date | undefined; readonly facts: Facts };

/** A token with an expiry is sealed: nobody restricts a session or a mail further. One without is left open for attenuation. */
const mint = ({ signing }: RootKeys, { kind, expiresAt, facts }: Content): MintedToken => {
  const payload = writeAuthorityBlock([VERSION, ...[['type', kind] as const, ...facts].map(predicateOf)], expiresAt);
  const next = generateSigningKey();
  const nextKey = next.publicKey;
  const { raw, signature } = signBlock(
    signing.key,
    { payload, nextKey, previousSignature: undefined },
    SIGNATURE_VERSION,
  );
  const proof =
    expiresAt === undefined
      ? { nextSecret: next.seed }
      : { seal: sign(null, sealedBytes(payload, nextKey, signature), next.privateKey) };
  return {
    token: textOfToken(writeEnvelope(signing.id, [raw], proof)),
    revocationId: signature.toString('hex'),
  };
};

/** The one that older libraries know, too. */
const SIGNATURE_VERSION = 0;
const VERSION: Predicate = { name: 'version', terms: [{ kind: 'integer', value: CLAIMS_VERSION }] };

const predicateOf = ([name, ...values]: Facts[number]): Predicate => ({
  name,
  terms: values.map((value) => (value instanceof Date ? dateOf(value) : { kind: 'string', value })),
});
