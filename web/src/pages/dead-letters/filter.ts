import { instantOf } from '../../ui/eventFilter.ts';
import { uuidOf } from '../../ui/uuid.ts';

/** Which dead letters, as it stands in the address. */
export const PARTS = ['subscription', 'type', 'reason', 'failure', 'from', 'to'] as const;

export type Filter = {
  readonly subscriptionId: string | null;
  readonly eventType: string | null;
  readonly reason: string | null;
  readonly lastFailure: string | null;
  readonly from: string | null;
  readonly to: string | null;
};

export const filterOf = (search: URLSearchParams): Filter => ({
  subscriptionId: uuidOf(search.get('subscription')),
  eventType: search.get('type'),
  reason: search.get('reason'),
  lastFailure: search.get('failure'),
  from: instantOf(search.get('from')),
  to: instantOf(search.get('to')),
});

export const isFilterSet = (search: URLSearchParams): boolean => PARTS.some((part) => search.get(part) !== null);
