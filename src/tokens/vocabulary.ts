import type { Predicate } from './block.ts';
import { LIMITS } from './limits.ts';
import type { FactCounts } from './steps.ts';

/** What a request tells the checks of a token. What is left out is not offered, so that a check that asks for it fails. */
export type TokenRequest = {
  /** Such as `event:ingest`. */
  readonly action: string;
  readonly now: Date;
  readonly organizationId?: string | undefined;
  /** On actions of an application only, as with Hook0: a check on it refuses all others. */
  readonly applicationId?: string | undefined;
  /** Roles that may do this. */
  readonly allowedRoles?: readonly string[] | undefined;
  readonly subscriptionId?: string | undefined;
  readonly serviceTokenId?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Those that the request is about; an empty list counts as none. */
  readonly eventTypeNames?: readonly string[] | undefined;
};

/** A value as biscuit-wasm takes parameters. */
export type Parameter =
  | string
  | { readonly date: string }
  | { readonly set: readonly string[] }
  | { readonly map: ReadonlyMap<string, string> };

type Offer = { readonly name: string; readonly value: Parameter };

/** The facts of a request by Hook0's names. */
export const offersOf = (request: TokenRequest): Offer[] => {
  const { action, now, organizationId, applicationId, allowedRoles = [], subscriptionId } = request;
  const { serviceTokenId, labels, eventTypeNames = [] } = request;
  const texts = {
    action,
    organization_id: organizationId,
    application_id: applicationId,
    subscription_id: subscriptionId,
    service_token_id: serviceTokenId,
  };
  return [
    { name: 'time', value: { date: now.toISOString() } },
    ...Object.entries(texts).flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }])),
    ...[...new Set(allowedRoles)].map((value) => ({ name: 'allowed_role', value })),
    ...(labels === undefined ? [] : [{ name: 'labels', value: { map: new Map(Object.entries(labels)) } }]),
    ...(eventTypeNames.length === 0
      ? []
      : [{ name: 'event_type_names', value: { set: [...new Set(eventTypeNames)] } }]),
  ];
};

const ROLES_MAX = 4;
/** Of each offer, how often it can be there. */
const OFFERED: Readonly<Record<string, number>> = {
  time: 1,
  action: 1,
  organization_id: 1,
  application_id: 1,
  subscription_id: 1,
  service_token_id: 1,
  allowed_role: ROLES_MAX,
  labels: 1,
  event_type_names: 1,
};

const count = (names: readonly string[], elements: number): FactCounts => {
  const byName = new Map<string, number>();
  for (const name of names) byName.set(name, (byName.get(name) ?? 0) + 1);
  return { byName, total: names.length, elements };
};

export const factsWith = (authority: readonly Predicate[], offers: readonly Offer[]): FactCounts =>
  count(
    [...authority, ...offers].map(({ name }) => name),
    offers.reduce((sum, { value }) => sum + elementsIn(value), 0),
  );

/** All that can ever be offered to a token. */
export const mostFacts = (authority: readonly Predicate[]): FactCounts =>
  count(
    [
      ...authority.map(({ name }) => name),
      ...Object.entries(OFFERED).flatMap(([name, times]) => Array<string>(times).fill(name)),
    ],
    0,
  );

/** False for a request that offers more than checks may be run over. */
export const isOfferable = (offers: readonly Offer[]): boolean =>
  offers.length <= Object.values(OFFERED).reduce((sum, times) => sum + times) &&
  offers.reduce((sum, { value }) => sum + elementsIn(value), 0) <= LIMITS.offeredElements &&
  offers.reduce((sum, { value }) => sum + charactersIn(value), 0) <= LIMITS.offeredCharacters;

const elementsIn = (value: Parameter): number => {
  if (typeof value === 'string' || 'date' in value) return 0;
  return 'set' in value ? value.set.length : value.map.size;
};

const charactersIn = (value: Parameter): number => {
  if (typeof value === 'string') return value.length;
  if ('date' in value) return 0;
  const texts = 'set' in value ? value.set : [...value.map].flat();
  return texts.reduce((sum, text) => sum + text.length, 0);
};
