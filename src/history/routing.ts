import type { EventEvent, IngestedEvent } from '../domain/event/events.ts';
import { explainRouting, type RoutingExplanation } from '../domain/subscription/routing.ts';
import type { LogReader } from '../eventstore/read.ts';
import type { RecordedEvent } from '../eventstore/types.ts';
import type { Cut } from '../projections/as-of/cut.ts';
import type { Past } from '../projections/as-of/past.ts';
import { countConfigurationAsOf, listSubscriptionsEverAsOf } from '../projections/configuration/as-of.ts';
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

/** Why a subscription got an event, or why not. `not_created`: it was created later. */
export type RoutingVerdict = {
  readonly subscriptionId: string;
  readonly explanation: RoutingExplanation | { readonly outcome: 'not_created' };
};

type Source = { readonly db: Queryable; readonly reader: LogReader };

/** The routings of an event out of its stream, oldest first. */
export const routingsOf = (stream: readonly RecordedEvent[]): Routing[] => {
  const events = stream as unknown as readonly (EventEvent & Pick<RecordedEvent, 'partition'>)[];
  return events.map(({ type, data, partition }, number) => {
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
  event: Pick<IngestedEvent, 'applicationId' | 'eventType' | 'labels'>,
  { cut }: Routing,
  request: PageRequest,
): Promise<Page<RoutingVerdict>> => {
  const past: Past = { ...source, cut };
  const { rows, nextCursor } = await listSubscriptionsEverAsOf(past, event.applicationId, request);
  return {
    nextCursor,
    rows: rows.map(({ subscriptionId, was }) => ({
      subscriptionId,
      explanation: was ? explainRouting(was, event) : { outcome: 'not_created' },
    })),
  };
};

/** How many subscriptions there were that an event was not sent to. */
export const countUnmatched = async (source: Source, applicationId: string, routing: Routing): Promise<number> => {
  const { subscriptions } = await countConfigurationAsOf({ ...source, cut: routing.cut }, applicationId);
  return Math.max(0, subscriptions - routing.deliveries);
};
