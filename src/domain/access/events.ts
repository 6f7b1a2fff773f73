import type { DomainEvent } from '../metadata.ts';

/**
 * Stream `access:<actor>`, in the log partition of the actor. Refusals of the same kind within a few seconds are one domain event,
 * so that nobody fills the log by asking.
 */
export type AccessEvent = DomainEvent<
  'AccessRefused',
  {
    actor: string;
    /** Whose it is: the organization of the token, or the one that a person was refused in as a member. Older releases do not tell it. */
    organizationId?: string | null;
    /** What was asked for, such as `event:ingest`. */
    action: string;
    /** What it was answered with: `Forbidden`, or `NotFound` for what belongs to somebody else. */
    problem: string;
    count: number;
    /** Addresses that asked, the first few of them. Older releases do not tell it. */
    ips?: readonly string[];
    firstAt: string;
    lastAt: string;
  }
>;
