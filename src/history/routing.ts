import type { EventEvent, IngestedEvent } from '../domain/event/events.ts';
import { testedSubscriptionOf } from '../domain/event/test-event.ts';
import { explainRouting, type RoutingExplanation } from '../domain/subscription/routing.ts';
import type { LogReader } from '../eventstore/read.ts';
import type { RecordedEvent } from '../eventstore/types.ts';
import type { Cut } from '../projections/as-of/cut.ts';
import type { Past } from '../projections/as-of/past.ts';
import { countConfigurationAsOf, listSubscriptionsEverAsOf } from '../projections/configuration/as-of.ts';
import type { SubscriptionState } from '../projections/configuration/queries.ts';
import type { Page, PageRequest, Queryable } from '../projections/page.ts';

/** One time at which an event was routed: when it was ingested (0), or at its n-th replay. */
export type Routing = {
  readonly number: number;
  readonly at: Date;
  /** `<log partition>:<position>` of the configuration that it was routed with. */
  readonly configuration: string;
  /** Subscriptions that were sent it. */
  readonly deliveries: number;
  readonly cut: Cut;
};

/**
 * Why a subscription got an event, or why not. `not_created`: it was created later. `test`: it was sent a test, whether it
 * matched or not; `test_of_another`: it was not, since only the other one was.
 */
export type RoutingReason = RoutingExplanation | { readonly outcome: 'not_created' | 'test' | 'test_of_another' };
export type RoutingVerdict = { readonly subscriptionId: string; readonly explanation: RoutingReason };

type RoutedEvent = Pick<IngestedEvent, 'eventType' | 'labels' | 'metadata'>;

/** What the routing of an event made of a subscription as it was then, undefined before it was created; pure. */
export const reasonOf = (event: RoutedEvent, was: SubscriptionState | undefined): RoutingReason => {
  if (!was) return { outcome: 'not_created' };
  const { subscriptionId, settings, deletedAt } = was;
  const explained = explainRouting({ subscriptionId, settings, isDeleted: deletedAt !== null }, event);
  const tested = testedSubscriptionOf(event);
  if (tested === undefined || explained.outcome === 'deleted' || explained.outcome === 'disabled') return explained;
  return { outcome: tested === subscriptionId ? 'test' : 'test_of_another' };
};

/** Event types that a sentence names. */
const TYPES_NAMED_MAX = 5;

/** A reason in a sentence. */
export const explain = (reason: RoutingReason, { eventType }: Pick<RoutedEvent, 'eventType'>): string => {
  switch (reason.outcome) {
    case 'matched':
      return reason.pattern === eventType
        ? `It listened to ${eventType}, and its labels were met.`
        : `Its pattern ${reason.pattern} matched ${eventType}, and its labels were met.`;
    case 'event_type': {
      const [named, more] = [reason.eventTypes.slice(0, TYPES_NAMED_MAX), reason.eventTypes.length - TYPES_NAMED_MAX];
      return `It listened to ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}, not to ${eventType}.`;
    }
    case 'label':
      return reason.found === null
        ? `It wanted the label ${reason.key} to be ${reason.wanted}, and the event had none of that name.`
        : `It wanted the label ${reason.key} to be ${reason.wanted}, and the event's was ${reason.found}.`;
    case 'disabled':
      return 'It was disabled when the event was routed.';
    case 'deleted':
      return 'It had been deleted before the event was routed.';
    case 'not_created':
      return 'It was created after the event was routed.';
    case 'test':
      return 'The event was a test of it, sent whether it matched or not.';
    case 'test_of_another':
      return 'The event was a test of another subscription, sent to that one alone.';
  }
};

type Source = { readonly db: Queryable; readonly reader: LogReader };

/** The routings of an event out of its stream, oldest first. */
export const routingsOf = (stream: readonly RecordedEvent[]): Routing[] => {
  const events = stream as unknown as readonly (EventEvent & Pick<RecordedEvent, 'partition'>)[];
  const routed = events.filter((event) => event.type !== 'EventPayloadErased');
  return routed.map(({ type, data, partition }, number) => {
    const at = new Date(type === 'EventIngested' ? data.receivedAt : data.replayedAt);
    const configuration = `${partition}:${data.configurationPosition}`;
    const cut = { asOf: configuration, instant: at, positions: new Map([[partition, data.configurationPosition]]) };
    return { number, at, configuration, deliveries: data.deliveries, cut };
  });
};

/**
 * For every subscription that an application ever had, newest first: what the routing of an event made of it, by the
 * configuration of that time. Throws InvalidCursor.
 */
export const listRoutingVerdicts = async (
  source: Source,
  event: RoutedEvent & Pick<IngestedEvent, 'applicationId'>,
  { cut }: Routing,
  request: PageRequest,
): Promise<Page<RoutingVerdict>> => {
  const past: Past = { ...source, cut };
  const { rows, nextCursor } = await listSubscriptionsEverAsOf(past, event.applicationId, request);
  return {
    nextCursor,
    rows: rows.map(({ subscriptionId, was }) => ({ subscriptionId, explanation: reasonOf(event, was) })),
  };
};

/** How many subscriptions there were that an event was not sent to. */
export const countUnmatched = async (source: Source, applicationId: string, routing: Routing): Promise<number> => {
  const { subscriptions } = await countConfigurationAsOf({ ...source, cut: routing.cut }, applicationId);
  return Math.max(0, subscriptions - routing.deliveries);
};
