import type { DomainCommand, DomainEvent } from '../metadata.ts';

/** What was cleaned since the last time it was recorded. */
export type Cleaned = {
  /** UTC days of which nothing is left, as `YYYY-MM-DD`. */
  droppedDays: { payload: readonly string[]; response: readonly string[] };
  /** Rows that are gone, by what they were: `payload`, `response`, and the names that cleaners give. */
  counts: Readonly<Record<string, number>>;
  /** Of payloads and answers: what whole days took on disk, and what single ones had. */
  bytes: number;
};

/** Stream `retention:<instance id>`, in the log partition of the instance id. Payloads are no part of the log, so it stays whole. */
export type RetentionEvent = DomainEvent<'RetentionApplied', Cleaned & { instanceId: string; appliedAt: string }>;

/** Stays quiet when nothing was cleaned. */
export type RetentionCommand = DomainCommand<'RecordRetention', Cleaned & { instanceId: string }>;
