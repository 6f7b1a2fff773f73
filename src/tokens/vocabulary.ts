import type { Predicate, Term } from './block.ts';
import type { FactCounts } from './steps.ts';
import { dateOf } from './write-block.ts';

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

/** The facts of a request by Hook0's names. */
export const factsOf = (request: TokenRequest): Predicate[] => {
  const { action, now, organizationId, applicationId, allowedRoles = [], subscriptionId } = request;
  const { serviceTokenId, labels, eventTypeNames = [] } = request;
  const texts = {
    action,
    organization_id: organizationId,
    application_id: applicationId,
    subscription_id: subscriptionId,
    service_token_id: serviceTokenId,
  };
  const facts: Predicate[] = [{ name: 'time', terms: [dateOf(now)] }];
  for (const [name, value] of Object.entries(texts))
    if (value !== undefined) facts.push({ name, terms: [textOf(value)] });
  for (const role of new Set(allowedRoles)) facts.push({ name: 'allowed_role', terms: [textOf(role)] });
  if (labels !== undefined) {
    const entries = new Map(Object.entries(labels).map(([key, value]) => [key, textOf(value)]));
    facts.push({ name: 'labels', terms: [{ kind: 'map', entries }] });
  }
  if (eventTypeNames.length > 0)
    facts.push({ name: 'event_type_names', terms: [{ kind: 'set', items: [...new Set(eventTypeNames)].map(textOf) }] });
  return facts;
};

const textOf = (value: string): Term => ({ kind: 'string', value });

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

/** All that can ever be offered to a token. */
export const mostFacts = (authority: readonly Predicate[]): FactCounts => {
  const names = [
    ...authority.map(({ name }) => name),
    ...Object.entries(OFFERED).flatMap(([name, times]) => Array<string>(times).fill(name)),
  ];
  const byName = new Map<string, number>();
  for (const name of names) byName.set(name, (byName.get(name) ?? 0) + 1);
  return { byName, total: names.length };
};
