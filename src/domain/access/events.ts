import type { DomainEvent } from '../metadata.ts';

/**
 * Stream `access:<actor>`, in the log partition of the actor. Refusals of the same kind within a few seconds are one domain event,
 * so that nobody fills the log by asking.
 */
export type AccessEvent = DomainEvent<
  'AccessRefused',
  {
    actor: string;
    /** What was asked for, such as `event:ingest`. */
    action: string;
    /** What it was answered with: `Forbidden`, or `NotFound` for what belongs to somebody else. */
    problem: string;
    count: number;
    firstAt: string;
    lastAt: string;
  }
>;
