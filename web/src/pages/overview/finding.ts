import { healthOf } from '../../ui/health.ts';
import { plural } from '../../ui/instant.ts';

type Endpoint = {
  readonly subscription: {
    readonly description: string | null;
    readonly isEnabled: boolean;
    readonly target: { readonly url: string };
  };
  readonly total: { readonly succeeded: number; readonly failed: number };
};
type Counts = { readonly waiting: number; readonly deadLettered: number; readonly events: number };

export type Finding = { readonly headline: string; readonly detail: string };

const nameOf = ({ subscription: { description, target } }: Endpoint): string => description ?? hostOf(target.url);

export const hostOf = (url: string): string => {
  try {
    const { host, pathname } = new URL(url);
    return `${host}${pathname === '/' ? '' : pathname}`;
  } catch {
    return url;
  }
};

const listed = (names: readonly string[]): string =>
  names.length <= 3 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`;

/** What is wrong now in a sentence, or a calm one when nothing is. */
export const findingOf = (endpoints: readonly Endpoint[], { waiting, deadLettered, events }: Counts): Finding => {
  const active = endpoints.filter(({ subscription }) => subscription.isEnabled);
  const failing = active.filter(({ total }) => healthOf(total).tone === 'bad');
  const degraded = active.filter(({ total }) => healthOf(total).tone === 'warn');
  const owed = [
    waiting > 0 ? `${plural(waiting, 'delivery waits', 'deliveries wait')} for a retry` : null,
    deadLettered > 0 ? `${plural(deadLettered, 'dead letter')} to look at` : null,
  ].filter((text) => text !== null);
  const rest = owed.length === 0 ? 'Nothing waits, nothing was given up.' : `${owed.join(', ')}.`;
  if (failing.length > 0)
    return {
      headline: `${failing.length} of ${plural(active.length, 'endpoint')} ${failing.length === 1 ? 'is' : 'are'} failing`,
      detail: `${listed(failing.map(nameOf))}. ${rest}`,
    };
  if (degraded.length > 0)
    return {
      headline: `${degraded.length} of ${plural(active.length, 'endpoint')} ${degraded.length === 1 ? 'is' : 'are'} degraded`,
      detail: `${listed(degraded.map(nameOf))}. ${rest}`,
    };
  if (events === 0) return { headline: 'No event has come yet', detail: 'Send a first one to see it arrive.' };
  return { headline: 'Everything is being delivered', detail: rest };
};
