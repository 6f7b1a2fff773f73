import type { DeliveryEvent } from '../domain/delivery/events.ts';
import type { RecordedEvent } from '../eventstore/types.ts';
import type { LiveFilter } from './topic.ts';

/** Durations that percentiles of one second are taken from; more would say the same. */
const DURATIONS_MAX = 2_000;
const SECOND_MS = 1_000;

/** What happened in a second. */
export type TrafficTick = {
  readonly at: Date;
  readonly events: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly deadLettered: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
};

type Sums = { events: number; succeeded: number; failed: number; deadLettered: number; durations: number[] };

const nothing = (): Sums => ({ events: 0, succeeded: 0, failed: 0, deadLettered: 0, durations: [] });

const percentile = (sorted: readonly number[], share: number): number | null =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? null;

/** Sums domain events up by the second in which they were recorded; a second is told when a later one has begun. */
export const createTraffic = ({ subscriptionId }: LiveFilter) => {
  let second = 0;
  let sums = nothing();

  const tell = (): TrafficTick => {
    const { durations, ...counts } = sums;
    const sorted = durations.sort((a, b) => a - b);
    return {
      at: new Date(second * SECOND_MS),
      ...counts,
      p50Ms: percentile(sorted, 0.5),
      p99Ms: percentile(sorted, 0.99),
    };
  };

  const add = (event: RecordedEvent): void => {
    if (event.type === 'EventIngested') {
      if (subscriptionId === undefined) sums.events += 1;
      return;
    }
    const told = event as unknown as DeliveryEvent;
    if (subscriptionId !== undefined && event.data.subscriptionId !== subscriptionId) return;
    if (told.type === 'AttemptSucceeded') sums.succeeded += 1;
    else if (told.type === 'AttemptFailed') sums.failed += 1;
    else if (told.type === 'DeliveryDeadLettered') sums.deadLettered += 1;
    if (told.type !== 'AttemptSucceeded' && told.type !== 'AttemptFailed') return;
    if (sums.durations.length < DURATIONS_MAX) sums.durations.push(told.data.timings.totalMs);
  };

  const isAnything = (): boolean => sums.events + sums.succeeded + sums.failed + sums.deadLettered > 0;

  /** Takes in domain events and the present instant; answers the seconds that are over, if anything happened in them. */
  return (events: readonly RecordedEvent[], nowMs: number): TrafficTick[] => {
    const ticks: TrafficTick[] = [];
    const turnTo = (next: number): void => {
      if (next <= second) return; // Log partitions are read one after the other: what comes late counts with the second at hand.
      if (isAnything()) ticks.push(tell());
      second = next;
      sums = nothing();
    };
    for (const event of events) {
      turnTo(Math.floor(event.recordedAtMs / SECOND_MS));
      add(event);
    }
    turnTo(Math.floor(nowMs / SECOND_MS));
    return ticks;
  };
};
