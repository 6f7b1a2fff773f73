import { setImmediate as nextTurn } from 'node:timers/promises';
import { partitionOf } from '../../eventstore/partition.ts';
import type { CompiledSchema, Finding } from '../../payload-schema/compile.ts';
import { type EventRecord, listEvents } from '../../projections/event/queries.ts';
import { BodyChanged } from '../../vault/vault.ts';
import { findPayloads } from '../../worklist/payload.ts';
import type { ApiDeps } from '../deps.ts';
import { findingsIn } from '../ingest/payload-check.ts';

const SPAN_MS = 7 * 86_400_000;
const EVENTS_MAX = 1_000;
const TIME_MAX_MS = 2_000;
const EXAMPLES_MAX = 20;
const BATCH = 100;
/** Others have their turn after so much checking. */
const TURN_MS = 10;

export type SchemaCheck = {
  /** Events that were looked at, newest first. */
  readonly checked: number;
  readonly refused: number;
  /** When the oldest of them was received; null when there was none. */
  readonly oldest: Date | null;
  /** Of those that would be refused, the newest. */
  readonly examples: readonly { readonly eventId: string; readonly findings: readonly Finding[] }[];
  /** False when there are more events of the last week than could be looked at, or payloads that are no longer what they were. */
  readonly isComplete: boolean;
};

/** What a schema would have refused of the last week's events of a type; at most 1,000 of them, and 2 seconds. */
export const checkLastWeek = async (
  { pool, vault, partitions, now }: Pick<ApiDeps, 'pool' | 'vault' | 'partitions' | 'now'>,
  { applicationId, name }: { readonly applicationId: string; readonly name: string },
  schema: CompiledSchema,
): Promise<SchemaCheck> => {
  const from = new Date(now().getTime() - SPAN_MS);
  const partition = partitionOf(applicationId, partitions);
  const startedMs = performance.now();
  const examples: { eventId: string; findings: readonly Finding[] }[] = [];
  let [checked, refused, missing] = [0, 0, 0];
  let oldest: Date | null = null;
  let cursor: string | undefined;

  const checkPage = async (events: readonly EventRecord[]): Promise<boolean> => {
    const bodies = await findPayloads(
      pool,
      vault,
      events.map(({ organizationId, eventId, receivedAt }) => ({
        partition,
        organizationId,
        applicationId,
        eventId,
        receivedAt: receivedAt.toISOString(),
      })),
    );
    let turnMs = performance.now();
    for (const { eventId, receivedAt, payloadContentType: contentType } of events) {
      const body = bodies.get(`${applicationId}:${eventId}`);
      if (!body || body instanceof BodyChanged) {
        missing += 1;
        continue;
      }
      const findings = findingsIn(schema, { contentType, body });
      checked += 1;
      oldest = receivedAt;
      if (findings.length > 0) refused += 1;
      if (findings.length > 0 && examples.length < EXAMPLES_MAX) examples.push({ eventId, findings });
      if (performance.now() - startedMs > TIME_MAX_MS) return false; // The rest of the page is left out.
      if (performance.now() - turnMs > TURN_MS) {
        await nextTurn();
        turnMs = performance.now();
      }
    }
    return true;
  };

  let isAtEnd = false;
  let hasTime = true;
  // A page may be short, or empty, and not the last one: events of other types lie between.
  while (!isAtEnd && hasTime && checked + missing < EVENTS_MAX) {
    const page = await listEvents(pool, applicationId, { eventType: name, from, cursor, limit: BATCH });
    hasTime = (await checkPage(page.rows)) && performance.now() - startedMs <= TIME_MAX_MS;
    isAtEnd = page.nextCursor === null;
    cursor = page.nextCursor ?? undefined;
  }
  return { checked, refused, oldest, examples, isComplete: isAtEnd && hasTime && missing === 0 };
};
