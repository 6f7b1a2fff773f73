import { parseEntries, parseNames, writeEntries } from '../../ui/entries.ts';

/** What the editor holds, all as people write it. */
export type Form = {
  description: string;
  url: string;
  method: string;
  eventTypes: string;
  labels: string;
  headers: string;
  metadata: string;
  retrySchedule: string;
  concurrencyMax: string;
  isEnabled: boolean;
  signEd25519: boolean;
};

export const METHODS = ['POST', 'PUT', 'PATCH', 'GET', 'DELETE', 'OPTIONS', 'HEAD'];

export const emptyForm = (): Form => ({
  description: '',
  url: '',
  method: 'POST',
  eventTypes: '',
  labels: '',
  headers: '',
  metadata: '',
  retrySchedule: '',
  concurrencyMax: '',
  isEnabled: true,
  signEd25519: false,
});

type Stored = {
  readonly description: string | null;
  readonly isEnabled: boolean;
  readonly eventTypes: readonly string[];
  readonly labels: Record<string, string>;
  readonly metadata: Record<string, string>;
  readonly target: { readonly method: string; readonly url: string; readonly headerNames: readonly string[] };
  readonly retrySchedule: string | null;
  readonly concurrencyMax: number | null;
  readonly signEd25519: boolean;
};

/** Header values are secrets: a stored one is shown as this, and kept when it is left as it is. */
const KEPT = '(kept)';

export const formOf = (stored: Stored): Form => ({
  description: stored.description ?? '',
  url: stored.target.url,
  method: stored.target.method,
  eventTypes: stored.eventTypes.join('\n'),
  labels: writeEntries(stored.labels),
  headers: stored.target.headerNames.map((name) => `${name}: ${KEPT}`).join('\n'),
  metadata: writeEntries(stored.metadata),
  retrySchedule: stored.retrySchedule ?? '',
  concurrencyMax: stored.concurrencyMax === null ? '' : String(stored.concurrencyMax),
  isEnabled: stored.isEnabled,
  signEd25519: stored.signEd25519,
});

export type Faults = Partial<Record<keyof Form, string>>;

/** What can be told wrong before the server is asked. */
export const faultsOf = (form: Form): Faults => {
  const faults: Faults = {};
  if (parseNames(form.eventTypes).length === 0) faults.eventTypes = 'Name at least one event type.';
  if (!/^https?:\/\/\S+$/.test(form.url.trim())) faults.url = 'Write an absolute http or https address.';
  for (const name of ['labels', 'headers', 'metadata'] as const) {
    const { error } = parseEntries(form[name]);
    if (error) faults[name] = error;
  }
  if (form.concurrencyMax.trim() !== '' && !/^[1-9]\d{0,3}$/.test(form.concurrencyMax.trim()))
    faults.concurrencyMax = 'Write a number from 1 to 1024.';
  return faults;
};

export const inputOf = (form: Form, applicationId: string) => {
  const headers = Object.entries(parseEntries(form.headers).entries).map(([name, value]) => [
    name,
    value === KEPT ? null : value,
  ]);
  const optional = (text: string): string | null => (text.trim() === '' ? null : text.trim());
  return {
    applicationId,
    isEnabled: form.isEnabled,
    eventTypes: parseNames(form.eventTypes),
    description: optional(form.description),
    labels: parseEntries(form.labels).entries,
    metadata: parseEntries(form.metadata).entries,
    target: {
      method: form.method,
      url: form.url.trim(),
      headers: Object.fromEntries(headers) as Record<string, string | null>,
    },
    retrySchedule: optional(form.retrySchedule),
    concurrencyMax: form.concurrencyMax.trim() === '' ? null : Number(form.concurrencyMax),
    signEd25519: form.signEd25519,
  };
};
