import type { BiscuitBuilder as Builder } from '@biscuit-auth/biscuit-wasm';
import type { MailClaims, MailPurpose, RefreshClaims, ServiceClaims, UserAccessClaims } from './claims.ts';
import { openEnvelope, revocationIdsOf } from './envelope.ts';
import type { RootKeys } from './keys.ts';
import { BiscuitBuilder } from './library.ts';
import { LIMITS } from './limits.ts';
import type { Parameter } from './vocabulary.ts';

export type MintedToken = {
  readonly token: string;
  /** Of the authority block, in hex: revoking it revokes every token made of this one. */
  readonly revocationId: string;
};

/** Facts by name, in the order of the block. Values go in as parameters: no text of a client is ever read as Datalog. */
type Facts = readonly (readonly [name: string, ...values: Parameter[]])[];

const at = (instant: Date): Parameter => ({ date: instant.toISOString() });

export const mintUserAccess = (keys: RootKeys, claims: UserAccessClaims): MintedToken =>
  mint(keys, {
    kind: 'user_access',
    expiresAt: claims.expiresAt,
    facts: [
      ['session_id', claims.sessionId],
      ['token_id', claims.tokenId],
      ['created_at', at(claims.createdAt)],
      ['authenticated_at', at(claims.authenticatedAt)],
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
      ['created_at', at(claims.createdAt)],
      ['user_id', claims.userId],
    ],
  });

export const mintService = (keys: RootKeys, { tokenId, organizationId, createdAt }: ServiceClaims): MintedToken =>
  mint(keys, {
    kind: 'service_access',
    expiresAt: undefined,
    facts: [
      ['token_id', tokenId],
      ['created_at', at(createdAt)],
      ['organization_id', organizationId],
    ],
  });

export const mintMail = (keys: RootKeys, claims: MailClaims & { readonly purpose: MailPurpose }): MintedToken =>
  mint(keys, {
    kind: claims.purpose,
    expiresAt: claims.expiresAt,
    facts: [
      ['token_id', claims.tokenId],
      ['created_at', at(claims.createdAt)],
      ['user_id', claims.userId],
      ['expired_at', at(claims.expiresAt)],
    ],
  });

type Content = { readonly kind: string; readonly expiresAt: Date | undefined; readonly facts: Facts };

/** A token with an expiry is sealed: nobody restricts a session or a mail further. One without is left open for attenuation. */
const mint = ({ signing }: RootKeys, { kind, expiresAt, facts }: Content): MintedToken => {
  const builder = new BiscuitBuilder();
  addFacts(builder, [['type', kind], ...facts]);
  if (expiresAt !== undefined)
    builder.addCodeWithParameters('check if time($t), $t < {expires_at};', { expires_at: at(expiresAt) }, {});
  builder.setRootKeyId(signing.id);
  const open = builder.build(signing.key);
  try {
    const biscuit = expiresAt === undefined ? open : open.sealToken();
    const token = biscuit.toBase64();
    if (biscuit !== open) biscuit.free();
    const [revocationId = ''] = revocationIdsOf(openEnvelope(token));
    return { token, revocationId };
  } finally {
    open.free();
  }
};

const addFacts = (builder: Builder, facts: Facts): void => {
  const parameters: Record<string, Parameter> = {};
  const source = facts.map(([name, ...values], fact) => {
    const terms = values.map((value, term) => {
      parameters[`p${fact}_${term}`] = value;
      return `{p${fact}_${term}}`;
    });
    return `${name}(${terms.join(', ')});`;
  });
  builder.addCodeWithParameters(`version(1); ${source.join(' ')}`, parameters, {});
};
