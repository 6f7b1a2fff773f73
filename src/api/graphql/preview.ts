import { explainRouting, parseEventTypePattern } from '../../domain/subscription/routing.ts';
import type { ApplicationRecord } from '../../projections/configuration/queries.ts';
import { PAGE_MAX } from '../../projections/page.ts';
import { createReplays } from '../event/replay.ts';
import { entries } from '../http/strings.ts';
import { invalidField, Problem } from '../problems.ts';
import { itsSubscription } from './application.ts';
import { allow, type Context, type Seen, see } from './context.ts';
import { type EventFilterInput, eventFilter } from './filters.ts';
import type { Fields } from './schema.ts';

type Application = Seen<ApplicationRecord>;
type Wanted = {
  readonly eventTypes: readonly string[];
  readonly labels?: Readonly<Record<string, string>> | null;
  readonly last?: number | null;
};

const EVENT_TYPES_MAX = 100;

/** As a subscription would be checked; throws a Validation problem. */
const settingsOf = ({ eventTypes, labels }: Wanted) => {
  if (eventTypes.length < 1 || eventTypes.length > EVENT_TYPES_MAX)
    throw invalidField('eventTypes', 'event-types-size', `must name 1 to ${EVENT_TYPES_MAX} event types`);
  const wrong = eventTypes.find((name) => parseEventTypePattern(name) === null);
  if (wrong !== undefined)
    throw invalidField('eventTypes', 'event-types-name-length', 'must be names of event types, or patterns of them');
  return { isEnabled: true, eventTypes, labels: entries('labels', 0).parse(labels ?? {}) };
};

/** What would happen, were something done. */
export const previewFields: Fields = {
  Application: {
    previewSubscription: async ({ applicationId, moment }: Application, args: Wanted, context: Context) => {
      allow(context, 'event:list', { applicationId });
      const settings = settingsOf(args);
      const last = args.last ?? PAGE_MAX;
      if (last < 1 || last > PAGE_MAX) throw invalidField('last', 'out-of-range', `must be 1 to ${PAGE_MAX}`);
      const { rows } = await moment.reads.events(applicationId, { limit: last });
      const events = rows.map((event) => {
        const { outcome } = explainRouting({ subscriptionId: '', settings }, event);
        const reason = outcome === 'label' ? 'labels' : outcome;
        return { event: see(moment, event), isMatch: outcome === 'matched', reason };
      });
      return { looked: events.length, matched: events.filter(({ isMatch }) => isMatch).length, events };
    },
    previewReplay: async (
      { applicationId, moment }: Application,
      { filter, subscriptionId }: { filter: EventFilterInput; subscriptionId?: string | null },
      context: Context,
    ) => {
      allow(context, 'event:list', { applicationId });
      if (moment.cut !== null)
        throw new Problem('InvalidAsOf', 'A replay is made now: ask for its preview without asOf.');
      const preview = await createReplays(context.deps).preview(applicationId, {
        filter: eventFilter(filter),
        subscriptionId: subscriptionId ?? undefined,
      });
      return {
        ...preview,
        bySubscription: preview.bySubscription.map((share) => ({
          deliveries: share.deliveries,
          subscription: () =>
            itsSubscription({ applicationId, subscriptionId: share.subscriptionId, moment }, undefined, context),
        })),
      };
    },
  },
};
