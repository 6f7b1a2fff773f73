import type { Block, Check, Predicate, Term } from './block.ts';
import { malformed } from './wire.ts';

export const MAIL_PURPOSES = [
  'email_verification',
  'password_reset',
  'invitation',
  'reactivation_unsubscribe',
] as const;
export type MailPurpose = (typeof MAIL_PURPOSES)[number];

export type OrganizationRole = { readonly organizationId: string; readonly role: string };

export type UserAccessClaims = {
  readonly tokenId: string;
  readonly sessionId: string;
  readonly userId: string;
  readonly email: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly roles: readonly OrganizationRole[];
  readonly createdAt: Date;
  /** When the person last proved who they are; a refresh does not move it. */
  readonly authenticatedAt: Date;
  readonly expiresAt: Date;
};

export type RefreshClaims = {
  readonly tokenId: string;
  readonly sessionId: string;
  readonly userId: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
};

export type ServiceClaims = { readonly tokenId: string; readonly organizationId: string; readonly createdAt: Date };

export type MailClaims = {
  readonly tokenId: string;
  readonly userId: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
};

/** What the authority block says; `kind` is its fact `type`. Instants are whole seconds. */
export type Claims =
  | ({ readonly kind: 'user_access' } & UserAccessClaims)
  | ({ readonly kind: 'refresh' } & RefreshClaims)
  | ({ readonly kind: 'service_access' } & ServiceClaims)
  | ({ readonly kind: MailPurpose } & MailClaims);

export type TokenKind = Claims['kind'];

/** Of this shape of token; the fact `version`. */
export const CLAIMS_VERSION = 1n;

/** Reads the authority block and nothing else: what was appended cannot say who somebody is. Throws TokenRefused `malformed`. */
export const readClaims = (authority: Block): Claims => {
  const facts = factsOf(authority.facts);
  if (facts.integer('version') !== CLAIMS_VERSION) throw malformed('its version is not known');
  const kind = facts.text('type');
  const base = () => ({ tokenId: facts.text('token_id'), createdAt: facts.instant('created_at') });
  if (kind === 'service_access') {
    if (authority.checks.length > 0) throw malformed('its authority block holds checks');
    return { kind, ...base(), organizationId: facts.text('organization_id') };
  }
  const person = () => ({ ...base(), userId: facts.text('user_id'), expiresAt: expiryOf(authority.checks) });
  if (kind === 'refresh') return { kind, ...person(), sessionId: facts.text('session_id') };
  if (kind === 'user_access')
    return {
      kind,
      ...person(),
      sessionId: facts.text('session_id'),
      email: facts.text('email'),
      firstName: facts.text('first_name'),
      lastName: facts.text('last_name'),
      authenticatedAt: facts.instant('authenticated_at'),
      roles: facts.pairs('organization_role').map(([organizationId, role]) => ({ organizationId, role })),
    };
  const purpose = MAIL_PURPOSES.find((name) => name === kind);
  if (purpose === undefined) throw malformed('its type is not known');
  return { kind: purpose, ...person() };
};

const factsOf = (facts: readonly Predicate[]) => {
  const only = (name: string): Term => {
    const [fact, ...others] = facts.filter((candidate) => candidate.name === name);
    const [term, ...more] = fact?.terms ?? [];
    if (term === undefined || others.length > 0 || more.length > 0) throw malformed(`it has not one fact ${name}`);
    return term;
  };
  const textIn = (term: Term | undefined, name: string): string => {
    if (term?.kind === 'string') return term.value;
    throw malformed(`its fact ${name} is not a text`);
  };
  return {
    text: (name: string): string => textIn(only(name), name),
    instant: (name: string): Date => {
      const term = only(name);
      if (term.kind !== 'date') throw malformed(`its fact ${name} is not a date`);
      return new Date(term.value * 1_000);
    },
    integer: (name: string): bigint => {
      const term = only(name);
      if (term.kind !== 'integer') throw malformed(`its fact ${name} is not a number`);
      return term.value;
    },
    pairs: (name: string): [string, string][] =>
      facts.filter((fact) => fact.name === name).map(({ terms }) => [textIn(terms[0], name), textIn(terms[1], name)]),
  };
};

/** The instant in `check if time($t), $t < instant`, the one check an authority block has. */
const expiryOf = (checks: readonly Check[]): Date => {
  const [check, ...others] = checks;
  const [query, ...alternatives] = check?.queries ?? [];
  const [time, ...joined] = query?.predicates ?? [];
  const [expression, ...conditions] = query?.expressions ?? [];
  const [left, right, operator, ...more] = expression ?? [];
  const [bound] = time?.terms ?? [];
  const isExpiry =
    check?.kind === 'check if' &&
    [others, alternatives, joined, conditions, more].every(({ length }) => length === 0) &&
    time?.name === 'time' &&
    time.terms.length === 1 &&
    bound?.kind === 'variable' &&
    left?.kind === 'value' &&
    left.term.kind === 'variable' &&
    left.term.name === bound.name &&
    operator?.kind === 'binary' &&
    operator.name === '<';
  if (!isExpiry || right?.kind !== 'value' || right.term.kind !== 'date') throw malformed('it has no expiry');
  return new Date(right.term.value * 1_000);
};
