import { parseEntries } from './entries.ts';

/** Which events, as it stands in the address. */

const STATUSES = ['PENDING', 'SUCCEEDED', 'DEAD_LETTERED', 'CANCELLED'] as const;
export type DeliveryStatus = (typeof STATUSES)[number];
export const DELIVERY_STATUSES: readonly DeliveryStatus[] = STATUSES;

/** Parts of the address that filter events. */
export const EVENT_FILTER_PARTS = ['type', 'labels', 'status', 'from', 'to'] as const;

export type EventFilter = {
  readonly eventType: string | null;
  readonly labels: Record<string, string> | null;
  readonly status: DeliveryStatus | null;
  readonly from: string | null;
  readonly to: string | null;
};

/** Labels are kept one `name=value` a line. */
export const labelsOf = (search: URLSearchParams): Record<string, string> =>
  parseEntries(search.get('labels') ?? '', '=').entries;

/** An instant from the address; null for what is none. */
export const instantOf = (text: string | null): string | null =>
  text === null || Number.isNaN(new Date(text).getTime()) ? null : new Date(text).toISOString();

export const eventFilterOf = (search: URLSearchParams): EventFilter => {
  const labels = labelsOf(search);
  return {
    eventType: search.get('type'),
    labels: Object.keys(labels).length === 0 ? null : labels,
    status: STATUSES.find((status) => status === search.get('status')) ?? null,
    from: instantOf(search.get('from')),
    to: instantOf(search.get('to')),
  };
};

export const isEventFilterSet = (search: URLSearchParams): boolean =>
  EVENT_FILTER_PARTS.some((part) => search.get(part) !== null);
