import { BUILT_IN_RECEIVER_ORIGIN } from '../src/domain/target/built-in-receiver.ts';

/** A shop whose events go to six systems, all of them played by the built-in receiver. */

const MINUTE_MS = 60_000;
export const HISTORY_MS = 60 * MINUTE_MS;
/** Before the present: when somebody pointed the CRM at an address that fails, and when the partner was switched off. */
export const BREAKS_MS = 20 * MINUTE_MS;
export const DISABLED_MS = 35 * MINUTE_MS;

export const BROKEN = 'CRM sync';
export const BROKEN_PATH = '/status/503';
export const DISABLED = 'Partner sandbox';

export type DemoSubscription = {
  readonly description: string;
  readonly eventTypes: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly path: string;
};

export const SUBSCRIPTIONS: readonly DemoSubscription[] = [
  { description: 'Billing', eventTypes: ['order.paid', 'invoice.**'], labels: {}, path: '/slow/35' },
  { description: 'Search index', eventTypes: ['product.**', 'order.created'], labels: {}, path: '/slow/12' },
  { description: 'Warehouse', eventTypes: ['order.paid', 'product.stock.changed'], labels: {}, path: '/flaky/4' },
  { description: BROKEN, eventTypes: ['customer.**', 'order.created'], labels: {}, path: '/slow/60' },
  { description: 'Data lake export', eventTypes: ['**'], labels: { region: 'eu' }, path: '/slow/1400' },
  { description: DISABLED, eventTypes: ['order.**'], labels: { region: 'us' }, path: '/ok' },
];
/** Gives up within minutes, so that there is something to see among the dead letters. */
export const RETRY_SCHEDULE = '20s,1m,3m';

export const bodyOf = (applicationId: string, { eventTypes, path, ...subscription }: DemoSubscription) => ({
  application_id: applicationId,
  is_enabled: true,
  event_types: eventTypes,
  ...subscription,
  retry_schedule: RETRY_SCHEDULE,
  target: { type: 'http', method: 'POST', url: `${BUILT_IN_RECEIVER_ORIGIN}${path}`, headers: {} },
});

type Random = () => number;

/** By type: how often of a hundred, and what it carries. */
const EVENTS: Readonly<Record<string, { readonly share: number; readonly payload: (random: Random) => object }>> = {
  'order.created': { share: 26, payload: (random) => ({ order: number(random), items: 1 + below(random, 5) }) },
  'order.paid': { share: 20, payload: (random) => ({ order: number(random), total: price(random) }) },
  'order.shipped': { share: 14, payload: (random) => ({ order: number(random), carrier: 'DHL' }) },
  'invoice.issued': { share: 10, payload: (random) => ({ invoice: number(random), total: price(random) }) },
  'customer.account.updated': { share: 12, payload: (random) => ({ customer: number(random), field: 'address' }) },
  'product.stock.changed': { share: 18, payload: (random) => ({ sku: number(random), stock: below(random, 200) }) },
};
const REGIONS = ['eu', 'eu', 'us', 'us', 'us', 'apac'] as const;

export const EVENT_TYPES = Object.keys(EVENTS);

const below = (random: Random, end: number): number => Math.floor(random() * end);
const number = (random: Random): number => 10_000 + below(random, 90_000);
const price = (random: Random): string => (5 + random() * 195).toFixed(2);

/** The body of an ingest, as the shop would send it. */
export const eventOf = (applicationId: string, random: Random, occurredAt: Date) => {
  let left = random() * 100;
  const [type, { payload }] = Object.entries(EVENTS).find(([, { share }]) => {
    left -= share;
    return left < 0;
  }) ?? ['order.created', { payload: () => ({}) }];
  return {
    application_id: applicationId,
    event_type: type,
    payload: JSON.stringify(payload(random)),
    payload_content_type: 'application/json',
    labels: { region: REGIONS[below(random, REGIONS.length)] ?? 'eu' },
    occurred_at: occurredAt.toISOString(),
  };
};

/** Events per second at a share of the hour, 0 to 1: a morning that fills up, with a campaign in the midst of it. */
export const rateAt = (share: number): number =>
  1.4 - 0.9 * Math.cos(Math.PI * share) + 0.2 * Math.sin(7 * Math.PI * share) + (share > 0.5 && share < 0.56 ? 1.2 : 0);

/** Of one second: the rate on average, and now and then none or twice as many. */
export const countOf = (rate: number, random: Random): number => Math.floor(2 * rate * random() + random());
