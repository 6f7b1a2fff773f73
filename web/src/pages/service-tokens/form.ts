import { parseEntries, parseNames } from '../../ui/entries.ts';
import { isUuid } from '../../ui/uuid.ts';
import type { Restrictions } from './api.ts';

export const EXPIRIES = [
  { value: '7', title: 'in 7 days' },
  { value: '30', title: 'in 30 days' },
  { value: '90', title: 'in 90 days' },
  { value: '365', title: 'in a year' },
  { value: 'custom', title: 'at another moment' },
  { value: 'none', title: 'never' },
] as const;

export type Form = {
  application: string;
  expiry: (typeof EXPIRIES)[number]['value'];
  /** ISO 8601, for `custom`. */
  expiresAt: string | null;
  actions: string[];
  eventTypes: string;
  subscriptions: string;
  labels: string;
  datalog: string;
};

/** What the console proposes: thirty days are forgotten less easily than for ever. */
export const emptyForm = (): Form => ({
  application: '',
  expiry: '30',
  expiresAt: null,
  actions: [],
  eventTypes: '',
  subscriptions: '',
  labels: '',
  datalog: '',
});

const DAY_MS = 86_400_000;

/** In words, field by field; null where nothing is wrong. */
export const faultsOf = (form: Form, nowMs: number) => ({
  subscriptions: parseNames(form.subscriptions).every(isUuid) ? null : 'These are ids of subscriptions, one a line.',
  labels: parseEntries(form.labels).error,
  expiresAt:
    form.expiry !== 'custom' || (form.expiresAt !== null && new Date(form.expiresAt).getTime() > nowMs)
      ? null
      : 'Choose a moment to come.',
});

const some = <T>(list: readonly T[]): readonly T[] | undefined => (list.length > 0 ? list : undefined);

const expiryOf = ({ expiry, expiresAt }: Form, nowMs: number): string | undefined => {
  if (expiry === 'none') return undefined;
  return expiry === 'custom' ? (expiresAt ?? undefined) : new Date(nowMs + Number(expiry) * DAY_MS).toISOString();
};

/** As the API takes them. */
export const restrictionsOf = (form: Form, nowMs: number): Restrictions => {
  const labels = parseEntries(form.labels).entries;
  return {
    application_id: form.application || undefined,
    actions: some(form.actions),
    subscription_ids: some(parseNames(form.subscriptions)),
    event_types: some(parseNames(form.eventTypes)),
    labels: Object.keys(labels).length > 0 ? labels : undefined,
    expires_at: expiryOf(form, nowMs),
    datalog: form.datalog.trim() || undefined,
  };
};

export const isEmpty = (restrictions: Restrictions): boolean =>
  Object.values(restrictions).every((value) => value === undefined);
