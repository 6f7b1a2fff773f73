import { z } from 'zod';
import { partitionOf } from '../../eventstore/partition.ts';
import { positionIn, resolveAsOf } from '../../projections/as-of/cut.ts';
import type { Past } from '../../projections/as-of/past.ts';
import { listEventTypesAsOf, listSubscriptionsAsOf } from '../../projections/configuration/as-of.ts';
import { countsAsOf, findFirstSteps } from '../../projections/counts/queries.ts';
import { countEventsUpTo, eventsPerDayAsOf } from '../../projections/event/as-of.ts';
import { eventsPerDay } from '../../projections/event/queries.ts';
import type { Queryable } from '../../projections/page.ts';

const DAY_MS = 86_400_000;

const Step = z.enum(['ToDo', 'Done']);
/** What a newcomer has done already. */
export const OnboardingSteps = z.object({ event_type: Step, subscription: Step, event: Step });
export type OnboardingSteps = z.output<typeof OnboardingSteps>;

/** Events received since midnight, UTC. */
export const eventsToday = async (pool: Queryable, applicationIds: readonly string[], now: Date): Promise<number> => {
  if (applicationIds.length === 0) return 0;
  const from = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()));
  const days = await eventsPerDay(pool, applicationIds, { from, to: new Date(from.getTime() + DAY_MS) });
  return days.reduce((sum, { amount }) => sum + amount, 0);
};

const ONE = { limit: 1 } as const;

/** Of one application or more: a step that one of them has taken is done. */
export const onboardingOf = async (pool: Queryable, applicationIds: readonly string[]): Promise<OnboardingSteps> => {
  const { hasEventType, hasSubscription, hasEvent } = await findFirstSteps(pool, applicationIds);
  const step = (isDone: boolean): z.output<typeof Step> => (isDone ? 'Done' : 'ToDo');
  return { event_type: step(hasEventType), subscription: step(hasSubscription), event: step(hasEvent) };
};

/** Of one application at a cut: events recorded since that day's midnight, and what had been done; `instance` reads the log's clock. Throws ReadModelBehind. */
export const usageAsOf = async (
  past: Past,
  instance: Queryable,
  applicationId: string,
  partition: number,
): Promise<[events: number, steps: OnboardingSteps]> => {
  const { db, cut } = past;
  const midnight = await resolveAsOf(instance, `${cut.instant.toISOString().slice(0, 10)}T00:00:00Z`);
  const { events, eventTypes, subscriptions } = await countsAsOf(past, applicationId, partition);
  const before = await countEventsUpTo(db, applicationId, positionIn(midnight, partition));
  const step = (count: number): z.output<typeof Step> => (count > 0 ? 'Done' : 'ToDo');
  return [
    Math.max(0, events - before),
    { event_type: step(eventTypes), subscription: step(subscriptions), event: step(events) },
  ];
};

/** Events of applications that had been recorded by the cut, of its day, UTC. Throws ReadModelBehind. */
export const eventsOfDayAsOf = async (past: Past, applicationIds: readonly string[]): Promise<number> => {
  if (applicationIds.length === 0) return 0;
  const from = new Date(`${past.cut.instant.toISOString().slice(0, 10)}T00:00:00Z`);
  const days = await eventsPerDayAsOf(past, applicationIds, { from, to: new Date(from.getTime() + DAY_MS) });
  return days.reduce((sum, { amount }) => sum + amount, 0);
};

/** What one of these applications had done by the cut. The read model of events must have come that far. */
export const onboardingAsOf = async (
  past: Past,
  applicationIds: readonly string[],
  partitions: number,
): Promise<OnboardingSteps> => {
  const isDone = async (had: (applicationId: string) => Promise<boolean>): Promise<z.output<typeof Step>> => {
    for (const applicationId of applicationIds) if (await had(applicationId)) return 'Done';
    return 'ToDo';
  };
  const [eventType, subscription, event] = await Promise.all([
    isDone(async (id) => (await listEventTypesAsOf(past, id, ONE)).rows.length > 0),
    isDone(async (id) => (await listSubscriptionsAsOf(past, id, ONE)).rows.length > 0),
    isDone(async (id) => (await countEventsUpTo(past.db, id, positionIn(past.cut, partitionOf(id, partitions)))) > 0),
  ]);
  return { event_type: eventType, subscription, event };
};
