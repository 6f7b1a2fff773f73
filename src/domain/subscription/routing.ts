import { parseEventTypePattern } from '../event-type/name.ts';
import type { SubscriptionSettings } from './events.ts';

export { parseEventTypeName, parseEventTypePattern } from '../event-type/name.ts';

export type RoutableSubscription = {
  readonly subscriptionId: string;
  readonly settings: Pick<SubscriptionSettings, 'isEnabled' | 'eventTypes' | 'labels'>;
  readonly isDeleted?: boolean;
};
export type RoutableEvent = { readonly eventType: string; readonly labels: Readonly<Record<string, string>> };
export type Matcher<S> = { match(event: RoutableEvent): S[] };

/** How many event types a matcher remembers; beyond it begins anew, so that made-up names cost no memory. */
const REMEMBERED_TYPES_MAX = 10_000;

/**
 * Prepares the subscriptions of one application for matching; answers come in the order given. An event type meets the
 * patterns once and is remembered; then each event looks up its labels, so the cost is that of the labels and the matches.
 */
export const compileRoutes = <S extends RoutableSubscription>(subscriptions: readonly S[]): Matcher<S> => {
  const routes = subscriptions
    .filter((subscription) => subscription.settings.isEnabled && subscription.isDeleted !== true)
    .map((subscription, order) => ({ subscription, order, labels: Object.entries(subscription.settings.labels) }));
  const exact = new Map<string, Set<Route<S>>>();
  const patterns: { route: Route<S>; parts: readonly string[] }[] = [];
  for (const route of routes)
    for (const pattern of route.subscription.settings.eventTypes) {
      if (isWild(pattern)) patterns.push({ route, parts: parseEventTypePattern(pattern) ?? [] });
      else exact.set(pattern, (exact.get(pattern) ?? new Set<Route<S>>()).add(route));
    }

  const indexFor = (eventType: string): LabelIndex<S> => {
    const found = new Set(exact.get(eventType));
    const parts = eventType.split('.');
    for (const pattern of patterns) if (matchesParts(pattern.parts, parts)) found.add(pattern.route);
    return indexByLabel(found);
  };
  const remembered = new Map<string, LabelIndex<S>>();
  return {
    match: ({ eventType, labels }) => {
      let index = remembered.get(eventType);
      if (index === undefined) {
        if (remembered.size >= REMEMBERED_TYPES_MAX) remembered.clear();
        index = indexFor(eventType);
        remembered.set(eventType, index);
      }
      return lookUp(index, labels);
    },
  };
};

/** Which of the rules decided, and on what; asked of the past it answers "why did it get this, or why not". */
export type RoutingExplanation =
  | { readonly outcome: 'matched'; readonly pattern: string }
  | { readonly outcome: 'disabled' | 'deleted' }
  | { readonly outcome: 'event_type'; readonly eventTypes: readonly string[] }
  | { readonly outcome: 'label'; readonly key: string; readonly wanted: string; readonly found: string | null };

export const explainRouting = (
  { settings, isDeleted }: RoutableSubscription,
  { eventType, labels }: RoutableEvent,
): RoutingExplanation => {
  if (isDeleted === true) return { outcome: 'deleted' };
  if (!settings.isEnabled) return { outcome: 'disabled' };
  const pattern = settings.eventTypes.find((candidate) => matchesEventType(candidate, eventType));
  if (pattern === undefined) return { outcome: 'event_type', eventTypes: settings.eventTypes };
  const missed = Object.entries(settings.labels).find(([key, wanted]) => labels[key] !== wanted);
  if (missed === undefined) return { outcome: 'matched', pattern };
  const [key, wanted] = missed;
  return { outcome: 'label', key, wanted, found: Object.hasOwn(labels, key) ? (labels[key] ?? null) : null };
};

/** Case-sensitive; see parseEventTypePattern for what a pattern may be. */
export const matchesEventType = (pattern: string, eventType: string): boolean =>
  isWild(pattern) ? matchesParts(parseEventTypePattern(pattern) ?? [], eventType.split('.')) : pattern === eventType;

type Route<S> = { readonly subscription: S; readonly order: number; readonly labels: readonly [string, string][] };

/** Each route stands under one of its labels, the rarest, so that an event meets few it does not match. */
type LabelIndex<S> = {
  readonly unlabelled: Route<S>[];
  readonly byLabel: Map<string, Map<string, Route<S>[]>>;
};

const isWild = (pattern: string): boolean => pattern.includes('*');

/** One walk over the parts: `**` comes last, so there is never a choice to take back. */
const matchesParts = (pattern: readonly string[], parts: readonly string[]): boolean => {
  const isOpen = pattern.at(-1) === '**';
  if (isOpen ? parts.length < pattern.length : parts.length !== pattern.length) return false;
  const fixed = isOpen ? pattern.length - 1 : pattern.length;
  for (let at = 0; at < fixed; at++) if (pattern[at] !== '*' && pattern[at] !== parts[at]) return false;
  return true;
};

const indexByLabel = <S>(routes: ReadonlySet<Route<S>>): LabelIndex<S> => {
  const counts = new Map<string, number>();
  const countKey = ([key, value]: readonly [string, string]) => JSON.stringify([key, value]);
  for (const { labels } of routes)
    for (const label of labels) counts.set(countKey(label), (counts.get(countKey(label)) ?? 0) + 1);
  const index: LabelIndex<S> = { unlabelled: [], byLabel: new Map() };
  for (const route of routes) {
    const [rarest] = route.labels.toSorted((a, b) => (counts.get(countKey(a)) ?? 0) - (counts.get(countKey(b)) ?? 0));
    if (rarest === undefined) index.unlabelled.push(route);
    else bucket(index, rarest).push(route);
  }
  return index;
};

const bucket = <S>({ byLabel }: LabelIndex<S>, [key, value]: readonly [string, string]): Route<S>[] => {
  const values = byLabel.get(key) ?? new Map<string, Route<S>[]>();
  byLabel.set(key, values);
  const routes = values.get(value) ?? [];
  values.set(value, routes);
  return routes;
};

const lookUp = <S>({ unlabelled, byLabel }: LabelIndex<S>, labels: RoutableEvent['labels']): S[] => {
  const matched = [...unlabelled];
  if (byLabel.size > 0)
    for (const key of Object.keys(labels))
      for (const route of byLabel.get(key)?.get(labels[key] ?? '') ?? [])
        if (route.labels.every(([name, value]) => labels[name] === value)) matched.push(route);
  if (matched.length > 1) matched.sort((a, b) => a.order - b.order);
  return matched.map(({ subscription }) => subscription);
};
